/** Reads the syntax of xl.cfg(5): assignments of strings, numbers and lists, with the error texts of xl. */
export type CfgValue = string | CfgValue[]

export interface CfgRead {
  values: Map<string, CfgValue>
  /** What xl prints, one line each; empty for a file that parses. */
  errors: string[]
}

interface Token {
  kind: 'ident' | 'string' | 'number' | 'punct' | 'end' | 'bad'
  text: string
  line: number
}

const NAMES: Record<string, string> = { ident: 'IDENT', string: 'STRING', number: 'NUMBER', end: 'NEWLINE' }

export function readCfg(text: string, file: string): CfgRead {
  const values = new Map<string, CfgValue>()
  const errors: string[] = []
  const tokens = tokenize(text)
  let at = 0

  const complain = (token: Token, words: string) => {
    errors.push(`${file}:${token.line}: config parsing error near \`${token.text}': ${words}`)
    while (tokens[at] && tokens[at]!.kind !== 'end') at++
  }
  const unexpected = (token: Token, expecting: string) =>
    token.kind === 'bad'
      ? complain(token, 'lexical error')
      : complain(token, `syntax error, unexpected ${NAMES[token.kind] ?? `'${token.text}'`}, expecting ${expecting}`)

  const readValue = (): CfgValue | undefined => {
    const token = tokens[at]!
    if (token.kind === 'string' || token.kind === 'number') {
      at++
      return token.text
    }
    if (token.text !== '[') {
      unexpected(token, "STRING or NUMBER or '['")
      return undefined
    }
    at++
    const list: CfgValue[] = []
    for (;;) {
      while (tokens[at]?.kind === 'end' && at < tokens.length - 1) at++
      if (tokens[at]?.text === ']' && tokens[at]?.kind === 'punct') break
      const value = readValue()
      if (value === undefined) return undefined
      list.push(value)
      while (tokens[at]?.kind === 'end' && at < tokens.length - 1) at++
      if (tokens[at]?.text === ',') at++
      else if (tokens[at]?.text !== ']') {
        unexpected(tokens[at]!, "',' or ']'")
        return undefined
      }
    }
    at++
    return list
  }

  while (at < tokens.length) {
    const token = tokens[at]!
    if (token.kind === 'end') {
      at++
      continue
    }
    if (token.kind !== 'ident') {
      unexpected(token, 'IDENT')
      continue
    }
    at++
    const operator = tokens[at]!
    if (operator.text !== '=' && operator.text !== '+=') {
      unexpected(operator, "'='")
      continue
    }
    at++
    const value = readValue()
    if (value === undefined) continue
    if (tokens[at]?.kind !== 'end') {
      unexpected(tokens[at]!, "NEWLINE or ';'")
      continue
    }
    const old = values.get(token.text)
    if (operator.text === '+=' && Array.isArray(old) && Array.isArray(value)) old.push(...value)
    else values.set(token.text, value)
  }
  return { values, errors }
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  const pattern =
    /([ \t\r]+|#[^\n]*)|(\n|;)|([A-Za-z_][\w.-]*)|(-?0[xX][0-9a-fA-F]+|-?\d+)|"((?:\\.|[^"\\\n])*)"|'((?:\\.|[^'\\\n])*)'|(\+=|[=[\],])|([^\n]+)/gy
  let line = 1
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    const [, blank, end, ident, number, double, single, punct, bad] = match
    if (blank !== undefined) continue
    if (end !== undefined) tokens.push({ kind: 'end', text: end === '\n' ? '' : end, line })
    else if (ident !== undefined) tokens.push({ kind: 'ident', text: ident, line })
    else if (number !== undefined) tokens.push({ kind: 'number', text: number, line })
    else if (double !== undefined || single !== undefined)
      tokens.push({ kind: 'string', text: unquote(double ?? single ?? ''), line })
    else if (punct !== undefined) tokens.push({ kind: 'punct', text: punct, line })
    else tokens.push({ kind: 'bad', text: bad ?? '', line })
    if (end === '\n') line++
  }
  tokens.push({ kind: 'end', text: '', line })
  return tokens
}

function unquote(text: string): string {
  return text.replace(/\\(x[0-9a-fA-F]{2}|[0-7]{3}|.)/g, (_, code: string) => {
    if (/^x/.test(code)) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
    if (/^[0-7]{3}$/.test(code)) return String.fromCharCode(Number.parseInt(code, 8))
    return ({ n: '\n', t: '\t', r: '\r' } as Record<string, string>)[code] ?? code
  })
}
