/**
 * How well a text answers what was typed: undefined for not at all, else the higher the better. Every word typed must
 * be found; in the label a whole word beats a beginning, a beginning beats a part, a part beats letters in order. In
 * what stands beside the label (a help text, a reason) only whole parts count, and little.
 */
export function scoreMatch(typed: string, label: string, beside = ''): number | undefined {
  const text = label.toLowerCase()
  const more = beside.toLowerCase()
  let score = 0
  for (const word of typed.toLowerCase().split(/\s+/)) {
    if (word === '') continue
    const found = scoreWord(word, text) ?? (more.includes(word) ? 1 : lettersInOrder(word, text) ? 0.5 : undefined)
    if (found === undefined) return undefined
    score += found
  }
  return score - text.length / 1000
}

function scoreWord(word: string, text: string): number | undefined {
  const at = text.indexOf(word)
  if (at < 0) return undefined
  const begins = at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1]!)
  const ends = at + word.length === text.length || text[at + word.length] === ' '
  return 10 + (at === 0 ? 4 : 0) + (begins ? 3 : 0) + (begins && ends ? 3 : 0)
}

/** Letters of a name that somebody half remembers: the first at a beginning, none far from the one before. */
function lettersInOrder(word: string, text: string): boolean {
  if (word.length < 3) return false
  let from = 0
  for (const character of word) {
    const next = text.indexOf(character, from)
    if (next < 0 || next - from > 6) return false
    from = next + 1
  }
  return true
}
