import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Host } from '../host/host.ts'
import { run, runAll, runBatch } from '../host/run.ts'
import { activateVolume, permitVolume, shrinkVolume, zeroDevice } from '../tools/lvm.ts'
import { changes } from '../tools/program.ts'
import {
  checkImage,
  createImage,
  imageChain,
  imageInfo,
  measureImage,
  parseCheck,
  parseImageInfo,
  resizeImage,
} from '../tools/qemuImg.ts'
import {
  asideOf,
  draftOf,
  finish,
  formatOf,
  isZeroed,
  makeRoom,
  measured,
  needRoomToPull,
  removeLvs,
  renameLv,
  roomFor,
  stagedOf,
  tagged,
  takenOf,
  unzeroedFrom,
  widenLv,
  zeroBetween,
  zeroFrom,
} from './blockRoom.ts'
import { convertWatched, readImage } from './image.ts'
import { compareVolumes, dependentsAmong, readChain, rebaseVolume } from './layers.ts'
import { digestImage, ownBytes, packWatched } from './pack.ts'
import type { ChainImage, Image, VolumeDriver } from './volumeDriver.ts'
import { findVolume, groupOf, inExtents, lookAtGroup, lookAtVolumes, placeOf, spaceOf } from './volumeGroup.ts'

/**
 * Disks as logical volumes of an LVM volume group, thin where the group has a thin pool. A volume is
 * `/dev/GROUP/pengx-UUID`, holds raw bytes or a qcow2 image with room for all that a guest may write, and says which in
 * a tag: what a guest writes is never asked. It is made under another name and gets its own when it is whole.
 */

const MIB = 1024 * 1024

/** Switches on what an image lies on, from the top down, until QEMU can open all of it. */
async function activate(host: Host, image: Image, tag: string): Promise<void> {
  if (!isLv(image.path)) return
  const { group, name } = placeOf(image.path)
  const volume = findVolume(await lookAtVolumes(host, group, name), name)
  if (!volume) throw new PengxError('notFound', `there is no logical volume ${image.path} on ${host.name}`)
  const from = unzeroedFrom(volume)
  const zero = from === undefined ? [] : zeroFrom(image.path, from, volume.sizeBytes)
  if (!volume.active || from !== undefined) await runAll(host, tagged(tag, [activateVolume(group, name), ...zero]))
  if (image.format === 'raw') return
  const asked = [imageChain(image.path, image.format), imageInfo(image.path, image.format)]
  const [chain, info] = await runBatch(host, batch(asked))
  if (chain?.exit === 0 || info?.exit !== 0) return
  const { backingPath, backingFormat } = parseImageInfo(info.stdout)
  const format = backingFormat === 'raw' ? 'raw' : 'qcow2'
  if (backingPath !== undefined) await activate(host, { path: backingPath, format }, tag)
}

function isLv(path: string): boolean {
  return /^\/dev\/(?!mapper\/)[^/]+\/[^/]+$/.test(path)
}

