import { PengxError } from '../../model/error.ts'
import type { Host, Output } from '../host/host.ts'
import {
  type LogicalVolume,
  parseGroup,
  parseVolumes,
  showGroup,
  showVolumes,
  type VolumeGroup,
  whyHidden,
} from '../tools/lvm.ts'
import { parseTagsOfGroup } from '../tools/lvmTags.ts'
import type { Program } from '../tools/program.ts'
import { type GroupPlace, placeWith } from './groupPlace.ts'
import { runRescanning } from './rescan.ts'

/** Volumes of a group as a PM sees them now, and where the group is changed. */
interface VolumesLook {
  readonly place: GroupPlace
  readonly volumes: readonly LogicalVolume[]
}

/** A volume group of a PM as it is now: what the block driver decides by. */
export interface GroupLook extends VolumesLook {
  readonly host: Host
  readonly group: VolumeGroup
  /** Answers to what was asked along with it. */
  readonly answers: readonly Output[]
}

const MIB = 1024 * 1024

/** Pure. Whether a path is called as a logical volume is: `/dev/GROUP/NAME`. */
export function isLv(path: string): boolean {
  return /^\/dev\/(?!mapper\/)[^/]+\/[^/]+$/.test(path)
}

/** Pure. `/dev/GROUP/NAME` taken apart; `invalid` for any other path. */
export function placeOf(path: string): { readonly group: string; readonly name: string } {
  const [, group, name] = /^\/dev\/([^/]+)\/([^/]+)$/.exec(path) ?? []
  if (group === undefined || name === undefined || group === 'mapper')
    throw new PengxError('invalid', `${path} is no logical volume: those are called /dev/GROUP/NAME`)
  return { group, name }
}

