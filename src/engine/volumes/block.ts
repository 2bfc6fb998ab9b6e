import { PengxError } from '../../model/error.ts'
import type { Host } from '../host/host.ts'
import { run } from '../host/run.ts'
import { activateVolume, permitVolume, shrinkVolume, zeroDevice } from '../tools/lvm.ts'
import { changes } from '../tools/program.ts'
import { checkImage, createImage, measureImage, parseCheck, resizeImage } from '../tools/qemuImg.ts'
import { activateChain, releaseLv } from './blockActive.ts'
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
  see,
  stagedOf,
  takenOf,
  widenLv,
  zeroBetween,
} from './blockRoom.ts'
import { refreshElsewhere, runParts } from './groupChange.ts'
import { type GroupPlaces, ownGroup } from './groupPlace.ts'
import { convertWatched, readImage } from './image.ts'
import { compareVolumes, dependentsAmong, readChain, rebaseVolume } from './layers.ts'
import { digestImage, ownBytes, packWatched } from './pack.ts'
import type { ChainImage, Image, VolumeDriver } from './volumeDriver.ts'
import { findVolume, groupOf, inExtents, isLv, lookAtGroup, lookAtVolumes, placeOf, spaceOf } from './volumeGroup.ts'

/**
 * Disks as logical volumes of an LVM volume group, thin where the group has a thin pool. A volume is
 * `/dev/GROUP/pengx-UUID`, holds raw bytes or a qcow2 image with room for all that a guest may write, and says which in
 * a tag: what a guest writes is never asked. It is made under another name and gets its own when it is whole.
 */

const MIB = 1024 * 1024

/**
 * Of groups that each PM has for itself.
 *
 * @internal Exported for the tests of what holds on one PM.
 */
export const blockVolumes: VolumeDriver = blockVolumesAt(ownGroup)

