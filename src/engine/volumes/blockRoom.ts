import type { DiskFormat } from '../../model/disk.ts'
import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Command, Host } from '../host/host.ts'
import { run, runAll } from '../host/run.ts'
import {
  createVolume,
  extendVolume,
  type LogicalVolume,
  removeVolumes,
  renameVolume,
  tagVolume,
  zeroDevice,
} from '../tools/lvm.ts'
import { changes, type Program } from '../tools/program.ts'
import { measureImage, parseMeasure, type Room } from '../tools/qemuImg.ts'
import type { ChainImage, Image, ImageMap } from './volumeDriver.ts'
import {
  findVolume,
  type GroupLook,
  inExtents,
  lookAtGroup,
  lookAtVolumes,
  needSpace,
  needZeroing,
  placeOf,
  poolOf,
} from './volumeGroup.ts'

/**
 * Making, growing, renaming and removing logical volumes.
 *
 * A physical extent still holds what was written to it before. A guest sees none of that: in a qcow2 image it sees only what
 * the image's tables name, a thin pool zeroes what it hands out, and a thick raw volume is zeroed before it is handed
 * out and wherever it grows; while that goes on, a tag says from where on, so that whoever comes next finishes it.
 */

const MIB = 1024 * 1024
const ZERO_FROM = 'pengx.zero.'

/** The name of a logical volume for as long as it is made; a crash leaves it under this one. */
export const draftOf = (name: string) => `${name}.new`
/** The name of one that was set aside and may come back. */
export const asideOf = (name: string) => `${name}.aside`
/** The name of the room for an image that comes from another PM, counted from the top of its chain (0). */
export const stagedOf = (name: string, index: number) => `${name}.part${index}`
const formatTag = (format: DiskFormat) => `pengx.${format}`

/** Pure. One batch that ends at its first failure, and is found again by the tag after a crash. */
export function tagged(tag: string, parts: readonly Program[]): Command {
  const long = parts.some((part) => part.endable)
  return { ...batch(parts, { stopOnFailure: true }), tag, ...(long ? { endable: true as const } : {}) }
}

/**
 * Pure. Bytes that a volume needs for an image of which `qemu-img measure` says so many: qcow2 has more than its
 * clusters, dirty bitmaps, and clusters that a crash of QEMU left without an owner.
 */
export function roomFor(format: DiskFormat, measured: number): number {
  return format === 'raw' ? measured : measured + Math.ceil(measured / 1024) + 4 * MIB
}

/** What `qemu-img measure` answered along with a look, in bytes; `commandFailed` where it could not read the image. */
export function measured(look: GroupLook, path: string, index = 0): Room {
  const answer = look.answers[index]
  if (answer?.exit === 0) return parseMeasure(answer.stdout)
  const why = answer?.stderr.trim().split('\n').at(-1) ?? ''
  throw new PengxError('commandFailed', `cannot measure image ${path} on ${look.host.name}: ${why}`, { cause: answer })
}

/** What pengx wrote down of what a volume holds; undefined for one that somebody else made. */
export function formatOf(volume: LogicalVolume): DiskFormat | undefined {
  return (['raw', 'qcow2'] as const).find((format) => volume.tags.includes(formatTag(format)))
}

/** Where the zeroing of a raw volume that grew has to begin, in bytes, by its tag; undefined where it is zeroed. */
export function unzeroedFrom(volume: LogicalVolume): number | undefined {
  const tag = volume.tags.find((one) => one.startsWith(ZERO_FROM))
  return tag === undefined ? undefined : Number(tag.slice(ZERO_FROM.length))
}

/** What is not written to a new volume reads as zeros. */
export function isZeroed(look: GroupLook): boolean {
  return poolOf(look)?.zeroes ?? false
}

/**
 * The programs, not run here, that make an empty volume of that many bytes (lvcreate(8)), in place of a half-made one
 * of an earlier attempt. `data`: bytes that will be written to it at once, for which a thin pool must have room.
 * `noSpace` where there is none, `refused` for raw bytes in a pool that does not zero its blocks.
 */
export function makeRoom(
  look: GroupLook,
  name: string,
  format: DiskFormat | undefined,
  bytes: number,
  data = 0,
): Program[] {
  const group = look.group.name
  const left = findVolume(look, name)
  const pool = poolOf(look)
  needSpace(look, pool, `/dev/${group}/${name}`, pool ? data : bytes, left?.sizeBytes)
  if (pool && format === 'raw') needZeroing(look, pool)
  const volume = { group, name, bytes: inExtents(look, bytes) }
  const kind = { ...(pool ? { pool: pool.name } : {}), ...(format ? { tag: formatTag(format) } : {}) }
  return [...(left ? [removeVolumes(group, [name])] : []), createVolume({ ...volume, ...kind })]
}

/** The programs, not run here, that give a draft the volume's name (lvrename(8)) once it is safe on its disk. */
export function finish(group: string, name: string): Program[] {
  return [changes('sync', `/dev/${group}/${draftOf(name)}`), renameVolume(group, draftOf(name), name)]
}

/**
 * Looks, and renames where that was not done before (lvrename(8)); what stands under the new name is never
 * overwritten: `conflict` where both are there. Gives whether there is now something under the new name.
 */
