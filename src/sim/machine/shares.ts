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
    for (const pm of state.pms) if (share.pms.includes(pm.name)) attach(pm, share)
  }
}

/** For JSON.stringify: what is shared is written once, with its share. */
export function withoutShared(_key: string, value: unknown): unknown {
  const isMountPoint = typeof value === 'object' && value !== null && (value as Partial<DirNode>).share !== undefined
  return isMountPoint ? { ...value, children: {} } : value
}
