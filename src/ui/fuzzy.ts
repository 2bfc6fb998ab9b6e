/**
 * How well a text answers what was typed: undefined for not at all, else the higher the better. Every word typed
 * must be found; a whole word beats a beginning, a beginning beats a part, a part beats letters in order.
 */
export function scoreMatch(typed: string, text: string): number | undefined {
  const haystack = text.toLowerCase()
  let score = 0
  for (const word of typed.toLowerCase().split(/\s+/)) {
    if (word === '') continue
    const found = scoreWord(word, haystack)
    if (found === undefined) return undefined
    score += found
  }
  return score - haystack.length / 1000
}

function scoreWord(word: string, haystack: string): number | undefined {
  const at = haystack.indexOf(word)
  if (at >= 0) {
    const begins = at === 0 || !/[\p{L}\p{N}]/u.test(haystack[at - 1]!)
    const ends = at + word.length === haystack.length || haystack[at + word.length] === ' '
    return 10 + (at === 0 ? 4 : 0) + (begins ? 3 : 0) + (begins && ends ? 3 : 0)
  }
  if (word.length < 2) return undefined
  let from = 0
  for (const character of word) {
    const next = haystack.indexOf(character, from)
    if (next < 0 || (from > 0 && next - from > 12)) return undefined
    from = next + 1
  }
  return 1
}
