import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Command, Host, Output } from '../host/host.ts'
import { runBatch } from '../host/run.ts'
import { type LogicalVolume, parseGroup, parseVolumes, showGroup, showVolumes, type VolumeGroup } from '../tools/lvm.ts'
import type { Program } from '../tools/program.ts'

/** A volume group of a PM as it is now: what the block driver decides by. */
export interface GroupLook {
  readonly host: Host
  readonly group: VolumeGroup
  readonly volumes: readonly LogicalVolume[]
  /** Answers to what was asked along with it. */
  readonly answers: readonly Output[]
}

const MIB = 1024 * 1024

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
 * round trip; an answer to that may be a failure. `notFound` where there is no such group, `refused` without lvm2.
 */
export async function lookAtGroup(
  host: Host,
  group: string,
  beginning: string | undefined,
  more: readonly Program[] = [],
): Promise<GroupLook> {
  const parts: Command[] = [showGroup(group), showVolumes(group, beginning), ...more]
  const [groups, volumes, ...answers] = await runBatch(host, batch(parts))
  if (groups?.exit === 127) throw new PengxError('refused', `lvm2 is not installed on ${host.name}`)
  const found = groups && groups.exit <= 5 ? parseGroup(groups.stdout) : undefined
  if (!found || volumes?.exit !== 0) {
    const cause = { cause: { groups, volumes } }
    throw new PengxError('notFound', `there is no volume group ${group} on ${host.name}`, cause)
  }
  return { host, group: found, volumes: parseVolumes(volumes.stdout), answers }
}

/**
 * Looks at a group's volumes alone, for who makes nothing in it: each of lvm's programs reads all devices anew. Fails
 * as `lookAtGroup` does.
 */
export async function lookAtVolumes(host: Host, group: string, beginning: string): Promise<Pick<GroupLook, 'volumes'>> {
  const [volumes] = await runBatch(host, batch([showVolumes(group, beginning)]))
  if (volumes?.exit === 127) throw new PengxError('refused', `lvm2 is not installed on ${host.name}`)
  if (volumes?.exit !== 0)
    throw new PengxError('notFound', `there is no volume group ${group} on ${host.name}`, { cause: { volumes } })
  return { volumes: parseVolumes(volumes.stdout) }
}

/** Pure. The volume of that very name, of those that were looked at: a look at another beginning does not have it. */
export function findVolume(look: Pick<GroupLook, 'volumes'>, name: string): LogicalVolume | undefined {
  return look.volumes.find((volume) => volume.name === name)
}

/** Pure. The thin pool that new volumes are made in: the emptiest; undefined where the group has none. */
export function poolOf(look: Pick<GroupLook, 'volumes'>): LogicalVolume | undefined {
  const pools = look.volumes.filter((volume) => volume.kind === 'thinPool')
  return pools.sort((a, b) => poolFree(b) - poolFree(a) || (a.name < b.name ? -1 : 1))[0]
}

/** Bytes of a pool that nobody has written to. */
function poolFree(pool: LogicalVolume): number {
  return pool.sizeBytes * (1 - (pool.dataPercent ?? 0) / 100)
}

/** How much new volumes find: the thin pool's where they are made in one. */
export function spaceOf(look: Pick<GroupLook, 'group' | 'volumes'>): {
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
