/**
 * What `/` understands: words that must all be there, `a|b` either, `!not`, `key:value` for a column, `/re/` for a
 * regular expression. A colon after a word that is no column (a MAC, an address) is part of the word.
 */
export interface Filterable {
  /** What words are looked for in; lower case. */
  readonly text: string
  /** The value of a key, lower case; undefined where the key does not exist. */
  value(key: string): string | undefined
}

export interface Filter {
  /** Why it cannot be used as it stands: it then lets everything through. */
  readonly problem?: string
  test(row: Filterable): boolean
}

/** The words of a filter that look like `key:value`, with and without such a key; no address, and no expression. */
export function keyedWords(text: string): readonly { readonly key: string; readonly wanted: readonly string[] }[] {
  return tokensOf(text).flatMap((token) => {
    const word = token.startsWith('!') ? token.slice(1) : token
    const colon = word.indexOf(':')
    if (colon < 1 || word.startsWith('/') || /^[0-9a-f:.|]+$/i.test(word)) return []
    return [{ key: word.slice(0, colon).toLowerCase(), wanted: alternatives(word.slice(colon + 1)) }]
  })
}

function tokensOf(text: string): readonly string[] {
  return text.match(/!?\/(?:[^/\\]|\\.)*\/|\S+/g) ?? []
}

type Test = (row: Filterable) => boolean

export function parseFilter(text: string, keys: readonly string[]): Filter {
  const tests: Test[] = []
  let problem: string | undefined
  for (const token of tokensOf(text)) {
    const negated = token.startsWith('!') && token.length > 1
    const word = negated ? token.slice(1) : token
    if (word === '!' || word === '/') continue
    const test = testFor(word, keys, (reason) => {
      problem = reason
    })
    if (test !== undefined) tests.push(negated ? (row) => !test(row) : test)
  }
  return { ...(problem === undefined ? {} : { problem }), test: (row) => tests.every((test) => test(row)) }
}

function testFor(word: string, keys: readonly string[], fail: (reason: string) => void): Test | undefined {
  if (word.length > 2 && word.startsWith('/') && word.endsWith('/')) {
    try {
      const expression = new RegExp(word.slice(1, -1), 'i')
      return (row) => expression.test(row.text)
    } catch {
      fail(`${word} is not a regular expression`)
      return undefined
    }
  }
  const colon = word.indexOf(':')
  const key = word.slice(0, colon).toLowerCase()
  if (colon > 0 && keys.includes(key)) {
    const wanted = alternatives(word.slice(colon + 1))
    return wanted.length === 0
      ? undefined
      : (row) => {
          const value = row.value(key) ?? ''
          return wanted.some((part) => value.includes(part))
        }
  }
  const wanted = alternatives(word)
  return wanted.length === 0 ? undefined : (row) => wanted.some((part) => row.text.includes(part))
}

function alternatives(text: string): string[] {
  return text
    .toLowerCase()
    .split('|')
    .filter((part) => part !== '')
}