export async function renameLv(host: Host, group: string, from: string, to: string, tag: string): Promise<boolean> {
  const look = await lookAtVolumes(host, group, from.length < to.length ? from : to)
  const [source, target] = [findVolume(look, from), findVolume(look, to)]
  if (source && target)
    throw new PengxError(
      'conflict',
      `cannot rename ${group}/${from} to ${to} on ${host.name}: both are there; look which one is wanted and lvrename the other`,
    )
  if (source) await run(host, { ...renameVolume(group, from, to), tag })
  return source !== undefined || target !== undefined
}

/**
 * Removes a volume's companions that are meant by what their name adds to its own, or itself (lvremove(8)), for good;
 * none there is done. lvremove leaves one that is in use: `commandFailed`.
 */
export async function removeLvs(
  host: Host,
  path: string,
  isMeant: (ending: string) => boolean,
  tag: string,
): Promise<void> {
  const { group, name } = placeOf(path)
  const { volumes } = await lookAtVolumes(host, group, name)
  const names = volumes.map((volume) => volume.name)
  const meant = names.filter((one) => one.startsWith(name) && isMeant(one.slice(name.length)))
  if (meant.length > 0) await run(host, { ...removeVolumes(group, meant), tag })
}

/**
 * Makes a volume large enough for an image of that size (lvextend(8)), and zeroes what a thick raw one got, which a
 * tag says until it is done (blkdiscard(8)). Also while a guest uses it; the image in it is not touched. Large enough
 * is done. `notFound`, `noSpace`, and `refused` for a raw one that is larger.
 */
export async function widenLv(
  host: Host,
  path: string,
  format: DiskFormat,
  sizeMib: number,
  tag: string,
): Promise<void> {
  const { group, name } = placeOf(path)
  const look = await lookAtGroup(host, group, name, [measureImage(format, { sizeMib })])
  const volume = findVolume(look, name)
  if (!volume) throw new PengxError('notFound', `cannot grow ${path} on ${host.name}: it is not there`)
  const wanted = inExtents(look, roomFor(format, measured(look, path).fullBytes))
  if (format === 'raw' && wanted < volume.sizeBytes) {
    const is = volume.sizeBytes / MIB
    throw new PengxError('refused', `cannot shrink ${path} on ${host.name} from ${is} to ${sizeMib} MiB`)
  }
  const grows = wanted > volume.sizeBytes
  const thick = volume.kind !== 'thin'
  if (thick && grows) needSpace(look, undefined, path, wanted - volume.sizeBytes)
  const from = unzeroedFrom(volume) ?? (thick && grows && format === 'raw' ? volume.sizeBytes : undefined)
  const mark = from === undefined ? [] : [tagVolume(group, name, `${ZERO_FROM}${from}`, 'add')]
  const grow = grows ? [extendVolume(group, name, wanted)] : []
  const zero = from === undefined ? [] : zeroFrom(path, from, Math.max(wanted, volume.sizeBytes))
  const parts = [...mark, ...grow, ...zero]
  if (parts.length > 0) await runAll(host, tagged(tag, parts))
}

/**
 * Looks only. Fails with `noSpace` where what a thin volume streams from those between it and `backing` may not fit
 * into its pool; a thick one has all of its room.
 */
export async function needRoomToPull(
  host: Host,
  chain: readonly ChainImage[],
  backing: Image | undefined,
): Promise<void> {
  const [top, ...below] = chain
  const { group, name } = placeOf(top!.path)
  const look = await lookAtGroup(host, group, 'pengx-', [measureImage('qcow2', top!)])
  const volume = findVolume(look, name)
  const pool = volume?.pool === undefined ? undefined : findVolume(look, volume.pool)
  if (!volume || !pool) return
  const end = below.findIndex((image) => image.path === backing?.path)
  const between = end < 0 ? below : below.slice(0, end)
  const taken = (image: ChainImage) => {
    const lv = look.volumes.find((one) => `/dev/${group}/${one.name}` === image.path)
    return lv ? takenOf(lv) : image.usedMib * MIB
  }
  const whole = measured(look, top!.path).requiredBytes - takenOf(volume)
  const most = between.reduce((sum, image) => sum + taken(image), 0)
  needSpace(look, pool, top!.path, Math.max(0, Math.min(whole, most)))
}

/** Pure. Bytes that a volume takes of its group or pool; of a thin one what `lvs` says is written. */
export function takenOf(volume: LogicalVolume): number {
  return volume.kind === 'thin' ? (volume.sizeBytes * (volume.dataPercent ?? 0)) / 100 : volume.sizeBytes
}

/**
 * The programs, not run here, that zero from there to the end (bytes, blkdiscard(8)) and take the tag away that said
 * so.
 */
export function zeroFrom(path: string, from: number, end: number): Program[] {
  const { group, name } = placeOf(path)
  const zero = from < end ? [zeroDevice(path, from, end - from)] : []
  return [...zero, tagVolume(group, name, `${ZERO_FROM}${from}`, 'take away')]
}

/** The programs, not run here, that zero what will not be written to: before, between and behind the extents. */
export function zeroBetween(path: string, { extents }: ImageMap, end: number): Program[] {
  const starts = [...extents.map((extent) => extent.start), end]
  const ends = [0, ...extents.map((extent) => extent.start + extent.length)]
  return ends.flatMap((from, index) => {
    const to = starts[index] ?? end
    return from < to ? [zeroDevice(path, from, to - from)] : []
  })
}
