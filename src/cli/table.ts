import { cellWidth, padCells, stripControl } from '../lib/text.ts'

export interface Column<Row> {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** Text for a person; control characters are stripped here, for every column. */
  text(row: Row): string
}

/** A table without lines or colours: as wide as its widest cells, two blanks between columns. */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map((column) => stripControl(column.text(row)) || '-'))
  const widths = columns.map((column, index) => {
    let width = cellWidth(column.title)
    for (const row of cells) width = Math.max(width, cellWidth(row[index]!))
    return width
  })
  const line = (texts: readonly string[]) =>
    texts
      .map((text, index) => padCells(text, widths[index]!, columns[index]!.align))
      .join('  ')
      .trimEnd()
  return `${[columns.map((column) => column.title), ...cells].map(line).join('\n')}\n`
}
