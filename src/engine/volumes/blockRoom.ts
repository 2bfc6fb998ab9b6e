import type { DiskFormat } from '../../model/disk.ts'
import { PengxError } from '../../model/error.ts'
import {
  activateVolume,
  createVolume,
  deactivateVolume,
  extendVolume,
  type LogicalVolume,
  refreshVolume,
  removeVolumes,
  renameVolume,
  tagVolume,
  zeroDevice,
} from '../tools/lvm.ts'
import { changes, type Program } from '../tools/program.ts'
import { type Room as ImageRoom, measureImage, parseMeasure } from '../tools/qemuImg.ts'
import { letGo, needChanger, refreshElsewhere, runParts } from './groupChange.ts'
import { type GroupPlace, isChangedElsewhere } from './groupPlace.ts'
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

/**
 * Pure. Bytes that a volume needs for an image of which `qemu-img measure` says so many: qcow2 has more than its
 * clusters, dirty bitmaps, and clusters that a crash of QEMU left without an owner.
 */
export function roomFor(format: DiskFormat, measured: number): number {
  return format === 'raw' ? measured : measured + Math.ceil(measured / 1024) + 4 * MIB
}

/** What `qemu-img measure` answered along with a look, in bytes; `commandFailed` where it could not read the image. */
export function measured(look: GroupLook, path: string, index = 0): ImageRoom {
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
 * The programs, not run here, that make an empty volume of that many bytes (lvcreate(8)), active on the PM at work, in
 * place of a half-made one of an earlier attempt, of which every PM lets go here. `data`: bytes that will be written to it
 * at once, for which a thin pool must have room. `noSpace` where there is none, `refused` for raw bytes in a pool that does
 * not zero its blocks, and where nobody can change the group.
 */
export async function makeRoom(look: GroupLook, tag: string, wanted: Room): Promise<Program[]> {
  const { name, format, bytes, data = 0 } = wanted
  const { place } = look
  const group = look.group.name
  const left = findVolume(look, name)
  const pool = poolOf(look)
  needChanger(place)
  needSpace(look, pool, `/dev/${group}/${name}`, pool ? data : bytes, left?.sizeBytes)
  if (pool && format === 'raw') needZeroing(look, pool)
  if (left) await letGo(place, [name], tag)
  const volume = { group, name, bytes: inExtents(look, bytes) }
  const kind = { ...(pool ? { pool: pool.name } : {}), ...(format ? { tag: formatTag(format) } : {}) }
  const asleep = isChangedElsewhere(place)
  return [
    ...(left ? [removeVolumes(group, [name])] : []),
    createVolume({ ...volume, ...kind, ...(asleep ? { asleep } : {}) }),
    ...(asleep ? wakeUp(look, name, volume.bytes) : []),
  ]
}

interface Room {
  readonly name: string
  readonly format: DiskFormat | undefined
  readonly bytes: number
  readonly data?: number
}

/** What lvcreate does with what it makes active: here signatures at its beginning and its end go with a whole extent each. */
function wakeUp({ group }: GroupLook, name: string, bytes: number): Program[] {
  const path = `/dev/${group.name}/${name}`
  const ends = new Set([0, bytes - group.extentBytes])
  return [activateVolume(group.name, name), ...[...ends].map((from) => zeroDevice(path, from, group.extentBytes))]
}

/**
 * The programs, not run here, that give a draft the volume's name (lvrename(8)) once it is safe on its disk. Where another
 * PM renames it its device goes and comes again, under the new name.
 */
export function finish({ place }: Pick<GroupLook, 'place'>, name: string): Program[] {
  const { group } = place
  const rename = renameVolume(group, draftOf(name), name)
  const sync = changes('sync', `/dev/${group}/${draftOf(name)}`)
  if (!isChangedElsewhere(place)) return [sync, rename]
  return [sync, deactivateVolume(group, draftOf(name)), rename, activateVolume(group, name)]
}

/**
 * Looks, and renames where that was not done before (lvrename(8)); what stands under the new name is never
 * overwritten: `conflict` where both are there. Where several PMs see the group all let go of it first (`conflict` where it
 * is open), and it is active on the one at work again after that with `awake`. Gives whether there is now something under
 * the new name.
 */
export async function renameLv(
  at: GroupPlace,
  from: string,
  to: string,
  tag: string,
  awake?: 'awake',
): Promise<boolean> {
  const look = await lookAtVolumes(at, from.length < to.length ? from : to)
  const { place } = look
  const { group, host } = place
  const [source, target] = [findVolume(look, from), findVolume(look, to)]
  if (source && target)
    throw new PengxError(
      'conflict',
      `cannot rename ${group}/${from} to ${to} on ${host.name}: both are there; look which one is wanted and lvrename the other`,
    )
  const wake = awake && place.shared && !place.locked ? [activateVolume(group, to)] : []
  if (source) {
    needChanger(place)
    await letGo(place, [from], tag)
    await runParts(place, tag, [renameVolume(group, from, to), ...wake])
  } else if (target && !target.active && wake.length > 0) await runParts(place, tag, wake)
  return source !== undefined || target !== undefined
}

/**
 * Removes a volume's companions that are meant by what their name adds to its own, or itself (lvremove(8)), for good;
 * none there is done. One that is in use is left: `commandFailed`, and `conflict` where that is on another PM.
 */
export async function removeLvs(
  at: GroupPlace,
  name: string,
  isMeant: (ending: string) => boolean,
  tag: string,
): Promise<void> {
  const { place, volumes } = await lookAtVolumes(at, name)
  const meant = volumes.filter((one) => one.name.startsWith(name) && isMeant(one.name.slice(name.length)))
  if (meant.length === 0) return
  for (const volume of meant) needOwnPool(place, volume)
  const names = meant.map((volume) => volume.name)
  needChanger(place)
  await letGo(place, names, tag)
  await runParts(place, tag, [removeVolumes(place.group, names)])
}

/** A change of a thin volume is one of its pool, which may be active on the PM alone that makes it. */
function needOwnPool(place: GroupPlace, { kind, name }: LogicalVolume): void {
  if (kind !== 'thin' || !isChangedElsewhere(place)) return
  const { group, host, changer } = place
  throw new PengxError(
    'refused',
    `thin volume ${group}/${name} is used on ${host.name}, and ${changer.name} changes the group: a pool that is active on both is destroyed; storlink.update with pm=${host.name} makes ${host.name} change it`,
  )
}

/**
 * Makes a volume large enough for an image of that size (lvextend(8)), and zeroes what a thick raw one got, which a
 * tag says until it is done (blkdiscard(8)). Also while a guest uses it; the image in it is not touched. PMs that have it
 * active see its new size. Large enough is done. `notFound`, `noSpace`, and `refused` for a raw one that is larger.
 */
export async function widenLv(
  at: GroupPlace,
  path: string,
  format: DiskFormat,
  sizeMib: number,
  tag: string,
): Promise<void> {
  const { group, name } = placeOf(path)
  const look = await lookAtGroup(at, name, [measureImage(format, { sizeMib })])
  const { host, place } = look
  const volume = findVolume(look, name)
  if (!volume) throw new PengxError('notFound', `cannot grow ${path} on ${host.name}: it is not there`)
  const wanted = inExtents(look, roomFor(format, measured(look, path).fullBytes))
  if (format === 'raw' && wanted < volume.sizeBytes) {
    const is = volume.sizeBytes / MIB
    throw new PengxError('refused', `cannot shrink ${path} on ${host.name} from ${is} to ${sizeMib} MiB`)
  }
  const grows = wanted > volume.sizeBytes
  const thick = volume.kind !== 'thin'
  if (grows) needOwnPool(place, volume)
  if (thick && grows) needSpace(look, undefined, path, wanted - volume.sizeBytes)
  const from = unzeroedFrom(volume) ?? (thick && grows && format === 'raw' ? volume.sizeBytes : undefined)
  const mark = from === undefined ? [] : [tagVolume(group, name, `${ZERO_FROM}${from}`, 'add')]
  const grow = grows ? [extendVolume(group, name, wanted)] : []
  const zero = from === undefined ? [] : zeroFrom(path, from, Math.max(wanted, volume.sizeBytes))
  const parts = [...mark, ...grow, ...see(place, volume), ...zero]
  if (mark.length + grow.length === 0) return
  await runParts(place, tag, parts)
  if (grows) await refreshElsewhere(place, name, tag)
}

/** The programs, not run here, by which the PM at work sees what another has changed of a volume. */
export function see(place: GroupPlace, { name, active }: LogicalVolume): Program[] {
  if (!isChangedElsewhere(place)) return []
  return active ? [refreshVolume(place.group, name)] : [activateVolume(place.group, name)]
}

/**
 * Looks only. Fails with `noSpace` where what a thin volume streams from those between it and `backing` may not fit
 * into its pool; a thick one has all of its room.
 */
export async function needRoomToPull(
  at: GroupPlace,
  chain: readonly ChainImage[],
  backing: Image | undefined,
): Promise<void> {
  const [top, ...below] = chain
  const { group, name } = placeOf(top!.path)
  const look = await lookAtGroup(at, 'pengx-', [measureImage('qcow2', top!)])
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
