/**
 * Text as a terminal shows it: measured and cut in cells, not in characters. Text from hosts and from people is
 * taken apart here before it reaches a screen: escape sequences, control characters and the invisible ones that
 * reorder or join are dropped, so what is measured is what is drawn.
 */

const PLAIN = /^[\x20-\x7e]*$/
const ESCAPES =
  /\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?|\x1b[ -/]*[0-~]/g
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ufe00-\ufe0f]/g

/** Without escape sequences and control characters; tabs and line ends become one blank. */
export function stripControl(text: string): string {
  if (PLAIN.test(text)) return text
  return text
    .replace(ESCAPES, '')
    .replace(/[\t\r\n\v\f]+/g, ' ')
    .replace(CONTROLS, '')
    .normalize('NFC')
}

/** How many cells of a terminal a text takes; Korean and other wide characters take two. */
export function cellWidth(text: string): number {
  return PLAIN.test(text) ? text.length : Bun.stringWidth(stripControl(text))
}

/** At most `width` cells of it; where something is cut off, the last cell is `mark`. */
export function cutCells(text: string, width: number, mark = '…'): string {
  const clean = stripControl(text)
  if (cellWidth(clean) <= width) return clean
  if (width <= 0) return ''
  return `${headCells(clean, width - cellWidth(mark))}${mark}`
}

/** The first cells of a text, never half of a wide character. */
function headCells(text: string, width: number): string {
  if (PLAIN.test(text)) return text.slice(0, Math.max(width, 0))
  let head = ''
  let used = 0
  for (const character of text) {
    const cells = Bun.stringWidth(character)
    if (used + cells > width) break
    head += character
    used += cells
  }
  return head
}

/** Exactly `width` cells: cut where it is longer, filled with blanks where it is shorter. */
export function padCells(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const cut = cutCells(text, width)
  const blanks = ' '.repeat(Math.max(width - cellWidth(cut), 0))
  return align === 'left' ? cut + blanks : blanks + cut
}

/** Lines of at most `width` cells, broken at blanks where there are any. */
export function wrapCells(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of stripControl(text).split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (cellWidth(longer) <= width) {
      line = longer
      continue
    }
    if (line !== '') lines.push(line)
    line = word
    while (width > 1 && cellWidth(line) > width) {
      const head = headCells(line, width)
      lines.push(head)
      line = line.slice(head.length)
    }
  }
  return [...lines, line]
}

const naturalKeys = new Map<string, string>()

/** A key by which names sort as people count: `web2` before `web10`, capitals beside small letters. */
export function naturalKey(text: string): string {
  const known = naturalKeys.get(text)
  if (known !== undefined) return known
  const key = text.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(12, '0'))
  if (naturalKeys.size > 50_000) naturalKeys.clear()
  naturalKeys.set(text, key)
  return key
}