export const blockVolumes: VolumeDriver = {
  level: 'BL',
  traits: { sparse: false },

  locate: ({ storlink, uuid }) => `/dev/${groupOf(storlink.link)}/pengx-${uuid}`,

  async inspect(host, link) {
    const look = await lookAtGroup(host, groupOf(link), undefined).catch((error: PengxError) => {
      if (error.code !== 'notFound') throw error
      throw new PengxError('refused', error.message, { cause: error.cause })
    })
    return { ...spaceOf(look), identity: look.group.uuid }
  },

  async create(host, path, format, sizeMib, tag) {
    const { group, name } = placeOf(path)
    const look = await lookAtGroup(host, group, name, [measureImage(format, { sizeMib })])
    if (findVolume(look, name)) return
    const bytes = roomFor(format, measured(look, path).fullBytes)
    const draft = `/dev/${group}/${draftOf(name)}`
    const room = makeRoom(look, draftOf(name), format, bytes)
    const empty = isZeroed(look) ? [] : [zeroDevice(draft, 0, inExtents(look, bytes))]
    const fill = format === 'raw' ? empty : [createImage({ path: draft, format, sizeMib })]
    await runAll(host, tagged(tag, [...room, ...fill, ...finish(group, name)]))
  },

  async overlay(host, path, backing, sizeMib, tag) {
    const { group, name } = placeOf(path)
    const asked = measureImage('qcow2', sizeMib === undefined ? backing : { sizeMib })
    const look = await lookAtGroup(host, group, name, [asked])
    if (findVolume(look, name)) return
    const room = makeRoom(look, draftOf(name), 'qcow2', roomFor('qcow2', measured(look, backing.path).fullBytes))
    const size = sizeMib === undefined ? {} : { sizeMib }
    const image = createImage({ path: `/dev/${group}/${draftOf(name)}`, format: 'qcow2', backing, ...size })
    await runAll(host, tagged(tag, [...room, image, ...finish(group, name)]))
  },

  activate,

  async setWritable(host, path, writable, tag) {
    const { group, name } = placeOf(path)
    const volume = findVolume(await lookAtVolumes(host, group, name), name)
    if (!volume) throw new PengxError('notFound', `there is no logical volume ${path} on ${host.name}`)
    if (volume.writable !== writable) await run(host, { ...permitVolume(group, name, writable), tag })
  },

  async isWritable(host, path) {
    const { group, name } = placeOf(path)
    return findVolume(await lookAtVolumes(host, group, name), name)?.writable
  },

  async resize(host, path, format, sizeMib, tag) {
    await widenLv(host, path, format, sizeMib, tag)
    if (format !== 'raw') await run(host, { ...resizeImage(path, format, sizeMib), tag })
  },

  widen: widenLv,

  async setAside(host, path, tag) {
    const { group, name } = placeOf(path)
    await renameLv(host, group, name, asideOf(name), tag)
  },

  async bringBack(host, path, tag) {
    const { group, name } = placeOf(path)
    await renameLv(host, group, asideOf(name), name, tag)
  },

  async isAside(host, path) {
    const { group, name } = placeOf(path)
    return findVolume(await lookAtVolumes(host, group, name), asideOf(name)) !== undefined
  },

  removeAside: (host, path, tag) => removeLvs(host, path, (ending) => ending === '.aside', tag),
  remove: (host, path, tag) => removeLvs(host, path, (ending) => /^(\.new|\.part\d+)?$/.test(ending), tag),
  clearStaged: (host, path, tag) => removeLvs(host, path, (ending) => /^\.part\d+$/.test(ending), tag),

  async stat(host, path, format) {
    if (!isLv(path)) return await readImage(host, path, format)
    const { group, name } = placeOf(path)
    const look = await lookAtVolumes(host, group, name).catch((error: PengxError) => {
      if (error.code === 'notFound') return undefined
      throw error
    })
    if (!look) return await readImage(host, path, format)
    const volume = findVolume(look, name)
    if (!volume) return undefined
    if (!volume.active) {
      const hint = `lvchange -ay ${group}/${name}`
      throw new PengxError('refused', `logical volume ${path} on ${host.name} is not active: ${hint}`)
    }
    const info = await readImage(host, path, formatOf(volume) ?? format)
    return info && { ...info, usedMib: Math.ceil(takenOf(volume) / MIB) }
  },

  async importImage(host, source, target, tag, onProgress, signal) {
    const { group, name } = placeOf(target.path)
    const asked = [measureImage(target.format, source), measureImage('qcow2', source)]
    const look = await lookAtGroup(host, group, name, asked)
    if (findVolume(look, name)) return
    const { fullBytes } = measured(look, source.path)
    const data = measured(look, source.path, 1).requiredBytes
    const bytes = roomFor(target.format, fullBytes)
    await runAll(host, tagged(tag, makeRoom(look, draftOf(name), target.format, bytes, data)))
    const raw = target.format === 'raw'
    const zeroed = isZeroed(look)
    const draft: Image = { path: `/dev/${group}/${draftOf(name)}`, format: target.format }
    const existing = raw ? { existing: zeroed ? ('zeroed' as const) : true } : {}
    await convertWatched(host, { source, target: draft, ...existing }, tag, onProgress, signal)
    const end = inExtents(look, bytes)
    const rest = raw && !zeroed && fullBytes < end ? [zeroDevice(draft.path, fullBytes, end - fullBytes)] : []
    await runAll(host, tagged(tag, [...rest, ...finish(group, name)]))
  },

  chain: readChain,

  async dependents(host, path) {
    const { group } = placeOf(path)
    const { volumes } = await lookAtVolumes(host, group, '')
    const images = volumes.filter(({ kind }) => kind === 'thick' || kind === 'thin')
    const inactive = images.find((volume) => !volume.active && formatOf(volume) === 'qcow2')
    if (inactive) {
      const why = `logical volume ${group}/${inactive.name} on ${host.name} is not active and may lie on ${path}`
      throw new PengxError('refused', `${why}: lvchange -ay ${group}/${inactive.name}`)
    }
    const asked = images.filter((volume) => volume.active && formatOf(volume) !== 'raw')
    return await dependentsAmong(
      host,
      asked.map(({ name }) => `/dev/${group}/${name}`),
      path,
    )
  },

  async rebase(host, path, backing, tag, onProgress, signal) {
    const makeRoom = async (chain: readonly ChainImage[]) => {
      await widenLv(host, path, 'qcow2', chain[0]!.sizeMib, tag)
      await needRoomToPull(host, chain, backing)
    }
    await rebaseVolume(host, path, backing, { tag, onProgress, signal, makeRoom })
  },

  compare: compareVolumes,

  async stageImage(host, path, index, map, tag) {
    const { group, name } = placeOf(path)
    const { becomes } = map
    const look = await lookAtGroup(host, group, name, becomes ? [measureImage(becomes.format, becomes)] : [])
    const whole = becomes ? roomFor(becomes.format, measured(look, path).fullBytes) : 0
    const bytes = inExtents(look, Math.max(map.bytes, whole))
    const staged = `/dev/${group}/${stagedOf(name, index)}`
    const zeroed = isZeroed(look)
    const data = map.extents.reduce((sum, extent) => sum + extent.length, 0)
    const room = makeRoom(look, stagedOf(name, index), becomes?.format, bytes, data)
    await runAll(host, tagged(tag, [...room, ...(zeroed ? [] : zeroBetween(staged, map, bytes))]))
    return { path: staged, zeroed }
  },

  async promoteStaged(host, target, index, tag) {
    const { group, name } = placeOf(target.path)
    const staged = stagedOf(name, index)
    await run(host, { ...changes('sync', `/dev/${group}/${staged}`), okExits: [0, 1], tag })
    if (await renameLv(host, group, staged, name, tag)) return
    throw new PengxError('notFound', `cannot rename ${group}/${staged} on ${host.name}: it is not there`)
  },

  async pack(host, source, { path, backing }, tag, onProgress, signal) {
    const { group, name } = placeOf(path)
    const look = await lookAtGroup(host, group, name, [measureImage('qcow2', backing ? ownBytes(source) : source)])
    if (findVolume(look, name)) return
    const { requiredBytes } = measured(look, source.path)
    const most = roomFor('qcow2', requiredBytes)
    await runAll(host, tagged(tag, makeRoom(look, draftOf(name), 'qcow2', most, requiredBytes)))
    const draft = `/dev/${group}/${draftOf(name)}`
    await packWatched(host, source, { path: draft, ...(backing ? { backing } : {}) }, tag, onProgress, signal)
    const { endBytes = most } = parseCheck((await run(host, checkImage(draft, 'qcow2'))).stdout)
    const shrinks = inExtents(look, endBytes) < inExtents(look, most)
    const shrink = shrinks ? [shrinkVolume(group, draftOf(name), inExtents(look, endBytes))] : []
    await runAll(host, tagged(tag, [changes('sync', draft), ...shrink, ...finish(group, name)]))
  },

  digest: (host, path, signal) => digestImage(host, path, 'with its last cluster', signal),

  /** A thick volume has all of its room from the start; of a pool's nobody can say how long it lasts. */
  async reserve(host, path) {
    const { group, name } = placeOf(path)
    return findVolume(await lookAtVolumes(host, group, name), name)?.kind === 'thick'
  },
}
