/** The tree that `xl list -l` writes: libxl_domain_config of tools/libs/light/libxl_types.idl. */
export type Tree = { readonly [key: string]: unknown }

/** Reads a tree and remembers what was read, so that the rest can be named. */
export interface TreeReader {
  /** From the root: `b_info.sched_params`. */
  readonly path: string
  keys(): string[]
  peek(key: string): unknown
  take(key: string): void
  text(key: string): string | undefined
  number(key: string): number | undefined
  list(key: string): readonly unknown[]
  /** The readers of a list's items. */
  items(key: string): TreeReader[]
  under(key: string): TreeReader
  /** What nobody has read: paths from the root, with their values. */
  left(): [string, unknown][]
}

export function createTreeReader(
  root: Tree,
  path: string,
  taken: Set<string> = new Set(),
  whole: Tree = root,
): TreeReader {
  const at = (key: string) => (path === '' ? key : `${path}.${key}`)
  const take = <T>(key: string, value: T): T => {
    taken.add(at(key))
    return value
  }
  const under = (key: string) => createTreeReader(tree(root[key]), at(key), taken, whole)
  return {
    path,
    keys: () => Object.keys(root),
    peek: (key) => root[key],
    take: (key) => void taken.add(at(key)),
    text: (key) => (typeof root[key] === 'string' ? take(key, root[key]) : undefined),
    number: (key) => (typeof root[key] === 'number' ? take(key, root[key]) : undefined),
    list: (key) => {
      const value = root[key]
      if (!Array.isArray(value)) return []
      return value.every((item) => typeof item !== 'object') ? take(key, value) : value
    },
    items: (key) => {
      const value = root[key]
      if (!Array.isArray(value)) return []
      return value.map((item, index) => createTreeReader(tree(item), `${at(key)}.${index}`, taken, whole))
    },
    under,
    left: () => leaves(whole, '').filter(([name]) => !isTaken(taken, name)),
  }
}

/** Itself, or something that it lies under. */
function isTaken(taken: ReadonlySet<string>, name: string): boolean {
  for (let at = name.length; at > 0; at = name.lastIndexOf('.', at - 1)) if (taken.has(name.slice(0, at))) return true
  return false
}

/** Every value that is not a tree or a list of trees, with its path; and items of which libxl says nothing at all. */
function leaves(node: unknown, path: string): [string, unknown][] {
  // libxl's way to say that a string, or the name of a number, is none
  if (node === null) return []
  if (typeof node !== 'object') return [[path, node]]
  if (Array.isArray(node) && node.every((item) => typeof item !== 'object'))
    return node.length === 0 ? [] : [[path, node]]
  return Object.entries(node).flatMap(([key, value]): [string, unknown][] => {
    const at = path === '' ? key : `${path}.${key}`
    const isEmptyItem = Array.isArray(node) && Object.keys(tree(value)).length === 0
    return isEmptyItem ? [[at, value]] : leaves(value, at)
  })
}

export function tree(value: unknown): Tree {
  return typeof value === 'object' && value !== null ? (value as Tree) : {}
}
