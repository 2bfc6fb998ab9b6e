import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Host } from '../host/host.ts'
import { runBatch } from '../host/run.ts'
import { activateVolume, deactivateVolume, type LogicalVolume, refreshVolume } from '../tools/lvm.ts'
import type { Program } from '../tools/program.ts'
import { imageChain, imageInfo, parseImageInfo } from '../tools/qemuImg.ts'
import { unzeroedFrom, zeroFrom } from './blockRoom.ts'
import { activeElsewhere, runParts } from './groupChange.ts'
import type { GroupPlace, GroupPlaces } from './groupPlace.ts'
import type { Image, Users } from './volumeDriver.ts'
import { findVolume, isLv, lookAtVolumes, placeOf } from './volumeGroup.ts'

/** Switching logical volumes on and off on one PM. */

/**
 * Switches on what an image lies on, from the top down, until QEMU can open all of it. Where several PMs see the group a
 * device that is there already is made what the group says of it by now. Gives the paths that it has come to.
 */
export async function activateChain(
  at: GroupPlaces,
  host: Host,
  image: Image,
  tag: string,
  users: Users,
): Promise<readonly string[]> {
  if (!isLv(image.path)) return [image.path]
  const { group, name } = placeOf(image.path)
  const { place, volumes } = await lookAtVolumes(at(host, group), name)
  const volume = findVolume({ volumes }, name)
  if (!volume) throw new PengxError('notFound', `there is no logical volume ${image.path} on ${place.host.name}`)
  const from = unzeroedFrom(volume)
  const zero = from === undefined ? [] : zeroFrom(image.path, from, volume.sizeBytes)
  const on = await switchOn(place, volume, volumes, users)
  const parts = zero.length > 0 && on.length === 0 ? [activateVolume(place.group, name), ...zero] : [...on, ...zero]
  if (parts.length > 0) await runParts(place, tag, parts)
  const below = await stillToSee(place, image)
  // What it lies on is read by whoever lies on it too.
  return [image.path, ...(below === undefined ? [] : await activateChain(at, host, below, tag, 'several'))]
}

/** What an image lies on, where that may be off yet, or older than what the group says. */
async function stillToSee(place: GroupPlace, { path, format }: Image): Promise<Image | undefined> {
  if (format === 'raw') return undefined
  const [chain, info] = await runBatch(place.host, batch([imageChain(path, format), imageInfo(path, format)]))
  if (info?.exit !== 0 || (chain?.exit === 0 && !place.shared)) return undefined
  const { backingPath, backingFormat } = parseImageInfo(info.stdout)
  if (backingPath === undefined) return undefined
  return { path: backingPath, format: backingFormat === 'raw' ? 'raw' : 'qcow2' }
}

async function switchOn(
  place: GroupPlace,
  volume: LogicalVolume,
  volumes: readonly LogicalVolume[],
  users: Users,
): Promise<Program[]> {
  const { group, locked, shared } = place
  const { name, active, kind } = volume
  // Also where it is active already: whose lock it is may change.
  if (locked) return [activateVolume(group, name, users === 'several' && kind === 'thick' ? 'together' : 'alone')]
  if (shared && kind === 'thin') await needPoolHere(place, volume, volumes)
  if (!active) return [activateVolume(group, name)]
  return shared ? [refreshVolume(group, name)] : []
}

/** A thin pool that is active on two PMs is destroyed, and nobody but them can tell where it is. */
async function needPoolHere(place: GroupPlace, { name, pool }: LogicalVolume, volumes: readonly LogicalVolume[]) {
  if (pool === undefined || findVolume({ volumes }, pool)?.active) return
  const { group, host } = place
  const elsewhere = await activeElsewhere(place, pool)
  const where = elsewhere.length > 0 ? `active on ${elsewhere.join(', ')}` : `not active on ${host.name}`
  const help =
    elsewhere.length > 0
      ? `use it there, or switch it off there first: lvchange -an ${group}/${pool}`
      : `where it is active on no other PM, lvchange -ay ${group}/${pool} there`
  throw new PengxError(
    'refused',
    `thin volume ${group}/${name} cannot be used on ${host.name}: its pool ${group}/${pool} is ${where}, and one that is active on two PMs is destroyed; ${help}`,
  )
}

/** Switches a volume off on the PM at work where several see its group; `conflict` where it is open. Off already is done. */
export async function releaseLv(at: GroupPlace, name: string, tag: string): Promise<void> {
  const { place, volumes } = await lookAtVolumes(at, name)
  const volume = findVolume({ volumes }, name)
  if (!place.shared || !volume?.active) return
  const { group, host } = place
  if (volume.open) throw new PengxError('conflict', `logical volume ${group}/${name} is open on ${host.name}`)
  await runParts(place, tag, [deactivateVolume(group, name)])
}
