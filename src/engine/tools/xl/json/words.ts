import type { TreeReader } from './tree.ts'

/** A key of an item's JSON, its word in the item's text, and how the value is said there; `''`: it goes without saying. */
export type Word = readonly [json: string, word: string, say?: (value: unknown) => string | undefined]

/** A parameter of xl.cfg(5) with its whole line. */
export interface Said {
  readonly parameter: string
  readonly text: string
}

/** Words end at commas, whatever is in quotes: a value with one cannot be said, and is left. */
const plain = (value: unknown): string | undefined => {
  if (typeof value === 'boolean') return value ? '1' : '0'
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  return String(value).includes(',') ? undefined : String(value)
}

/** `key=value`, for each of the words that is there. */
export function takeWords(from: TreeReader, words: readonly Word[]): string[] {
  return words.flatMap(([json, word, say = plain]) => {
    const value = from.peek(json)
    const said = value === undefined ? undefined : say(value)
    if (said === undefined) return []
    from.take(json)
    return said === '' && say !== plain ? [] : [`${word}=${said}`]
  })
}

export const sayFlag = (value: unknown): string | undefined =>
  value === 'True' ? '1' : value === 'False' ? '0' : undefined

/** `0-3,5` of the numbers of set bits. */
export function rangesOf(bits: readonly unknown[]): string {
  const ranges: [number, number][] = []
  for (const bit of bits.map(Number)) {
    const last = ranges.at(-1)
    if (last && last[1] === bit - 1) last[1] = bit
    else ranges.push([bit, bit])
  }
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(',')
}
