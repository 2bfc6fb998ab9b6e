import { cellWidth, cutCells, stripControl } from '../lib/text.ts'
import { codesOf, type Theme, type Tone, toAscii } from './theme.ts'

/**
 * A line of the screen as data: spans of text with a tone. Whole frames are put together from lines by plain
 * functions, so layout is arithmetic and a frame can be compared; Ink only puts the result on the terminal.
 */
export interface Span {
  readonly text: string
  readonly tone?: Tone
  readonly inverse?: true
  /** Bold, whatever its tone: it has just changed. */
  readonly bold?: true
  /** What a click on it means, where the mouse is on; whoever draws it knows the words. */
  readonly hit?: string
}

export type Line = readonly Span[]

export function span(text: string, tone?: Tone): Span {
  return tone === undefined ? { text } : { text, tone }
}

/** A line from pieces: bare strings are plain. */
export function line(...pieces: readonly (string | Span)[]): Line {
  return pieces.map((piece) => (typeof piece === 'string' ? { text: piece } : piece))
}

/** The whole of it answers a click. */
export function withHit(content: Line, hit: string): Line {
  return content.map((piece) => ({ ...piece, hit }))
}

/** What a click on that cell means. */
export function hitOf(content: Line, column: number): string | undefined {
  let at = 0
  for (const piece of content) {
    at += cellWidth(piece.text)
    if (column < at) return piece.hit
  }
  return undefined
}

export function widthOf(content: Line): number {
  let width = 0
  for (const piece of content) width += cellWidth(piece.text)
  return width
}

/** Exactly `width` cells of a line; what is cut off leaves `mark`. */
export function fit(content: Line, width: number, mark = '…'): Line {
  const fitted: Span[] = []
  let left = width
  for (const piece of content) {
    if (left <= 0) break
    const cells = cellWidth(piece.text)
    if (cells <= left) {
      fitted.push(piece)
      left -= cells
      continue
    }
    const text = cutCells(piece.text, left, mark)
    fitted.push({ ...piece, text })
    left -= cellWidth(text)
    if (left > 0) break
  }
  if (left > 0) fitted.push({ text: ' '.repeat(left) })
  return fitted
}

/** Left and right parts of one line, the right one kept whole. */
export function spread(left: Line, right: Line, width: number): Line {
  const room = Math.max(width - widthOf(right), 0)
  return fit([...fit(left, room), ...right], width)
}

/** Exactly `height` lines. */
export function fill(lines: readonly Line[], height: number): Line[] {
  const filled = lines.slice(0, height)
  while (filled.length < height) filled.push([])
  return filled
}

/** Two blocks side by side, each of its own width. */
export function beside(left: readonly Line[], leftWidth: number, right: readonly Line[], rightWidth: number): Line[] {
  const height = Math.max(left.length, right.length)
  return Array.from({ length: height }, (_, index) => [
    ...fit(left[index] ?? [], leftWidth),
    ...fit(right[index] ?? [], rightWidth),
  ])
}

/** One block drawn over another, as a dialog over a screen; what it does not cover stays. */
export function over(base: readonly Line[], top: readonly Line[], row: number, column: number, width: number): Line[] {
  return base.map((content, index) => {
    const drawn = top[index - row]
    if (drawn === undefined) return content
    const total = widthOf(content)
    return [...fit(content, column, ''), ...fit(drawn, width), ...tail(content, column + width, total)]
  })
}

/** The cells of a line from `from` on; half of a wide character that was cut becomes a blank. */
function tail(content: Line, from: number, total: number): Line {
  if (from >= total) return []
  const rest: Span[] = []
  let at = 0
  for (const piece of content) {
    const cells = cellWidth(piece.text)
    if (at >= from) rest.push(piece)
    else if (at + cells > from) rest.push({ ...piece, text: dropCells(piece.text, from - at) })
    at += cells
  }
  return rest
}

function dropCells(text: string, count: number): string {
  let dropped = 0
  let rest = ''
  for (const character of stripControl(text)) {
    if (dropped >= count) rest += character
    else {
      dropped += cellWidth(character)
      if (dropped > count) rest += ' '
    }
  }
  return rest
}

/** A line as the terminal gets it. */
export function toAnsi(content: Line, theme: Theme): string {
  let out = ''
  for (const piece of content) {
    const clean = stripControl(piece.text)
    const text = theme.ascii ? toAscii(clean) : clean
    const codes = piece.bold ? boldCodes(piece.tone ?? 'plain', theme) : codesOf(piece.tone ?? 'plain', theme)
    const toned = codes ? `\x1b[${codes[0]}m${text}\x1b[${codes[1]}m` : text
    out += piece.inverse ? `\x1b[7m${toned}\x1b[27m` : toned
  }
  return out
}

/** Bold and dim end with the same code, so what is dim is bold alone for a while. */
function boldCodes(tone: Tone, theme: Theme): readonly [string, string] {
  const [on, off] = codesOf(tone, theme) ?? ['', '']
  return on === '' || on === '2' ? ['1', '22'] : [`1;${on}`, `22;${off}`]
}
