/** Directories that several simulated machines see, as from one server: what one writes there all read. */
import { findNode, makeDirs } from './files.ts'
import type { DirNode, Mount, PmState, SiteState } from './state.ts'

/** Mounts one new directory under the same path on each of the machines; what lay there before is hidden. */
export function makeShare(state: SiteState, path: string, pmNames: readonly string[], now: number): void {
  const mount: Mount = { at: path, device: `192.0.2.1:${path}`, fstype: 'nfs4', sizeBytes: 2 ** 42, usedBytes: 0 }
  const share = { path, pms: [...pmNames], mount, children: {} }
  state.shares = [...(state.shares ?? []), share]
  for (const pm of state.pms) {
    if (!pmNames.includes(pm.name)) continue
    makeDirs(pm, path, now)
    attach(pm, share)
  }
}

/** Takes away what is mounted under a path: the directory below it is there then, and empty. */
export function unmount(pm: PmState, path: string): void {
  const [node, mount] = [findNode(pm, path), pm.mounts.find((one) => one.at === path)]
  if (node?.kind !== 'dir' || mount === undefined) throw new Error(`nothing is mounted on ${path} on ${pm.name}`)
  const { share, children } = node
  pm.unmounted = [...(pm.unmounted ?? []), { mount, children, ...(share === undefined ? {} : { share }) }]
  pm.mounts = pm.mounts.filter((one) => one !== mount)
  delete node.share
  node.children = {}
}

/** Mounts again what was taken away; what was written there meanwhile is hidden, and lost. */
export function remount(state: SiteState, pm: PmState, path: string): void {
  const [node, hidden] = [findNode(pm, path), pm.unmounted?.find(({ mount }) => mount.at === path)]
  if (node?.kind !== 'dir' || hidden === undefined) throw new Error(`nothing was unmounted from ${path} on ${pm.name}`)
  pm.unmounted = pm.unmounted?.filter((one) => one !== hidden)
  const share = state.shares?.find((one) => one.path === hidden.share)
  if (share) attach(pm, share)
  else {
    node.children = hidden.children
    pm.mounts = [...pm.mounts, hidden.mount]
  }
}

/** Another disk, empty, in the place of what is mounted there. */
export function mountAnother(pm: PmState, path: string): void {
  unmount(pm, path)
  pm.mounts = [...pm.mounts, { at: path, device: '/dev/sdz1', fstype: 'ext4', sizeBytes: 2 ** 40, usedBytes: 0 }]
}

type Share = NonNullable<SiteState['shares']>[number]

function attach(pm: PmState, { path, mount, children }: Share): void {
  const node = findNode(pm, path)
  if (node?.kind !== 'dir') throw new Error(`${path} is no directory on ${pm.name}`)
  node.share = path
  node.children = children
  pm.mounts = [...pm.mounts.filter((other) => other.at !== path), mount]
}

/** After reading a state back: what several had in common is one thing again. */
export function joinShares(state: SiteState): void {
  for (const share of state.shares ?? []) {
    for (const pm of state.pms) if (share.pms.includes(pm.name) && !isAway(pm, share.path)) attach(pm, share)
  }
}

function isAway(pm: PmState, share: string): boolean {
  return pm.unmounted?.some((one) => one.share === share) === true
}

/** For JSON.stringify: what is shared is written once, with its share. */
export function withoutShared(_key: string, value: unknown): unknown {
  const isMountPoint = typeof value === 'object' && value !== null && (value as Partial<DirNode>).share !== undefined
  return isMountPoint ? { ...value, children: {} } : value
}