/** The driver of groups of which somebody says where each is changed. */
export function blockVolumesAt(at: GroupPlaces): VolumeDriver {
  const removeAll = async (host: Host, path: string, isMeant: (ending: string) => boolean, tag: string) => {
    const { group, name } = placeOf(path)
    await removeLvs(at(host, group), name, isMeant, tag)
  }
  return {
    level: 'BL',
    traits: { sparse: false },

    locate: ({ storlink, uuid }) => `/dev/${groupOf(storlink.link)}/pengx-${uuid}`,

    async inspect(host, link) {
      const look = await lookAtGroup(at(host, groupOf(link)), undefined).catch((error: PengxError) => {
        if (error.code !== 'notFound') throw error
        throw new PengxError('refused', error.message, { cause: error.cause })
      })
      const { refusal } = look.place
      return { ...spaceOf(look), identity: look.group.uuid, ...(refusal === undefined ? {} : { refusal }) }
    },

    async create(host, path, format, sizeMib, tag) {
      const { group, name } = placeOf(path)
      const look = await lookAtGroup(at(host, group), name, [measureImage(format, { sizeMib })])
      if (findVolume(look, name)) return
      const bytes = roomFor(format, measured(look, path).fullBytes)
      const draft = `/dev/${group}/${draftOf(name)}`
      const room = await makeRoom(look, tag, { name: draftOf(name), format, bytes })
      const empty = isZeroed(look) ? [] : [zeroDevice(draft, 0, inExtents(look, bytes))]
      const fill = format === 'raw' ? empty : [createImage({ path: draft, format, sizeMib })]
      await runParts(look.place, tag, [...room, ...fill, ...finish(look, name)])
    },

    async overlay(host, path, backing, sizeMib, tag) {
      const { group, name } = placeOf(path)
      const asked = measureImage('qcow2', sizeMib === undefined ? backing : { sizeMib })
      const look = await lookAtGroup(at(host, group), name, [asked])
      if (findVolume(look, name)) return
      const bytes = roomFor('qcow2', measured(look, backing.path).fullBytes)
      const room = await makeRoom(look, tag, { name: draftOf(name), format: 'qcow2', bytes })
      const size = sizeMib === undefined ? {} : { sizeMib }
      const image = createImage({ path: `/dev/${group}/${draftOf(name)}`, format: 'qcow2', backing, ...size })
      await runParts(look.place, tag, [...room, image, ...finish(look, name)])
    },

    async mayWrite() {},

    activate: (host, image, tag, users = 'one') => activateChain(at, host, image, tag, users),

    async release(host, path, tag) {
      const { group, name } = placeOf(path)
      await releaseLv(at(host, group), name, tag)
    },

    async setWritable(host, path, writable, tag) {
      const { group, name } = placeOf(path)
      const { place, volumes } = await lookAtVolumes(at(host, group), name)
      const volume = findVolume({ volumes }, name)
      if (!volume) throw new PengxError('notFound', `there is no logical volume ${path} on ${host.name}`)
      if (volume.writable === writable) return
      // Who may only read it is not alone: under a lock manager others may have it too.
      const lock = place.locked ? [activateVolume(group, name, writable ? 'alone' : 'together')] : []
      const seen = volume.active ? [...see(place, volume), ...lock] : []
      await runParts(place, tag, [permitVolume(group, name, writable), ...seen])
      await refreshElsewhere(place, name, tag)
    },

    async isWritable(host, path) {
      const { group, name } = placeOf(path)
      return findVolume(await lookAtVolumes(at(host, group), name), name)?.writable
    },

    async resize(host, path, format, sizeMib, tag) {
      await widenLv(at(host, placeOf(path).group), path, format, sizeMib, tag)
      if (format !== 'raw') await run(host, { ...resizeImage(path, format, sizeMib), tag })
    },

    widen: (host, path, format, sizeMib, tag) => widenLv(at(host, placeOf(path).group), path, format, sizeMib, tag),

    async setAside(host, path, tag) {
      const { group, name } = placeOf(path)
      await renameLv(at(host, group), name, asideOf(name), tag)
    },

    async bringBack(host, path, tag) {
      const { group, name } = placeOf(path)
      await renameLv(at(host, group), asideOf(name), name, tag, 'awake')
    },

    async isAside(host, path) {
      const { group, name } = placeOf(path)
      return findVolume(await lookAtVolumes(at(host, group), name), asideOf(name)) !== undefined
    },

    removeAside: (host, path, tag) => removeAll(host, path, (ending) => ending === '.aside', tag),
    remove: (host, path, tag) => removeAll(host, path, (ending) => /^(\.new|\.part\d+)?$/.test(ending), tag),
    clearStaged: (host, path, tag) => removeAll(host, path, (ending) => /^\.part\d+$/.test(ending), tag),

    async stat(host, path, format) {
      if (!isLv(path)) return await readImage(host, path, format)
      const { group, name } = placeOf(path)
      const look = await lookAtVolumes(at(host, group), name).catch((error: PengxError) => {
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
      const look = await lookAtGroup(at(host, group), name, asked)
      if (findVolume(look, name)) return
      const { fullBytes } = measured(look, source.path)
      const data = measured(look, source.path, 1).requiredBytes
      const bytes = roomFor(target.format, fullBytes)
      const wanted = { name: draftOf(name), format: target.format, bytes, data }
      await runParts(look.place, tag, await makeRoom(look, tag, wanted))
      const raw = target.format === 'raw'
      const zeroed = isZeroed(look)
      const draft: Image = { path: `/dev/${group}/${draftOf(name)}`, format: target.format }
      const existing = raw ? { existing: zeroed ? ('zeroed' as const) : true } : {}
      await convertWatched(host, { source, target: draft, ...existing }, tag, onProgress, signal)
      const end = inExtents(look, bytes)
      const rest = raw && !zeroed && fullBytes < end ? [zeroDevice(draft.path, fullBytes, end - fullBytes)] : []
      await runParts(look.place, tag, [...rest, ...finish(look, name)])
    },

    chain: readChain,

    async dependents(host, path, { known = [], asleep = 'refused' } = {}) {
      const { group } = placeOf(path)
      const { volumes } = await lookAtVolumes(at(host, group), '')
      const images = volumes
        .filter(({ kind }) => kind === 'thick' || kind === 'thin')
        .filter(({ name }) => !known.includes(`/dev/${group}/${name}`))
      const inactive = images.find((volume) => !volume.active && formatOf(volume) === 'qcow2')
      if (inactive && asleep === 'refused') {
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
        await widenLv(at(host, placeOf(path).group), path, 'qcow2', chain[0]!.sizeMib, tag)
        await needRoomToPull(at(host, placeOf(path).group), chain, backing)
      }
      await rebaseVolume(host, path, backing, { tag, onProgress, signal, makeRoom })
    },

    compare: compareVolumes,

    async stageImage(host, path, index, map, tag) {
      const { group, name } = placeOf(path)
      const { becomes } = map
      const look = await lookAtGroup(at(host, group), name, becomes ? [measureImage(becomes.format, becomes)] : [])
      const whole = becomes ? roomFor(becomes.format, measured(look, path).fullBytes) : 0
      const bytes = inExtents(look, Math.max(map.bytes, whole))
      const staged = `/dev/${group}/${stagedOf(name, index)}`
      const zeroed = isZeroed(look)
      const data = map.extents.reduce((sum, extent) => sum + extent.length, 0)
      const room = await makeRoom(look, tag, { name: stagedOf(name, index), format: becomes?.format, bytes, data })
      await runParts(look.place, tag, [...room, ...(zeroed ? [] : zeroBetween(staged, map, bytes))])
      return { path: staged, zeroed }
    },

    async promoteStaged(host, target, index, tag) {
      const { group, name } = placeOf(target.path)
      const staged = stagedOf(name, index)
      await run(host, { ...changes('sync', `/dev/${group}/${staged}`), okExits: [0, 1], tag })
      if (await renameLv(at(host, group), staged, name, tag, 'awake')) return
      throw new PengxError('notFound', `cannot rename ${group}/${staged} on ${host.name}: it is not there`)
    },

    async pack(host, source, { path, backing }, tag, onProgress, signal) {
      const { group, name } = placeOf(path)
      const look = await lookAtGroup(at(host, group), name, [
        measureImage('qcow2', backing ? ownBytes(source) : source),
      ])
      if (findVolume(look, name)) return
      const { requiredBytes } = measured(look, source.path)
      const most = roomFor('qcow2', requiredBytes)
      const wanted = { name: draftOf(name), format: 'qcow2', bytes: most, data: requiredBytes } as const
      await runParts(look.place, tag, await makeRoom(look, tag, wanted))
      const draft = `/dev/${group}/${draftOf(name)}`
      await packWatched(host, source, { path: draft, ...(backing ? { backing } : {}) }, tag, onProgress, signal)
      const { endBytes = most } = parseCheck((await run(host, checkImage(draft, 'qcow2'))).stdout)
      const shrinks = inExtents(look, endBytes) < inExtents(look, most)
      const shrink = shrinks ? [shrinkVolume(group, draftOf(name), inExtents(look, endBytes))] : []
      await runParts(look.place, tag, [changes('sync', draft), ...shrink, ...finish(look, name)])
    },

    digest: (host, path, signal) => digestImage(host, path, 'with its last cluster', signal),

    /** A thick volume has all of its room from the start; of a pool's nobody can say how long it lasts. */
    async reserve(host, path) {
      const { group, name } = placeOf(path)
      return findVolume(await lookAtVolumes(at(host, group), name), name)?.kind === 'thick'
    },
  }
}
