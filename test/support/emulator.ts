/** As much of a terminal as a frame is drawn with: cells, a cursor, what is switched on. */
export interface Emulator {
  write(output: string): void
  /** The rows as they stand there, blanks at their ends left out. */
  lines(): string[]
  /** What is switched on in each cell of a row. */
  styles(row: number): string[]
  resize(columns: number, rows: number): void
}

interface Cell {
  readonly glyph: string
  readonly style: string
}

const BLANK: Cell = { glyph: ' ', style: '' }
const PIECE = /\x1b\[([?\d;]*)([a-zA-Z])|\x1b\][^\x07]*\x07|\r|\n|[^\x1b\r\n]/gu

export function createEmulator(columns: number, rows: number): Emulator {
  let size = { columns, rows }
  let cells: Cell[][] = []
  let at = { row: 0, column: 0 }
  let style: string[] = []
  const rowAt = (row: number) => {
    cells[row] ??= []
    return cells[row]
  }
  const moveTo = (row: number, column: number) => {
    at = {
      row: Math.min(Math.max(row, 0), size.rows - 1),
      column: Math.min(Math.max(column, 0), size.columns - 1),
    }
  }
  const lineFeed = () => {
    if (at.row === size.rows - 1) cells.shift()
    moveTo(Math.min(at.row + 1, size.rows - 1), 0)
  }
  /** Half of a wide character that is written over leaves a blank behind. */
  const put = (column: number, cell: Cell) => {
    const row = rowAt(at.row)
    if (row[column]?.glyph === '' && column > 0 && cell.glyph !== '') row[column - 1] = BLANK
    if (row[column + 1]?.glyph === '') row[column + 1] = BLANK
    row[column] = cell
  }
  const print = (glyph: string) => {
    const width = Bun.stringWidth(glyph)
    if (at.column + width > size.columns) lineFeed()
    const drawn = { glyph, style: style.join(';') }
    put(at.column, drawn)
    if (width === 2) put(at.column + 1, { ...drawn, glyph: '' })
    at = { ...at, column: at.column + width }
  }
  const control = (given: string, verb: string) => {
    const numbers = given.split(';').map(Number)
    const count = numbers[0] || 1
    if (verb === 'A') moveTo(at.row - count, at.column)
    else if (verb === 'B') moveTo(at.row + count, at.column)
    else if (verb === 'E') moveTo(at.row + count, 0)
    else if (verb === 'G') moveTo(at.row, count - 1)
    else if (verb === 'H') moveTo(count - 1, (numbers[1] || 1) - 1)
    else if (verb === 'K' && numbers[0] === 2) cells[at.row] = []
    else if (verb === 'K') rowAt(at.row).length = Math.min(rowAt(at.row).length, at.column)
    else if (verb === 'J' && numbers[0] === 2) cells = []
    else if (verb === 'J') cells.length = Math.min(cells.length, at.row)
    else if (verb === 'm') style = given === '' || given === '0' ? [] : [...style, given]
    else if (verb !== 'h' && verb !== 'l') throw new Error(`the emulator does not know CSI ${given} ${verb}`)
  }
  return {
    write(output) {
      for (const [whole, given, verb] of output.matchAll(PIECE)) {
        if (verb !== undefined) control(given!, verb)
        else if (whole === '\r') moveTo(at.row, 0)
        else if (whole === '\n') lineFeed()
        else if (!whole.startsWith('\x1b')) print(whole)
      }
    },
    lines: () =>
      Array.from({ length: size.rows }, (_, row) =>
        Array.from(cells[row] ?? [], (cell) => cell?.glyph ?? ' ')
          .join('')
          .trimEnd(),
      ),
    styles: (row) => Array.from(cells[row] ?? [], (cell) => cell?.style ?? ''),
    resize(columns, rows) {
      size = { columns, rows }
      cells = cells.slice(0, rows).map((row) => row.slice(0, columns))
      moveTo(at.row, at.column)
    },
  }
}
