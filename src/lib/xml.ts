import { SaxesParser } from 'saxes'

/**
 * The only door to the XML library: a strict parser, told to take every document for XML 1.0, that stops at the first
 * thing that is wrong. What XML allows and nobody needs here is refused too: document types (so entities other than
 * XML's five and the numeric ones), processing instructions, other encodings. Nothing is ever expanded, fetched or read.
 */
export interface XmlElement {
  readonly name: string
  /** Its own character data, CDATA included, references resolved. */
  readonly text: string
  readonly children: readonly XmlElement[]
  /** By name, prefix included; only where they are asked for. */
  readonly attributes?: ReadonlyMap<string, string>
}

export type XmlResult =
  | { readonly ok: true; readonly root: XmlElement }
  | { readonly ok: false; readonly problem: string }

interface Growing extends XmlElement {
  text: string
  readonly children: Growing[]
  attributes?: ReadonlyMap<string, string>
}

/**
 * A document as a tree of elements, at most `maxDepth` deep, or the first problem in words with its line. Comments are of
 * no concern and left out, and so are attributes where nobody asks. Takes time in proportion to the text, whatever it holds.
 */
export function parseXml(source: string, maxDepth: number, { attributes = false } = {}): XmlResult {
  const parser = new SaxesParser({ position: false, forceXMLVersion: true, defaultXMLVersion: '1.0' })
  const document: Growing = { name: '', text: '', children: [] }
  const open: { readonly element: Growing; readonly at: number }[] = [{ element: document, at: 0 }]
  let closed = document
  const refuse = (problem: string, at = parser.position) => {
    throw new SyntaxError(`${problem.slice(0, 120)} (line ${lineAt(source, at)})`)
  }
  const addText = (text: string) => {
    open.at(-1)!.element.text += text
  }
  parser.on('xmldecl', ({ encoding = 'utf-8' }) => {
    if (!/^(utf-?8|us-ascii)$/i.test(encoding)) refuse(`encoding ${encoding}: only UTF-8 is read`)
  })
  parser.on('doctype', () => refuse(NO_TYPES))
  parser.on('processinginstruction', () => refuse('processing instructions are refused'))
  parser.on('opentagstart', ({ name }) => {
    if (open.length > maxDepth) refuse('elements are nested too deep')
    const element: Growing = { name, text: '', children: [] }
    open.at(-1)!.element.children.push(element)
    open.push({ element, at: parser.position - name.length - 1 })
  })
  if (attributes) {
    parser.on('opentag', (tag) => {
      open.at(-1)!.element.attributes = new Map(
        Object.entries(tag.attributes).map(([name, value]) => [name, String(value)]),
      )
    })
  }
  parser.on('closetag', () => {
    closed = open.pop()!.element
  })
  parser.on('text', addText)
  parser.on('cdata', addText)
  parser.on('error', ({ message }) => {
    const { element, at } = open.at(-1)!
    if (message.startsWith('unclosed tag')) refuse(`<${element.name}> is not closed`, at)
    if (message.startsWith('unexpected close tag')) refuse(`the end tag of <${closed.name}> is expected`)
    const words = WORDS[message] ?? message.replace(/\.$/, '')
    refuse(words, words === LONE_AMP ? source.lastIndexOf('&', parser.position - 2) : undefined)
  })
  try {
    const forbidden = FORBIDDEN.exec(source)
    if (forbidden) refuse('it holds a character that XML forbids', forbidden.index)
    parser.write(source)
    // A lone "&" takes all up to the next ";" for its name: where there is none, it gets one and is found.
    if (open.length > 1 && source.lastIndexOf('&') > source.lastIndexOf(';')) parser.write(';')
    parser.close()
    return { ok: true, root: document.children[0]! }
  } catch (error) {
    return { ok: false, problem: error instanceof Error ? error.message : 'it cannot be parsed' }
  }
}

const NO_TYPES = 'document types and entities are refused'
const LONE_AMP = 'an "&" stands alone or names an unknown entity: write &amp;'

/** What the parser says in words that help less. */
const WORDS: Readonly<Record<string, string>> = {
  'inappropriately located doctype declaration.': NO_TYPES,
  'undefined entity.': LONE_AMP,
  'empty entity name.': LONE_AMP,
  'disallowed character in entity name.': LONE_AMP,
  'malformed character entity.': 'a numeric reference stands for no character that XML allows',
  'text data outside of root node.': 'there is text outside the root element',
  'documents may contain only one root.': 'there is a second root element',
  'document must contain a root element.': 'there is no root element',
  'disallowed character in tag name': 'a "<" begins no element: write &lt;',
  // Of characters that may not stand somewhere, all but this one have been refused before.
  'disallowed character.': 'a "<" stands in an attribute: write &lt;',
  'incorrect syntax.': 'a "<!" begins neither a comment nor a CDATA section',
  'malformed comment.': 'a comment holds "--"',
  'the string "]]>" is disallowed in char data.': 'a "]]>" stands outside CDATA',
}

function lineAt(text: string, position: number): number {
  return text.slice(0, position).split(/\r\n?|\n/).length
}

/** What no XML 1.0 document may hold (section 2.2), lone surrogates included. */
const FORBIDDEN =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

/** It holds what no XML can carry, however it is written. */
export function hasForbidden(text: string): boolean {
  return FORBIDDEN.test(text)
}

const SPECIAL = /[&<>"'\r\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff\ud800-\udfff]/
const SPECIAL_ALL =
  /[&<>"'\r]|[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g
const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\r': '&#13;',
}

/** Text for an element or an attribute; what XML cannot carry becomes U+FFFD. */
export function escapeXml(text: string): string {
  if (!SPECIAL.test(text)) return text
  return text.replace(SPECIAL_ALL, (char) => ESCAPES[char] ?? '\ufffd')
}
