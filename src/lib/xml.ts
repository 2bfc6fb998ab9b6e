import { XMLParser, XMLValidator } from 'fast-xml-parser'

/**
 * The only door to the XML library. What it lets pass and XML 1.0 does not (text around the root, a second root, a bare
 * `&`, forbidden characters) is refused here before it sees the text; so are document types, processing instructions
 * and entities other than XML's five and the numeric ones: nothing is ever expanded, fetched or read.
 */
export interface XmlElement {
  readonly name: string
  /** Its own character data, CDATA included, references resolved. */
  readonly text: string
  readonly children: readonly XmlElement[]
}

export type XmlResult =
  | { readonly ok: true; readonly root: XmlElement }
  | { readonly ok: false; readonly problem: string }

/** A document as a tree of elements; attributes, comments and the names' order of no concern are left out. */
export function parseXml(source: string, maxDepth: number): XmlResult {
  const text = source.startsWith('\ufeff') ? source.slice(1) : source
  const problem = refuseText(text)
  if (problem !== undefined) return { ok: false, problem }
  try {
    const valid = XMLValidator.validate(text)
    if (valid !== true) return { ok: false, problem: `${shorten(valid.err.msg)} (line ${valid.err.line})` }
    const roots = elementsOf(parser.parse(text) as Node[], maxDepth)
    if (roots.length !== 1) return { ok: false, problem: `one root element is expected, there are ${roots.length}` }
    return { ok: true, root: roots[0]! }
  } catch (error) {
    if (error instanceof RangeError) return { ok: false, problem: error.message }
    return { ok: false, problem: `it cannot be parsed: ${shorten(error instanceof Error ? error.message : '')}` }
  }
}

/** Names are kept from the parser's own list of reserved ones (`constructor`, …) by a sign that begins no XML name. */
const GUARD = '\u00b7'

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: true,
  parseTagValue: false,
  trimValues: false,
  processEntities: false,
  cdataPropName: '#cdata',
  ignoreDeclaration: true,
  // The parser asks twice about an empty element's name.
  transformTagName: (name: string) => (name.startsWith(GUARD) ? name : GUARD + name),
})

/** What the parser makes of an element in order: `[{"#text": …}, {"·name": […]}, {"#cdata": [{"#text": …}]}]`. */
type Node = { readonly [name: string]: readonly Node[] | string }

function elementsOf(nodes: readonly Node[], depthLeft: number): XmlElement[] {
  const elements: XmlElement[] = []
  for (const node of nodes) {
    for (const [name, inner] of Object.entries(node)) {
      if (name.startsWith('#') || typeof inner === 'string') continue
      if (depthLeft === 0) throw new RangeError('elements are nested too deep')
      elements.push({ name: name.slice(GUARD.length), text: textOf(inner), children: elementsOf(inner, depthLeft - 1) })
    }
  }
  return elements
}

function textOf(nodes: readonly Node[]): string {
  let text = ''
  for (const node of nodes) {
    const plain = node['#text']
    const cdata = node['#cdata']
    if (plain !== undefined) text += resolveReferences(String(plain))
    if (Array.isArray(cdata)) text += cdata.map((part) => String(part['#text'] ?? '')).join('')
  }
  return text
}

const DECLARATION =
  /^<\?xml\s+version\s*=\s*(?:"1\.\d+"|'1\.\d+')(?:\s+encoding\s*=\s*(?:"([\w.-]+)"|'([\w.-]+)'))?(?:\s+standalone\s*=\s*(?:"(?:yes|no)"|'(?:yes|no)'))?\s*\?>/
const TAG = /<(?:[^<>"']|"[^"<]*"|'[^'<]*')*>/g
const REFERENCE = /&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#x([0-9a-f]{1,6}));/gi
/** What no XML 1.0 document may hold (section 2.2), lone surrogates included. */
const FORBIDDEN =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

/** It holds what no XML can carry, however it is written. */
export function hasForbidden(text: string): boolean {
  return FORBIDDEN.test(text)
}

/** What is wrong with a text before its tags are looked at, or undefined. */
function refuseText(text: string): string | undefined {
  if (hasForbidden(text)) return 'it holds a character that XML forbids'
  const declaration = DECLARATION.exec(text)
  const encoding = declaration?.[1] ?? declaration?.[2] ?? 'utf-8'
  if (!/^(utf-?8|us-ascii)$/i.test(encoding)) return `encoding ${encoding}: only UTF-8 is read`
  const bare = withoutSections(text.slice(declaration?.[0].length ?? 0))
  if (bare === undefined) return 'a comment or CDATA section is not closed, or a comment holds "--"'
  if (/<!DOCTYPE|<!ENTITY/i.test(bare)) return 'document types and entities are refused'
  if (bare.includes('<?')) return 'processing instructions are refused'
  if (bare.includes('<!')) return 'a "<!" stands alone'
  const unresolved = bare.replace(REFERENCE, (whole) => (isAllowed(whole) ? '' : '&'))
  if (unresolved.includes('&')) return 'an "&" stands alone or names an unknown entity: write &amp;'
  const outside = bare.trim()
  if (!outside.startsWith('<') || !outside.endsWith('>')) return 'there is text outside the root element'
  const words = bare.replace(TAG, '')
  if (words.includes('<')) return 'a "<" stands alone: write &lt;'
  if (words.includes(']]>')) return 'a "]]>" stands outside CDATA'
  return undefined
}

/** The text without its comments, and with a letter for each CDATA section; one pass, whatever is in it. */
function withoutSections(text: string): string | undefined {
  let bare = ''
  let at = 0
  let comment = 0
  let cdata = 0
  while (true) {
    if (comment >= 0 && comment <= at) comment = text.indexOf('<!--', at)
    if (cdata >= 0 && cdata <= at) cdata = text.indexOf('<![CDATA[', at)
    if (comment < 0 && cdata < 0) return bare + text.slice(at)
    const isComment = cdata < 0 || (comment >= 0 && comment < cdata)
    const start = isComment ? comment : cdata
    const end = isComment ? text.indexOf('--', start + 4) : text.indexOf(']]>', start + 9)
    if (end < 0 || (isComment && text[end + 2] !== '>')) return undefined
    bare += text.slice(at, start) + (isComment ? '' : 'C')
    at = end + 3
  }
}

const NAMED: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function resolveReference(name?: string, decimal?: string, hex?: string): string {
  if (name !== undefined) return NAMED[name] ?? ''
  const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
  return code <= 0x10ffff ? String.fromCodePoint(code) : ''
}

/** One pass over the text, so that what a reference stands for is never read as another's beginning. */
function resolveReferences(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(REFERENCE, (_, name, decimal, hex) => resolveReference(name, decimal, hex))
}

function isAllowed(reference: string): boolean {
  const meant = resolveReferences(reference)
  return meant !== '' && !hasForbidden(meant)
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

function shorten(text: string): string {
  const begin = text.slice(0, 120)
  return begin.charAt(0).toLowerCase() + begin.slice(1)
}
