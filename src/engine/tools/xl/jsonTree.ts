/** The tree that `xl list -l` writes, and what of it goes without saying. */
export type Tree = { readonly [key: string]: unknown }

/** What libxl writes there by itself; a value that is not the one here is worth naming. */
const DEFAULTS: Readonly<Record<string, (value: unknown) => boolean>> = {
  'c_info.domid': () => true,
  'c_info.run_hotplug_scripts': (value) => value === 'True',
  'c_info.hap': (value) => value === 'True',
  'c_info.oos': (value) => value === 'True',
  'c_info.pool_name': (value) => value === 'Pool-0',
  'c_info.passthrough': (value) => value === 'disabled' || value === 'default',
  'b_info.video_memkb': () => true,
  'b_info.shadow_memkb': () => true,
  'b_info.iommu_memkb': () => true,
  'b_info.claim_mode': () => true,
  'b_info.numa_placement': () => true,
  'b_info.sched_params.sched': () => true,
  'b_info.sched_params.weight': (value) => value === 256,
  'b_info.sched_params.cap': (value) => value === 0,
  'b_info.arch_x86.msr_relaxed': (value) => value === 'False',
  'b_info.device_model_version': (value) => value === 'qemu_xen',
  'b_info.max_grant_frames': () => true,
  'b_info.max_maptrack_frames': () => true,
  'b_info.max_grant_version': () => true,
  'b_info.event_channels': () => true,
  'b_info.type': () => true,
}

const IGNORED = [/^disks\.\d+\.colo_\w+$/, /\.vnc\.findunused$/, /^vkbs\b/]

/** Reads a tree and remembers what was read, so that the rest can be named. */
export interface TreeReader {
  peek(key: string): unknown
  take(key: string): void
  text(key: string): string | undefined
  number(key: string): number | undefined
  list(key: string): readonly unknown[]
  under(key: string): TreeReader
  left(): string[]
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
  return {
    peek: (key) => root[key],
    take: (key) => void taken.add(at(key)),
    text: (key) => (typeof root[key] === 'string' ? take(key, root[key]) : undefined),
    number: (key) => (typeof root[key] === 'number' ? take(key, root[key]) : undefined),
    // items are named one by one
    list: (key) => {
      const value = root[key]
      if (!Array.isArray(value)) return []
      return value.every((item) => typeof item !== 'object') ? take(key, value) : value
    },
    under: (key) => createTreeReader(tree(root[key]), at(key), taken, whole),
    left: () =>
      leaves(whole, '')
        .filter(([name, value]) => !isTaken(taken, name) && !isDefault(name, value))
        .map(([name]) => name),
  }
}

/** Itself, or something that it lies under. */
function isTaken(taken: ReadonlySet<string>, name: string): boolean {
  for (let at = name.length; at > 0; at = name.lastIndexOf('.', at - 1)) if (taken.has(name.slice(0, at))) return true
  return false
}

function isDefault(name: string, value: unknown): boolean {
  return (DEFAULTS[name]?.(value) ?? false) || IGNORED.some((pattern) => pattern.test(name))
}

/** Every value that is not a tree or a list of trees, with its path. */
function leaves(node: unknown, path: string): [string, unknown][] {
  if (typeof node !== 'object' || node === null) return [[path, node]]
  if (Array.isArray(node) && node.every((item) => typeof item !== 'object'))
    return node.length === 0 ? [] : [[path, node]]
  return Object.entries(node).flatMap(([key, value]) => leaves(value, path === '' ? key : `${path}.${key}`))
}

export function tree(value: unknown): Tree {
  return typeof value === 'object' && value !== null ? (value as Tree) : {}
}
