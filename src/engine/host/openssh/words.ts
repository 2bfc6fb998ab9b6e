import { PengxError } from '../../../model/error.ts'

/** One line of an ssh_config(5) file. */
export interface Statement {
  /** In lower case. */
  readonly keyword: string
  /** One alone where all behind the keyword is meant, as written: that of ProxyCommand. */
  readonly words: readonly string[]
  /** `FILE:LINE`, for messages. */
  readonly at: string
}

/** Pure. The lines of a configuration file, as the client reads them; `invalid` for a quote that does not end. */
export function parseSshConfig(text: string, file: string): Statement[] {
  return text.split('\n').flatMap((raw, index) => {
    const found = /^\s*"?([^\s"=#]+)"?(?:\s*=\s*|\s+|$)(.*)$/.exec(raw.replace(/[\s\f]+$/, ''))
    if (!found) return []
    const at = `${file}:${index + 1}`
    const keyword = found[1]!.toLowerCase()
    const rest = found[2]!
    const words = splitWords(rest, at)
    if (keyword === 'proxycommand') {
      const line = rest.replace(/^[\s=]+/, '')
      return [{ keyword, words: line === '' ? [] : [line], at }]
    }
    if (keyword === 'proxyjump') return [{ keyword, words: [rest.replace(/#.*/, '').trim()], at }]
    return [{ keyword, words, at }]
  })
}

/**
 * Pure. The words of a line (argv_split in OpenSSH's misc.c): single or double quotes, `\` before a quote, another `\` or, outside
 * of quotes, a blank; `#` at the beginning of a word ends them.
 */
function splitWords(text: string, at: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let index = 0; index < text.length; index++) {
    const char = text[index]!
    const next = text[index + 1] ?? ''
    const isBlank = quote === '' && (char === ' ' || char === '\t')
    if (word === undefined && char === '#') break
    if (isBlank) {
      if (word !== undefined) words.push(word)
      word = undefined
      continue
    }
    word ??= ''
    if (char === '\\' && ('\'"\\'.includes(next || 'x') || (quote === '' && next === ' '))) {
      word += next
      index++
    } else if (quote === '' && (char === '"' || char === "'")) quote = char
    else if (char === quote) quote = ''
    else word += char
  }
  if (quote !== '') throw new PengxError('invalid', `${at}: a quote is not closed`)
  return word === undefined ? words : [...words, word]
}

/** Pure. A pattern of ssh_config(5): `*` and `?` alone mean something. */
export function matchesPattern(text: string, pattern: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`, 's').test(text)
}

/** Pure. Any of several patterns, and none of those that are negated (`!`). */
export function matchesAny(text: string, patterns: readonly string[]): boolean {
  const forbidden = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1))
  const wanted = patterns.filter((pattern) => !pattern.startsWith('!'))
  return (
    wanted.some((pattern) => matchesPattern(text, pattern)) &&
    !forbidden.some((pattern) => matchesPattern(text, pattern))
  )
}
