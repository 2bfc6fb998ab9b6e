/** Rows by something they share (VMs by PM, by name), each group sorted and the same array until it changes. */
export interface Groups<T> {
  of(key: string): readonly T[]
  /** To be told of every change: what was there before, what is there now. */
  replace(before: T | undefined, now: T | undefined): void
}

const NONE: readonly never[] = []

/** Empty groups; `compare` is the order within each. */
export function createGroups<T>(
  keyOf: (row: T) => string,
  idOf: (row: T) => string,
  compare: (a: T, b: T) => number,
): Groups<T> {
  const groups = new Map<string, { rows: Map<string, T>; list?: readonly T[] }>()

  function take(row: T): void {
    const key = keyOf(row)
    const group = groups.get(key)
    if (!group) return
    group.rows.delete(idOf(row))
    group.list = undefined
    if (group.rows.size === 0) groups.delete(key)
  }

  function give(row: T): void {
    const key = keyOf(row)
    let group = groups.get(key)
    if (!group) {
      group = { rows: new Map() }
      groups.set(key, group)
    }
    group.rows.set(idOf(row), row)
    group.list = undefined
  }

  return {
    of(key) {
      const group = groups.get(key)
      if (!group) return NONE
      group.list ??= [...group.rows.values()].sort(compare)
      return group.list
    },
    replace(before, now) {
      if (before && (!now || keyOf(before) !== keyOf(now))) take(before)
      if (now) give(now)
    },
  }
}
