import { cellWidth, cutCells } from '../lib/text.ts'
import { fit, type Line, type Span, span, widthOf, withHit } from './line.ts'

/** What stands in a cell: text, text with a tone, or several of these. */
export type Cell = string | Span | Line

/** A column as a row of a screen's table. `C` is what the screen needs to know besides the row. */
export interface Column<R, C> {
  readonly name: string
  readonly title: string
  readonly width: number
  /** Takes up to this many cells where there is room. */
  readonly grow?: number
  /** Numbers, sizes and ages stand right and begin with the largest when sorted. */
  readonly kind: 'text' | 'number' | 'size' | 'age'
  /** Shown only with `w`. */
  readonly wide?: true
  /** Where it is too narrow, columns with higher numbers go first; without a number: never. */
  readonly drop?: number
  cell(row: R, cx: C): Cell
  /** What it sorts by; undefined sorts last. Without it the column cannot be sorted. */
  sort?(row: R, cx: C): string | number | undefined
  /** Where a cell of several spans is too long the first gives way and the others stay whole. */
  readonly tail?: true
  /** Its values change with every look: an order by it is not kept over one. */
  readonly live?: true
}

export interface PlacedColumn<R, C> {
  readonly column: Column<R, C>
  readonly width: number
}

/** Cells before the first column: the cursor, the mark, a blank. */
const MARGIN = 3
const GAP = 1

/** The columns that fit, and how wide each is. */
export function placeColumns<R, C>(columns: readonly Column<R, C>[], width: number): PlacedColumn<R, C>[] {
  let kept = [...columns]
  const needed = () => MARGIN + kept.reduce((sum, column) => sum + column.width + GAP, 0) - GAP
  while (needed() > width) {
    const droppable = kept.filter((column) => column.drop !== undefined)
    if (droppable.length === 0) break
    const first = droppable.reduce((a, b) => (b.drop! >= a.drop! ? b : a))
    kept = kept.filter((column) => column !== first)
  }
  let spare = Math.max(width - needed(), 0)
  return kept.map((column) => {
    const extra = Math.min(Math.max((column.grow ?? column.width) - column.width, 0), spare)
    spare -= extra
    return { column, width: column.width + extra }
  })
}

export function drawHeader<R, C>(
  placed: readonly PlacedColumn<R, C>[],
  sort: { readonly column: string; readonly down: boolean } | undefined,
  hits = false,
): Line {
  const cells: Span[] = [{ text: ' '.repeat(MARGIN) }]
  for (const [index, { column, width }] of placed.entries()) {
    if (index > 0) cells.push({ text: ' ' })
    const sorted = sort?.column === column.name
    const arrow = sort?.down ? '↓' : '↑'
    const room = cellWidth(column.title) + 2 <= width
    const title = sorted
      ? room
        ? `${column.title} ${arrow}`
        : `${cutCells(column.title, width - 1, '')}${arrow}`
      : column.title
    const placed = placeCell(span(title, sorted ? 'accent' : 'dim'), width, column.kind !== 'text')
    cells.push(...(hits ? withHit(placed, `sort ${column.name}`) : placed))
  }
  return cells
}

export interface RowState {
  readonly cursor: boolean
  readonly marked: boolean
  /** The list has the keys. */
  readonly focused: boolean
  /** Whether what a cell says has just changed. */
  readonly hasChanged?: (column: string, text: string) => boolean
}

export function drawRow<R, C>(placed: readonly PlacedColumn<R, C>[], row: R, cx: C, state: RowState): Line {
  const cells: Span[] = [
    span(state.cursor ? '▸' : ' ', 'accent'),
    span(state.marked ? '✓' : ' ', 'accent'),
    { text: ' ' },
  ]
  for (const [index, { column, width }] of placed.entries()) {
    if (index > 0) cells.push({ text: ' ' })
    const cell = column.cell(row, cx)
    const placed = placeCell(cell, width, column.kind !== 'text', column.tail)
    // Numbers that change with every look would always be bold.
    const hasChanged = !(column.live && column.kind === 'number') && state.hasChanged?.(column.name, textOf(cell))
    cells.push(...(hasChanged ? placed.map((piece): Span => ({ ...piece, bold: true })) : placed))
  }
  return state.cursor && state.focused ? invert(cells) : cells
}

function textOf(cell: Cell): string {
  if (typeof cell === 'string') return cell
  return 'text' in cell ? cell.text : cell.map(({ text }) => text).join('')
}

/** The row under the cursor is reversed as a whole: tones would become patches of background. */
function invert(cells: readonly Span[]): Line {
  return cells.map(({ text }) => ({ text, inverse: true as const }))
}

function placeCell(cell: Cell, width: number, right: boolean, tail?: true): Line {
  const whole: Line = typeof cell === 'string' ? [{ text: cell }] : 'text' in cell ? [cell] : cell
  const content = tail ? shortenFirst(whole, width) : whole
  if (!right) return fit(content, width)
  const blanks = Math.max(width - widthOf(content), 0)
  return blanks === 0 ? fit(content, width) : [{ text: ' '.repeat(blanks) }, ...content]
}

function shortenFirst(content: Line, width: number): Line {
  const [first, ...rest] = content
  if (first === undefined || rest.length === 0) return content
  const room = Math.max(width - widthOf(rest), 1)
  return [{ ...first, text: cutCells(first.text, room) }, ...rest]
}

/** Rows in the order of a column; equal ones keep the order they came in. */
export function sortRows<R, C>(
  rows: readonly R[],
  column: Column<R, C> | undefined,
  down: boolean,
  cx: C,
): readonly R[] {
  const keyOf = column?.sort
  if (keyOf === undefined) return rows
  const keyed = rows.map((row) => ({ row, key: keyOf.call(column, row, cx) }))
  const sign = down ? -1 : 1
  keyed.sort((a, b) => {
    if (a.key === b.key) return 0
    if (a.key === undefined) return 1
    if (b.key === undefined) return -1
    return a.key < b.key ? -sign : sign
  })
  return keyed.map(({ row }) => row)
}