/** Pure. The group that a storlink's link names, with or without `/dev/`. */
export function groupOf(link: string): string {
  return link.replace(/^\/dev\//, '').replace(/\/+$/, '')
}

/**
 * Looks at a group, its thin pools and its volumes whose name begins so (vgs(8), lvs(8)), and asks `more` in the same
 * round trip; two where the group is not found at first (`runRescanning`); an answer to that may be a failure. `notFound` where there is no such group, `refused` without lvm2 and for a
 * group that is not this PM's to use, or not whole.
 */
export async function lookAtGroup(
  place: GroupPlace,
  beginning: string | undefined,
  more: readonly Program[] = [],
): Promise<GroupLook> {
  const { host, group } = place
  const parts = [showGroup(group), showVolumes(group, beginning), ...more]
  const [groups, volumes, ...answers] = await runRescanning(host, parts)
  if (groups?.exit === 127) throw new PengxError('refused', `lvm2 is not installed on ${host.name}`)
  const found = groups && groups.exit <= 5 ? parseGroup(groups.stdout) : undefined
  const refusal = found && refuseGroup(found, host)
  if (refusal !== undefined) throw new PengxError('refused', refusal)
  if (!found || volumes?.exit !== 0) throw notSeen(place, { groups, volumes })
  return {
    host,
    place: placeWith(place, found),
    group: found,
    volumes: parseVolumes(volumes.stdout),
    answers,
  }
}

/** Why nothing is made in a group that was found, or undefined. */
function refuseGroup({ name, partial, exported }: VolumeGroup, host: Host): string | undefined {
  const what = `volume group ${name} on ${host.name}`
  if (exported) return `${what} is exported: vgimport ${name} takes it in, on the one host that shall have it`
  if (partial)
    return `${what} is partial, a physical volume of it is missing: bring its device back (pvs, dmesg), or see vgreduce --removemissing`
  return undefined
}

/** LVM says no more of a group that is hidden from a host than of one that is not there, except on stderr. */
function notSeen({ host, group }: GroupPlace, cause: Readonly<Record<string, Output | undefined>>): PengxError {
  const hidden = whyHidden(Object.values(cause).reduce((text, output) => text + (output?.stderr ?? ''), ''))
  const what = `volume group ${group} on ${host.name}`
  if (hidden?.kind === 'foreign') {
    const help = `vgchange --systemid there gives it away, and a group for several hosts has none (lvmsystemid(7))`
    const why = `belongs to the host with the system ID ${hidden.systemId}: ${help}`
    return new PengxError('refused', `${what} ${why}`, { cause })
  }
  if (hidden?.kind === 'noLockd') {
    const help = `set use_lvmlockd = 1 in lvm.conf there, start lvmlockd and ${hidden.lockType}, then vgchange --lock-start ${group}`
    return new PengxError('refused', `${what} has lock type ${hidden.lockType} and no lvmlockd: ${help}`, { cause })
  }
  if (hidden?.kind === 'exported') {
    const help = `vgimport ${group} takes it in, on the one host that shall have it`
    return new PengxError('refused', `${what} is exported: ${help}`, { cause })
  }
  return new PengxError('notFound', `there is no volume group ${group} on ${host.name}`, { cause })
}

/**
 * Looks at a group's volumes alone, for who makes nothing in it: each of lvm's programs reads all devices anew. Fails
 * as `lookAtGroup` does, except that a partial group is looked at.
 */
export async function lookAtVolumes(place: GroupPlace, beginning: string): Promise<VolumesLook> {
  const { host, group } = place
  const [output] = await runRescanning(host, [showVolumes(group, beginning)])
  if (output?.exit === 127) throw new PengxError('refused', `lvm2 is not installed on ${host.name}`)
  if (output?.exit !== 0) throw notSeen(place, { volumes: output })
  const volumes = parseVolumes(output.stdout)
  return { place: placeWith(place, parseTagsOfGroup(output.stdout)), volumes }
}

/** Pure. The volume of that very name, of those that were looked at: a look at another beginning does not have it. */
export function findVolume(look: Pick<GroupLook, 'volumes'>, name: string): LogicalVolume | undefined {
  return look.volumes.find((volume) => volume.name === name)
}

/**
 * Pure. The thin pool that new volumes are made in: the emptiest; undefined where the group has none, and where several PMs
 * see the group: a pool that is active on two is destroyed.
 */
export function poolOf(look: PoolLook): LogicalVolume | undefined {
  if (look.place.shared) return undefined
  const pools = look.volumes.filter((volume) => volume.kind === 'thinPool')
  return pools.sort((a, b) => poolFree(b) - poolFree(a) || (a.name < b.name ? -1 : 1))[0]
}

interface PoolLook {
  readonly place: Pick<GroupPlace, 'shared'>
  readonly volumes: readonly LogicalVolume[]
}

/** Bytes of a pool that nobody has written to. */
function poolFree(pool: LogicalVolume): number {
  return pool.sizeBytes * (1 - (pool.dataPercent ?? 0) / 100)
}

/** How much new volumes find: the thin pool's where they are made in one. */
export function spaceOf(look: PoolLook & Pick<GroupLook, 'group'>): {
  readonly sizeMib: number
  readonly freeMib: number
} {
  const pool = poolOf(look)
  const { sizeBytes, freeBytes } = pool ? { ...pool, freeBytes: poolFree(pool) } : look.group
  return { sizeMib: Math.floor(sizeBytes / MIB), freeMib: Math.floor(freeBytes / MIB) }
}

/** Pure. Bytes as the group hands them out: whole physical extents. */
export function inExtents(look: GroupLook, bytes: number): number {
  const { extentBytes } = look.group
  return Math.ceil(bytes / extentBytes) * extentBytes
}

/**
 * Fails with `noSpace` where that many bytes do not fit into the group, or into its thin pool; `returned` are given
 * back to the group before.
 */
export function needSpace(
  look: GroupLook,
  pool: LogicalVolume | undefined,
  path: string,
  bytes: number,
  returned = 0,
): void {
  const { host, group } = look
  const free = pool ? poolFree(pool) : group.freeBytes + returned
  if ((pool ? bytes : inExtents(look, bytes)) <= free) return
  const [needed, left] = [bytes, free].map((amount) => Math.ceil(amount / MIB))
  const place = pool ? `thin pool ${group.name}/${pool.name}` : `volume group ${group.name}`
  throw new PengxError(
    'noSpace',
    `cannot make ${path} on ${host.name}: ${left} MiB of ${place} are free, ${needed} MiB needed`,
  )
}

/**
 * `refused` for a pool that does not zero its blocks (lvmthin(7)): a raw volume in it would show a guest what others
 * wrote there.
 */
export function needZeroing(look: GroupLook, pool: LogicalVolume): void {
  if (pool.zeroes) return
  const { host, group } = look
  throw new PengxError(
    'refused',
    `thin pool ${group.name}/${pool.name} on ${host.name} hands out blocks with what others wrote there: lvchange -Zy ${group.name}/${pool.name}, or make qcow2 disks there`,
  )
}
