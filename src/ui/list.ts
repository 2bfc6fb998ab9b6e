/**
 * A list under a hand: the cursor is an id and not a position, so re-sorting and other people's changes move the
 * row and not the choice. `index` only remembers where the cursor was, for the neighbour that takes over when its
 * row has gone.
 */
export interface ListState {
  readonly cursor?: string
  readonly index: number
  readonly top: number
  readonly marks: ReadonlySet<string>
  /** Where a range was begun with `v`, and what was marked before. */
  readonly range?: { readonly anchor: string; readonly before: ReadonlySet<string> }
  readonly sort?: { readonly column: string; readonly down: boolean }
  readonly filter: string
  readonly wide: boolean
  readonly hidden: ReadonlySet<string>
}

/** What is shown of a list: rows in order, and where each id stands. */
export interface Shown<R> {
  readonly rows: readonly R[]
  readonly ids: readonly string[]
  readonly position: ReadonlyMap<string, number>
  /** How many there are without the filter. */
  readonly total: number
}

const NOTHING: ReadonlySet<string> = new Set()

export const emptyList: ListState = {
  index: 0,
  top: 0,
  marks: NOTHING,
  filter: '',
  wide: false,
  hidden: NOTHING,
}

export function shownOf<R>(rows: readonly R[], idOf: (row: R) => string, total: number): Shown<R> {
  const ids = rows.map(idOf)
  return { rows, ids, position: new Map(ids.map((id, index) => [id, index])), total }
}

/** Puts the cursor on a row that is there: its own, else the neighbour where it was. */
export function settle<R>(state: ListState, shown: Shown<R>): ListState {
  if (shown.ids.length === 0) return state
  const position = state.cursor === undefined ? undefined : shown.position.get(state.cursor)
  if (position === state.index) return state
  if (position !== undefined) return { ...state, index: position }
  const index = Math.min(Math.max(state.index, 0), shown.ids.length - 1)
  return { ...state, index, cursor: shown.ids[index] }
}

/** The cursor by so many rows, not beyond the ends; a range follows. */
export function moveBy<R>(state: ListState, shown: Shown<R>, rows: number): ListState {
  return moveTo(state, shown, settle(state, shown).index + rows)
}

export function moveTo<R>(state: ListState, shown: Shown<R>, index: number): ListState {
  if (shown.ids.length === 0) return state
  const target = Math.min(Math.max(index, 0), shown.ids.length - 1)
  return extendRange({ ...state, index: target, cursor: shown.ids[target] }, shown)
}

/** Marks or unmarks the row under the cursor and goes one down. */
export function toggleMark<R>(state: ListState, shown: Shown<R>): ListState {
  const { cursor } = settle(state, shown)
  if (cursor === undefined) return state
  const marks = new Set(state.marks)
  if (!marks.delete(cursor)) marks.add(cursor)
  return moveBy({ ...state, marks }, shown, 1)
}

/** Marks all shown; where all of them are marked already, unmarks them. */
export function toggleAll<R>(state: ListState, shown: Shown<R>): ListState {
  const marks = new Set(state.marks)
  const all = shown.ids.every((id) => marks.has(id))
  for (const id of shown.ids) {
    if (all) marks.delete(id)
    else marks.add(id)
  }
  return { ...state, marks }
}

/** Begins a range at the cursor, or ends the one begun. */
export function toggleRange<R>(state: ListState, shown: Shown<R>): ListState {
  const settled = settle(state, shown)
  if (settled.range !== undefined) return { ...settled, range: undefined }
  if (settled.cursor === undefined) return settled
  const marks = new Set(settled.marks).add(settled.cursor)
  return { ...settled, marks, range: { anchor: settled.cursor, before: settled.marks } }
}

function extendRange<R>(state: ListState, shown: Shown<R>): ListState {
  if (state.range === undefined) return state
  const anchor = shown.position.get(state.range.anchor)
  if (anchor === undefined) return { ...state, range: undefined }
  const marks = new Set(state.range.before)
  for (let at = Math.min(anchor, state.index); at <= Math.max(anchor, state.index); at++) marks.add(shown.ids[at]!)
  return { ...state, marks }
}

/** Where the window begins so that the cursor is in it, moving as little as possible. */
export function windowTop(state: ListState, count: number, height: number): number {
  const last = Math.max(count - height, 0)
  const lowest = Math.max(state.index - height + 1, 0)
  return Math.min(Math.max(Math.min(state.top, state.index), lowest), last)
}
