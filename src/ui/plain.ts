import { stripControl } from '../lib/text.ts'
import type { Line } from './line.ts'

/**
 * A line of the screen as words alone, for those who hear it: no frames, no pictures, no glyphs beside the words that
 * say the same. What held nothing else is empty.
 */
const FRAMES = /[╭╮╰╯│─┤└├]+/g
const PICTURES = /[\u2800-\u28ff█░▁▂▃▄▅▆▇]+/g
const SILENT = /[●○◉‖▶✗▲↩◆✓⊘◌▸▾‹›·┊]/g
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/\[x\]/g, 'chosen'],
  [/\[ \]/g, 'not chosen'],
  [/↵/g, 'enter'],
  [/→/g, 'right'],
  [/←/g, 'left'],
  [/↑/g, 'up'],
  [/↓/g, 'down'],
  [/(^|\s)–(?=\s|$)/g, '$1none'],
]

export function plainText(text: string): string {
  const bare = stripControl(text).replace(FRAMES, ' ').replace(PICTURES, ' ').replace(SILENT, ' ')
  const words = WORDS.reduce((said, [picture, word]) => said.replace(picture, word), bare)
    .replace(/\s+/g, ' ')
    .trim()
  return /\p{L}/u.test(words) ? words : ''
}

export function plainLine(content: Line): string {
  // The star of a field that has to be given.
  return plainText(content.map(({ text, tone }) => (text === '*' && tone === 'warn' ? ' required ' : text)).join(''))
}

/** Lines with the cursor in them: of a menu, a field, a button. */
export function hasCursor(content: Line): boolean {
  return content.some(({ text, inverse }) => inverse === true || text.includes('▸'))
}
