/**
 * Rows by id, with a list in order that is the same array until something in it changes. Most changes leave the order
 * as it is (a VM was seen running), so only those that do not (a name, a newcomer) cost a sort.
 */
export interface SortedRows<K, T> {
  readonly size: number
  get(id: K): T | undefined
  /** The revision in which it was written, as far as this process knows; 0: not here. */
  revOf(id: K): number
  put(id: K, row: T, rev: number): void
  drop(id: K): T | undefined
  ids(): IterableIterator<K>
  list(): readonly T[]
}

export function createSortedRows<K, T>(compare: (a: T, b: T) => number, idOf: (row: T) => K): SortedRows<K, T> {
  const rows = new Map<K, { row: T; rev: number }>()
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
    put(id, row, rev) {
      const old = rows.get(id)
      if (!old || compare(old.row, row) !== 0) sorted = false
      rows.set(id, { row, rev })
      fresh = false
    },
    drop(id) {
      const old = rows.get(id)
      if (!old) return undefined
      rows.delete(id)
      sorted = false
      fresh = false
      return old.row
    },
    ids: () => rows.keys(),
    list,
  }
}

/** By name as text, then by id, so that the order is total. */
export function byName<T extends { readonly name: string }>(idOf: (row: T) => string | number) {
  return (a: T, b: T): number => {
    if (a.name !== b.name) return a.name < b.name ? -1 : 1
    const left = idOf(a)
    const right = idOf(b)
    return left < right ? -1 : left > right ? 1 : 0
  }
}
