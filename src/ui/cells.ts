import { cellWidth } from '../lib/text.ts'

/**
 * Lines as the terminal holds them, cell by cell, so that of a line which replaces another only what differs has to be
 * written: on a screen that nobody touches that is a digit here and there.
 */
export interface Cells {
  /** The second cell of a wide character is empty. */
  readonly glyphs: readonly string[]
  /** What was switched on when it was written, as parameters of SGR. */
  readonly styles: readonly string[]
}

const PIECE = /\x1b\[([\d;]*)m|([^\x1b]+)/g
const PLAIN = /^[\x20-\x7e]*$/
/** To write over so many cells that stay is shorter than to go around them. */
const SHORT_GAP = 4

export function cellsOf(text: string): Cells {
  const glyphs: string[] = []
  const styles: string[] = []
  let style = ''
  for (const [, codes, written] of text.matchAll(PIECE)) {
    if (codes !== undefined) style = restyle(style, codes)
    for (const character of written ?? '') {
      const width = PLAIN.test(character) ? 1 : cellWidth(character)
      if (width === 0) {
        const last = glyphs.findLastIndex((glyph) => glyph !== '')
        if (last >= 0) glyphs[last] += character
        continue
      }
      glyphs.push(character)
      styles.push(style)
      if (width === 1) continue
      glyphs.push('')
      styles.push(style)
    }
  }
  return { glyphs, styles }
}

/** Codes that switch off what others have switched on (ECMA-48 8.3.117): bold and dim, reversed, the colour. */
const ENDS: Readonly<Record<string, RegExp>> = { '22': /^[12]$/, '27': /^7$/, '39': /^3\d$/ }

function restyle(style: string, codes: string): string {
  let on = style === '' ? [] : style.split(';')
  for (const code of codes.split(';')) {
    const end = ENDS[code]
    if (code === '' || code === '0') on = []
    else if (end) on = on.filter((one) => !end.test(one))
    else on.push(code)
  }
  return on.join(';')
}

/** What turns the one line into the other where the cursor is in its row; undefined where they are not equally long. */
export function difference(before: Cells, after: Cells): string | undefined {
  if (before.glyphs.length !== after.glyphs.length) return undefined
  const same = (at: number) => before.glyphs[at] === after.glyphs[at] && before.styles[at] === after.styles[at]
  let out = ''
  let at = 0
  while (at < after.glyphs.length) {
    if (same(at)) {
      at++
      continue
    }
    const from = at
    let end = at + 1
    for (at = end; at < after.glyphs.length && at - end <= SHORT_GAP; at++) if (!same(at)) end = at + 1
    at = end
    // Of half a wide character the other half comes along.
    const start = before.glyphs[from] === '' || after.glyphs[from] === '' ? from - 1 : from
    out += `\x1b[${start + 1}G${draw(after, start, end)}`
  }
  return out
}

/** The whole line, as it is written where nothing stands; the blanks at its end are there already. */
export function whole(line: Cells): string {
  const last = line.glyphs.findLastIndex((glyph, at) => glyph !== ' ' || line.styles[at] !== '')
  return draw(line, 0, last + 1)
}

function draw({ glyphs, styles }: Cells, from: number, end: number): string {
  let out = ''
  let style = ''
  for (let at = from; at < end || glyphs[at] === ''; at++) {
    if (styles[at] !== style) {
      if (style !== '') out += '\x1b[m'
      style = styles[at]!
      if (style !== '') out += `\x1b[${style}m`
    }
    out += glyphs[at]
  }
  return style === '' ? out : `${out}\x1b[m`
}
