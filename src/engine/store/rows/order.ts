/** By name as text, then by id, so that the order is total. */
export function byName<T extends { readonly name: string }>(idOf: (row: T) => string | number) {
  return (a: T, b: T): number => {
    if (a.name !== b.name) return a.name < b.name ? -1 : 1
    const left = idOf(a)
    const right = idOf(b)
    return left < right ? -1 : left > right ? 1 : 0
  }
}
