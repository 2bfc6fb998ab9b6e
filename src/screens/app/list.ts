import { type Filterable, parseFilter } from '../../lib/filter.ts'
import { getOrMake } from '../../lib/getOrMake.ts'
import type { Subject } from '../../model/job.ts'
import { type Line, line, span, withHit } from '../../ui/line.ts'
import {
  type ListState,
  moveBy,
  moveTo,
  type Shown,
  settle,
  shownOf,
  toggleAll,
  toggleMark,
  toggleRange,
  windowTop,
} from '../../ui/list.ts'
import { type Column, drawHeader, drawRow, placeColumns, sortRows } from '../../ui/table.ts'
import type { AppContext } from './context.ts'
import { recentChanges } from './recentChanges.ts'
import { listOf } from './state.ts'

/**
 * A list on a screen is data: where its rows come from, its columns, what a filter looks at. Sorting and filtering
 * 10,000 rows is done when something they depend on changed, and never for a key that only moves.
 */
export interface ListDef<R> {
  readonly name: string
  readonly columns: readonly Column<R, AppContext>[]
  readonly sort: { readonly column: string; readonly down: boolean }
  rows(app: AppContext): readonly R[]
  id(row: R): string
  /** Who operations act on. */
  subject?(row: R): Subject
  /** What words of a filter are looked for in. */
  words(row: R, app: AppContext): string
  /** `key:value` of a filter, by key. */
  readonly filters: Readonly<Record<string, (row: R, app: AppContext) => string>>
  /** Keys whose values change with every look. */
  readonly liveFilters?: readonly string[]
  /** What can be copied of a row: what it is, and the text. */
  copies(row: R, app: AppContext): readonly (readonly [string, string])[]
  /** What is said when there is nothing at all. */
  readonly empty: string
}

// biome-ignore lint/suspicious/noExplicitAny: screens of many row types stand in one catalog; each list keeps its own type.
export type AnyList = ListDef<any>

interface Memo {
  readonly key: readonly unknown[]
  readonly shown: Shown<unknown>
}

interface Sorted {
  readonly key: readonly unknown[]
  readonly rows: readonly unknown[]
}

interface Remembered {
  shown?: Memo
  sorted?: Sorted
}

const memos = new WeakMap<AppContext, Map<string, Remembered>>()

function same(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index])
}

/** The rows as they are shown: sorted, filtered, with where each id stands. */
export function shownRows<R>(app: AppContext, def: ListDef<R>): Shown<R> {
  const state = listOf(app.state(), def.name)
  const sort = state.sort ?? def.sort
  const column = def.columns.find(({ name }) => name === sort.column)
  const rows = def.rows(app)
  const view = app.view()
  const memo = memoOf(app, def.name)

  const sortKey = [rows, sort.column, sort.down, column?.live ? view.revision : 0, view === app.engine.view]
  if (memo.sorted === undefined || !same(memo.sorted.key, sortKey)) {
    memo.sorted = { key: sortKey, rows: sortRows(rows, column, sort.down, app) }
  }
  const sorted = memo.sorted.rows as readonly R[]

  const live = def.liveFilters?.some((key) => state.filter.includes(`${key}:`))
  const shownKey = [sorted, state.filter, live ? view.revision : 0]
  if (memo.shown === undefined || !same(memo.shown.key, shownKey)) {
    memo.shown = { key: shownKey, shown: shownOf(filterRows(sorted, state.filter, def, app), def.id, rows.length) }
  }
  return memo.shown.shown as Shown<R>
}

function memoOf(app: AppContext, name: string): Remembered {
  const byName = getOrMake(memos, app, () => new Map<string, Remembered>())
  return getOrMake(byName, name, () => ({}))
}

const wordsOf = new WeakMap<object, string>()

function filterRows<R>(rows: readonly R[], text: string, def: ListDef<R>, app: AppContext): readonly R[] {
  if (text.trim() === '') return rows
  const filter = parseFilter(text, Object.keys(def.filters))
  const filterable = (row: R): Filterable => ({
    text: cachedWords(row, def, app),
    value: (key) => def.filters[key]?.(row, app).toLowerCase(),
  })
  return rows.filter((row) => filter.test(filterable(row)))
}

function cachedWords<R>(row: R, def: ListDef<R>, app: AppContext): string {
  const known = wordsOf.get(row as object)
  if (known !== undefined) return known
  const words = def.words(row, app).toLowerCase()
  wordsOf.set(row as object, words)
  return words
}

/** The list's state with the cursor on a row that is there; what is remembered follows. */
export function settledList<R>(app: AppContext, def: ListDef<R>, shown = shownRows(app, def)): ListState {
  const state = listOf(app.state(), def.name)
  const settled = settle(state, shown)
  if (settled !== state) remember(app, def, settled)
  return settled
}

/** Without a repaint: only where the cursor is was written down. */
function remember(app: AppContext, def: AnyList, state: ListState): void {
  app.store.setState({ lists: { ...app.state().lists, [def.name]: state } })
}

export function setList(app: AppContext, def: AnyList, change: Partial<ListState>): void {
  app.set({ lists: { ...app.state().lists, [def.name]: { ...listOf(app.state(), def.name), ...change } } })
}

export function cursorRow<R>(app: AppContext, def: ListDef<R>): R | undefined {
  const shown = shownRows(app, def)
  return shown.rows[settledList(app, def, shown).index]
}

