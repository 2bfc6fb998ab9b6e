import { createGroups, type Groups } from './groups.ts'

/**
 * Rows by id, with a list in order that is the same array until something in it changes. Most changes leave the order
 * as it is (a VM was seen running), so only those that do not (a name, a newcomer) cost a sort.
 */
export interface SortedRows<T> {
  readonly size: number
  get(id: string): T | undefined
  /** The revision in which it was written, as far as this process knows; 0: not here. */
  revOf(id: string): number
  put(row: T, rev: number): void
  drop(id: string): void
  ids(): IterableIterator<string>
  list(): readonly T[]
  /** An index, to be asked for before there are rows: those that share what `keyOf` gives, in order. */
  groupedBy(keyOf: (row: T) => string): (key: string) => readonly T[]
}

export interface RowOrder<T> {
  idOf(row: T): string
  compare(a: T, b: T): number
}

/** Empty, in the order of `compare`. */
export function createSortedRows<T>({ idOf, compare }: RowOrder<T>): SortedRows<T> {
  const rows = new Map<string, { row: T; rev: number }>()
  const indexes: Groups<T>[] = []
  let order: T[] = []
  let sorted = true
  let fresh = true

  function list(): readonly T[] {
    if (fresh) return order
    order = sorted ? order.map((old) => rows.get(idOf(old))!.row) : [...rows.values()].map((entry) => entry.row)
    if (!sorted) order.sort(compare)
    sorted = true
    fresh = true
    return order
  }

  return {
    get size() {
      return rows.size
    },
    get: (id) => rows.get(id)?.row,
    revOf: (id) => rows.get(id)?.rev ?? 0,
    put(row, rev) {
      const id = idOf(row)
      const old = rows.get(id)
      if (!old || compare(old.row, row) !== 0) sorted = false
      rows.set(id, { row, rev })
      fresh = false
      for (const index of indexes) index.replace(old?.row, row)
    },
    drop(id) {
      const old = rows.get(id)
      if (!old) return
      rows.delete(id)
      sorted = false
      fresh = false
      for (const index of indexes) index.replace(old.row, undefined)
    },
    ids: () => rows.keys(),
    list,
    groupedBy(keyOf) {
      const groups = createGroups(keyOf, idOf, compare)
      indexes.push(groups)
      return groups.of
    },
  }
}
