/** Volume groups: which of their volumes a machine has active, and what lies in them, wherever it is looked at. */
import { findNode, locate, makeDirs, unlink } from './files.ts'
import type { SimWorld } from './program.ts'
import type { BlockNode, LogicalVolume, PmState, SiteState, VolumeGroup } from './state.ts'

/**
 * lvm2's hints on a machine: the groups that it does not see, since it has others and looks at their disks alone. They lie in
 * /run, and a machine that is read back has none.
 */
const unhinted = new WeakMap<PmState, Set<string>>()

/** Gives machines a new volume group in common, as on one SAN, which the first of them has made. */
export function makeSharedGroup(state: SiteState, group: VolumeGroup, pmNames: readonly string[]): void {
  const shared = { ...group, sharedBy: [...pmNames] }
  for (const pm of state.pms.filter(({ name }) => pmNames.includes(name))) {
    if (pm.name !== pmNames[0] && pm.groups.length > 0)
      unhinted.set(pm, new Set([...(unhinted.get(pm) ?? []), group.name]))
    pm.groups.push(shared)
  }
}

/** The groups that lvm2's programs see there. */
export function hintedGroups(pm: PmState): VolumeGroup[] {
  const hidden = unhinted.get(pm)
  return hidden ? pm.groups.filter(({ name }) => !hidden.has(name)) : pm.groups
}

/** All disks are looked at, and the hints lead to all groups. */
export function rescan(pm: PmState): void {
  unhinted.delete(pm)
}

/** After reading a state back: what several had in common is one thing again. */
export function joinGroups(state: SiteState): void {
  const known = new Map<string, VolumeGroup>()
  for (const pm of state.pms)
    pm.groups = pm.groups.map((group) => {
      if (!group.sharedBy) return group
      const first = known.get(group.uuid) ?? group
      known.set(group.uuid, first)
      return first
    })
}

export function isActive(pm: PmState, group: VolumeGroup, volume: LogicalVolume): boolean {
  return group.sharedBy ? (volume.activeOn ?? []).includes(pm.name) : volume.active
}

function setActive(pm: PmState, group: VolumeGroup, volume: LogicalVolume, active: boolean): void {
  if (!group.sharedBy) volume.active = active
  else {
    const others = (volume.activeOn ?? []).filter((name) => name !== pm.name)
    volume.activeOn = active ? [...others, pm.name] : others
  }
}

function deviceOf(pm: PmState, group: VolumeGroup, volume: LogicalVolume): BlockNode | undefined {
  const node = findNode(pm, `/dev/${group.name}/${volume.name}`, false)
  return node?.kind === 'block' ? node : undefined
}

type Content = Pick<BlockNode, 'image' | 'text' | 'allocated'>

function contentOf({ image, text, allocated }: BlockNode): Content {
  return { allocated, ...(image ? { image } : {}), ...(text === undefined ? {} : { text }) }
}

/** A device of the volume's size, with what was written to it, also from another machine. */
export function activate(world: SimWorld, pm: PmState, group: VolumeGroup, volume: LogicalVolume, now: number): void {
  setActive(pm, group, volume, true)
  if (volume.segType === 'thin-pool') return
  makeDirs(pm, `/dev/${group.name}`, now)
  const place = locate(pm, `/dev/${group.name}/${volume.name}`)
  if (place.node) return
  const elsewhere = world.state.pms.flatMap((other) =>
    group.sharedBy && other !== pm && other.groups.includes(group) ? (deviceOf(other, group, volume) ?? []) : [],
  )
  const content = elsewhere[0] ? contentOf(elsewhere[0]) : (volume.content ?? { allocated: 0 })
  const meta = { mode: 0o660, uid: 0, gid: 6, mtimeMs: now, ino: pm.nextIno++ }
  place.parent.children[place.name] = { kind: 'block', ...meta, size: volume.sizeBytes, ...content }
}

export function deactivate(pm: PmState, group: VolumeGroup, volume: LogicalVolume): void {
  setActive(pm, group, volume, false)
  const node = deviceOf(pm, group, volume)
  if (!node) return
  volume.content = contentOf(node)
  unlink(pm, `/dev/${group.name}/${volume.name}`)
}

/** The device becomes what the group says: as large as the volume. */
export function refresh(pm: PmState, group: VolumeGroup, volume: LogicalVolume): void {
  const node = deviceOf(pm, group, volume)
  if (!node) return
  node.size = volume.sizeBytes
  if (node.image?.format === 'raw') node.image.virtualSize = volume.sizeBytes
}

/** A machine on which it is not active has no device to rename. */
export function renameDevice(pm: PmState, group: VolumeGroup, from: string, to: string): void {
  if (!findNode(pm, `/dev/${group.name}/${from}`, false)) return
  const place = locate(pm, `/dev/${group.name}/${from}`)
  if (place.node) place.parent.children[to] = place.node
  delete place.parent.children[from]
}