/** The marked rows that still exist, shown or not; without marks the row under the cursor. */
export function selectedRows<R>(app: AppContext, def: ListDef<R>): readonly R[] {
  const { marks } = listOf(app.state(), def.name)
  if (marks.size > 0) {
    const marked = def.rows(app).filter((row) => marks.has(def.id(row)))
    if (marked.length > 0) return marked
  }
  const row = cursorRow(app, def)
  return row === undefined ? [] : [row]
}

/** The columns that a person wants to see. */
export function visibleColumns<R>(state: ListState, def: ListDef<R>): readonly Column<R, AppContext>[] {
  return def.columns.filter((column) => (state.wide || !column.wide) && !state.hidden.has(column.name))
}

/** Header and visible rows, exactly `height` lines. */
export function drawList<R>(app: AppContext, def: ListDef<R>, width: number, height: number): Line[] {
  const shown = shownRows(app, def)
  const settled = settledList(app, def, shown)
  const placed = placeColumns(visibleColumns(settled, def), width)
  const room = Math.max(height - 1, 1)
  const top = windowTop(settled, shown.rows.length, room)
  if (top !== settled.top) remember(app, def, { ...settled, top })
  const { focus, mouse } = app.state()
  const focused = focus === 'list'
  const lines: Line[] = [drawHeader(placed, settled.sort ?? def.sort, mouse)]
  const hasChanged = recentChanges(app, def.name)
  for (let at = top; at < Math.min(top + room, shown.rows.length); at++) {
    const id = shown.ids[at]!
    const row = drawRow(placed, shown.rows[at]!, app, {
      cursor: at === settled.index,
      marked: settled.marks.has(id),
      focused,
      ...(hasChanged ? { hasChanged: (column: string, text: string) => hasChanged(id, column, text) } : {}),
    })
    lines.push(mouse ? withHit(row, `row ${id}`) : row)
  }
  if (shown.rows.length === 0) lines.push(emptyLine(shown.total, settled.filter, def.empty))
  while (lines.length < height) lines.push([])
  return lines.slice(0, height)
}

function emptyLine(total: number, filter: string, empty: string): Line {
  if (total === 0) return line('   ', span(empty, 'dim'))
  return line('   ', span(`none of ${total} matches /${filter}   esc clears the filter`, 'dim'))
}

/** Count, filter, order and marks: what stands in the title line. */
export function listTitle(app: AppContext, def: AnyList): Line {
  const shown = shownRows(app, def)
  const state = listOf(app.state(), def.name)
  const sort = state.sort ?? def.sort
  const column = def.columns.find(({ name }) => name === sort.column)
  const parts: Line = [
    { text: `  ${shown.rows.length === shown.total ? shown.total : `${shown.rows.length} of ${shown.total}`}` },
  ]
  const filter = state.filter === '' ? [] : [span(`   /${state.filter}`, 'accent')]
  const problem = state.filter === '' ? undefined : parseFilter(state.filter, Object.keys(def.filters)).problem
  const order = column ? [span(`   sort ${column.title} ${sort.down ? '↓' : '↑'}`, 'dim')] : []
  const marks = state.marks.size === 0 ? [] : [span(`   ${state.marks.size} marked`, 'accent')]
  const range = state.range === undefined ? [] : [span('   range: v ends it', 'dim')]
  const wide = state.wide ? [span('   wide', 'dim')] : []
  return [...parts, ...filter, ...(problem ? [span(`  ${problem}`, 'bad')] : []), ...order, ...wide, ...marks, ...range]
}

/** Keys that move and mark, the same in every list; false for a key that is none of them. */
export function handleListKey(app: AppContext, def: AnyList, key: string, page: number): boolean {
  const shown = shownRows(app, def)
  const state = listOf(app.state(), def.name)
  const next = listAfterKey(state, shown, key, page)
  if (next === undefined) return false
  if (next !== state) setList(app, def, next)
  return true
}

function listAfterKey(state: ListState, shown: Shown<unknown>, key: string, page: number): ListState | undefined {
  switch (key) {
    case 'j':
    case 'down':
      return moveBy(state, shown, 1)
    case 'k':
    case 'up':
      return moveBy(state, shown, -1)
    case 'ctrl-d':
      return moveBy(state, shown, Math.ceil(page / 2))
    case 'ctrl-u':
      return moveBy(state, shown, -Math.ceil(page / 2))
    case 'pagedown':
      return moveBy(state, shown, page)
    case 'pageup':
      return moveBy(state, shown, -page)
    case 'g':
    case 'home':
      return moveTo(state, shown, 0)
    case 'G':
    case 'end':
      return moveTo(state, shown, shown.rows.length - 1)
    case 'space':
      return toggleMark(state, shown)
    case 'v':
      return toggleRange(state, shown)
    case '*':
      return toggleAll(state, shown)
  }
  return undefined
}

/** `<` and `>`: the sort column before or after, of those that are shown and can be sorted. */
export function sortBeside(app: AppContext, def: AnyList, by: number): void {
  const state = listOf(app.state(), def.name)
  const sortable = visibleColumns(state, def).filter((column) => column.sort !== undefined)
  const current = sortable.findIndex(({ name }) => name === (state.sort ?? def.sort).column)
  const column = sortable[(current + by + sortable.length) % sortable.length]
  if (column === undefined) return
  setList(app, def, { sort: { column: column.name, down: column.kind !== 'text' } })
}

/** `O`: the other way round. */
export function turnSort(app: AppContext, def: AnyList): void {
  const sort = listOf(app.state(), def.name).sort ?? def.sort
  setList(app, def, { sort: { ...sort, down: !sort.down } })
}
