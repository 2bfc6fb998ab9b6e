import { PengxError } from '../../../model/error.ts'

/**
 * The grammar of xl.cfg(5), as libxlu reads it (tools/libs/util/libxlu_cfg_l.l and _y.y): assignments `key = value` and
 * `key += value`, ended by a line's end or `;`; a value is a string in either quotes, a number, or a list in brackets,
 * in which line ends mean nothing. Each statement keeps its own text, so that what pengx does not interpret can be
 * written back letter by letter. Errors name file and line and never repeat the text, which may hold a password.
 */

export type XlValue = string | readonly XlValue[]

export interface XlStatement {
  readonly key: string
  readonly op: '=' | '+='
  readonly value: XlValue
  readonly line: number
  /** As it stands in the file: the comments right above it, itself, the comment behind it. */
  readonly text: string
  /** From its key to the end of its value, as offsets in the whole text. */
  readonly at: number
  readonly end: number
  /** Its value with the places of all that it consists of. */
  readonly node: XlNode
}

type XlNode = XlAtom | XlList

export interface XlAtom {
  readonly kind: 'string' | 'number'
  readonly at: number
  readonly end: number
  /** The value: without quotes and escapes. */
  readonly text: string
  readonly quote?: '"' | "'"
}

export interface XlList {
  readonly kind: 'list'
  readonly at: number
  readonly end: number
  readonly items: readonly XlNode[]
  /** Where the comma behind each item stands; the last item may have none. */
  readonly commas: readonly number[]
}

type Token =
  | { readonly kind: 'ident' | 'value'; readonly text: string; readonly at: number; readonly end: number }
  | { readonly kind: '=' | '+=' | '[' | ']' | ',' | ';' | 'newline' | 'end'; readonly at: number; readonly end: number }

const TOKEN =
  /([ \t]*)(?:([a-z][._0-9a-z]*)|([0-9][0-9a-fx]*)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(\+=|[=[\],;])|(?:#[^\n]*)?(?:\n|$))/y

export function parseStatements(text: string, source = 'configuration'): XlStatement[] {
  const tokens = tokenize(text, source)
  const statements: XlStatement[] = []
  let position = 0
  const peek = () => tokens[position]!
  const fail = (token: Token, what: string): never => {
    throw new PengxError('invalid', `${source}:${lineAt(text, token.at)}: ${what} (see xl.cfg(5))`)
  }
  const skipNewlines = () => {
    while (peek().kind === 'newline') position++
  }
  const parseNode = (): XlNode => {
    const token = peek()
    position++
    if (token.kind === 'value') {
      const { at, end } = token
      const atom = unquote(token.text, () => fail(token, 'a backslash before a wrong letter'))
      const quote = /^["']/.exec(token.text)?.[0] as '"' | "'" | undefined
      return quote === undefined
        ? { kind: 'number', at, end, text: atom }
        : { kind: 'string', at, end, text: atom, quote }
    }
    if (token.kind !== '[') return fail(token, 'a value is expected: a string in quotes, a number or a list')
    const items: XlNode[] = []
    const commas: number[] = []
    skipNewlines()
    while (peek().kind !== ']') {
      items.push(parseNode())
      skipNewlines()
      if (peek().kind === ',') {
        commas.push(peek().at)
        position++
        skipNewlines()
      } else if (peek().kind !== ']') fail(peek(), 'a list lacks a comma or its end')
    }
    position++
    return { kind: 'list', at: token.at, end: tokens[position - 1]!.end, items, commas }
  }

  while (peek().kind !== 'end') {
    const first = peek()
    if (first.kind === 'newline' || first.kind === ';') {
      position++
      continue
    }
    if (first.kind !== 'ident') fail(first, 'the name of a parameter is expected')
    position++
    const op = peek()
    if (op.kind !== '=' && op.kind !== '+=') fail(op, 'a parameter lacks its "="')
    position++
    const node = parseNode()
    const { end } = node
    const after = peek()
    if (after.kind !== 'newline' && after.kind !== ';' && after.kind !== 'end') {
      fail(after, 'more than one value, or text behind a value')
    }
    statements.push({
      key: (first as { text: string }).text,
      op: op.kind as '=' | '+=',
      value: toValue(node),
      line: lineAt(text, first.at),
      text: commentAbove(text, first.at) + text.slice(first.at, end) + commentBehind(text, end),
      at: first.at,
      end,
      node,
    })
  }
  return statements
}

function toValue(node: XlNode): XlValue {
  return node.kind === 'list' ? node.items.map(toValue) : node.text
}

function tokenize(text: string, source: string): Token[] {
  const tokens: Token[] = []
  const pattern = new RegExp(TOKEN)
  while (pattern.lastIndex < text.length) {
    const begin = pattern.lastIndex
    const found = pattern.exec(text)
    if (!found) {
      throw new PengxError('invalid', `${source}:${lineAt(text, begin)}: this is no xl configuration (see xl.cfg(5))`)
    }
    const [whole, blanks, ident, number, string, sign] = found
    const at = begin + blanks!.length
    const end = begin + whole.length
    if (ident !== undefined) tokens.push({ kind: 'ident', text: ident, at, end })
    else if (number !== undefined || string !== undefined)
      tokens.push({ kind: 'value', text: (number ?? string)!, at, end })
    else if (sign !== undefined) tokens.push({ kind: sign as ',', at, end })
    else tokens.push({ kind: 'newline', at, end })
  }
  tokens.push({ kind: 'end', at: text.length, end: text.length })
  return tokens
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  '\\': '\\',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

/** A number stands for itself; numeric escapes are refused, since libxlu reads them wrong. */
function unquote(text: string, fail: () => never): string {
  if (!/^["']/.test(text)) return text
  return text.slice(1, -1).replace(/\\(.)/gs, (_, letter: string) => ESCAPES[letter] ?? fail())
}

/** A string as xl.cfg(5) wants it. */
export function quoteString(text: string): string {
  return quoteWith('"', text)
}

/** The same in the quotes that are given. */
export function quoteWith(quote: '"' | "'", text: string): string {
  const inner = text.replaceAll('\\', '\\\\').replaceAll(quote, `\\${quote}`)
  const escaped = inner.replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t')
  return quote + escaped + quote
}

/** A list of strings; several stand in one line. */
export function formatList(key: string, items: readonly string[]): string {
  return items.length === 0 ? `${key} = []` : `${key} = [ ${items.map(quoteString).join(', ')} ]`
}

function lineAt(text: string, at: number): number {
  let line = 1
  for (let index = text.indexOf('\n'); index !== -1 && index < at; index = text.indexOf('\n', index + 1)) line++
  return line
}

/** The comment lines right above a statement that begins its line; what pengx wrote itself is left out. */
function commentAbove(text: string, at: number): string {
  let end = text.lastIndexOf('\n', at - 1)
  if (text.slice(end + 1, at).trim() !== '') return ''
  let comment = ''
  while (end >= 0) {
    const begin = end === 0 ? 0 : text.lastIndexOf('\n', end - 1) + 1
    const line = text.slice(begin, end)
    if (!/^\s*#/.test(line) || line.startsWith('# written by pengx ')) break
    comment = `${line.trim()}\n${comment}`
    end = begin - 1
  }
  return comment
}

function commentBehind(text: string, end: number): string {
  return /^[ \t]*#[^\n]*/.exec(text.slice(end, end + 1000))?.[0].trimEnd() ?? ''
}
