/** lvm2's changes on a simulated PM: volumes with sizes, thin ones over a pool, and device nodes for what is active. */
import { newUuid } from '../../lib/ids.ts'
import { findNode } from '../machine/files.ts'
import { activate, deactivate, isActive, refresh, renameDevice } from '../machine/groups.ts'
import { isOpen } from '../machine/openImages.ts'
import type { Call, Program } from '../machine/program.ts'
import type { LogicalVolume, VolumeGroup } from '../machine/state.ts'
import { bytesOf } from './files/words.ts'
import { changing, whyNoChange } from './lvmAccess.ts'
import { isSelected } from './lvmReport.ts'
import { all, fail, findVolume, groupFreeBytes, lvmWords } from './lvmWords.ts'

function needVolume(call: Call, word: string): { group: VolumeGroup; volume: LogicalVolume } | 5 {
  const { group, volume, name } = findVolume(call.pm, word)
  if (group === undefined) {
    call.err(`  Volume group "${word.replace(/^\/dev\//, '').split('/')[0]}" not found\n`)
    return fail(call, `Cannot process volume group ${word.replace(/^\/dev\//, '').split('/')[0]}`)
  }
  return volume ? { group, volume } : fail(call, `Failed to find logical volume "${group.name}/${name ?? ''}"`)
}

function roundUp(group: VolumeGroup, bytes: number): number {
  return Math.ceil(bytes / group.extentBytes) * group.extentBytes
}

/** lvm2 takes a bare number as MiB. */
function sizeOf(text: string): number | undefined {
  return bytesOf(/^\d+(\.\d+)?$/.test(text) ? `${text}m` : text.replace(/^[+-]/, ''))
}

export const lvcreate: Program = (call) => changeOf(call, create)

function create(call: Call): number {
  const { values, words } = lvmWords(call.argv)
  const origin = values.has('snapshot') ? findVolume(call.pm, words[0] ?? '') : undefined
  const { group, name: poolWord } = findVolume(call.pm, words[0] ?? '')
  if (group === undefined) return fail(call, `Volume group "${words[0] ?? ''}" not found`)
  const name = values.get('name')?.split('/').at(-1) ?? `lvol${group.volumes.length}`
  if (group.volumes.some((one) => one.name === name))
    return fail(call, `Logical Volume "${name}" already exists in volume group "${group.name}"`)
  if (origin && origin.volume === undefined)
    return fail(call, `Failed to find logical volume "${group.name}/${origin.name ?? ''}"`)
  const pool = values.get('thinpool')?.split('/').at(-1) ?? (values.has('thin') ? poolWord : undefined)
  const thinOrigin = origin?.volume?.segType === 'thin' && !values.has('size')
  const thin = thinOrigin || (pool !== undefined && values.has('virtualsize'))
  const asked = values.get('virtualsize') ?? values.get('size')
  const size = thinOrigin ? origin?.volume?.sizeBytes : asked === undefined ? undefined : sizeOf(asked)
  if (size === undefined) return fail(call, 'Please specify either size or extents.')
  if (thin && values.has('zero')) {
    call.err("  --zero is supported only with thin pool creation.\n  Run `lvcreate --help' for more information.\n")
    return 3
  }
  if (thin && !thinOrigin && !group.volumes.some((one) => one.name === pool && one.segType === 'thin-pool'))
    return fail(call, `Thin pool ${group.name}/${pool} not found.`)
  const sizeBytes = roundUp(group, size)
  if (!thin && sizeBytes > groupFreeBytes(group)) {
    const extents = (bytes: number) => Math.floor(bytes / group.extentBytes)
    return fail(
      call,
      `Volume group "${group.name}" has insufficient free space (${extents(groupFreeBytes(group))} extents): ${extents(sizeBytes)} required.`,
    )
  }
  const volume: LogicalVolume = {
    name,
    uuid: newUuid(),
    sizeBytes,
    segType: thin ? 'thin' : values.get('type') === 'thin-pool' ? 'thin-pool' : 'linear',
    ...(thin ? { pool: thinOrigin ? origin?.volume?.pool : pool } : {}),
    ...(origin?.volume ? { origin: origin.volume.name } : {}),
    active: false,
    ...(values.get('setactivationskip') === 'y' || (thinOrigin && values.get('setactivationskip') !== 'n')
      ? { skipActivation: true }
      : {}),
    ...(values.get('permission') === 'r' ? { readOnly: true } : {}),
    tags: values.has('addtag') ? [values.get('addtag')!] : [],
  }
  group.volumes.push(volume)
  const wanted = values.get('activate') ?? 'y'
  if (wanted !== 'n' && (!volume.skipActivation || values.has('ignoreactivationskip')))
    activate(call.world, call.pm, group, volume, call.now())
  call.world.save()
  if (!values.has('quiet')) call.out(`  Logical volume "${name}" created.\n`)
  return 0
}

/** Those that are there go, whatever is said of the others. */
export const lvremove: Program = (call) => changeOf(call, remove)

function remove(call: Call): number {
  const { values, words } = lvmWords(call.argv)
  let exit = 0
  for (const word of words) {
    const found = needVolume(call, word)
    if (found === 5) {
      exit = 5
      continue
    }
    const { group, volume } = found
    if (isOpen(call.pm, `/dev/${group.name}/${volume.name}`)) {
      exit = fail(call, `Logical volume ${group.name}/${volume.name} in use.`)
      continue
    }
    deactivate(call.pm, group, volume)
    group.volumes = group.volumes.filter((one) => one !== volume)
    if (!values.has('quiet')) call.out(`  Logical volume "${volume.name}" successfully removed.\n`)
  }
  call.world.save()
  return exit
}

export const lvreduce: Program = (call) => changeOf(call, () => resize(call, 'either way'))
export const lvextend: Program = (call) => changeOf(call, () => resize(call, 'larger'))

function resize(call: Call, way: 'larger' | 'either way'): number {
  const { values, words } = lvmWords(call.argv)
  const found = needVolume(call, words[0] ?? '')
  if (found === 5) return 5
  const { group, volume } = found
  const text = values.get('size') ?? ''
  const given = sizeOf(text.replace(/^[+-]/, ''))
  if (given === undefined) return fail(call, 'Please specify either size or extents (not both).')
  const old = volume.sizeBytes
  const size = roundUp(group, text.startsWith('+') ? old + given : text.startsWith('-') ? old - given : given)
  const extents = (bytes: number) => Math.floor(bytes / group.extentBytes)
  if (size === old)
    return fail(call, `New size (${extents(size)} extents) matches existing size (${extents(old)} extents).`)
  if (way === 'larger' && size < old)
    return fail(
      call,
      `New size given (${extents(size)} extents) not larger than existing size (${extents(old)} extents)`,
    )
  if (volume.segType !== 'thin' && size - old > groupFreeBytes(group)) {
    return fail(
      call,
      `Insufficient free space: ${extents(size - old)} extents needed, but only ${extents(groupFreeBytes(group))} available`,
    )
  }
  volume.sizeBytes = size
  const node = findNode(call.pm, `/dev/${group.name}/${volume.name}`)
  if (node?.kind === 'block') {
    node.size = size
    if (node.image?.format === 'raw') node.image.virtualSize = size
  }
  call.world.save()
  if (values.has('quiet')) return 0
  const mib = (bytes: number) => `${(bytes / 1048576).toFixed(2)} MiB (${bytes / group.extentBytes} extents)`
  call.out(`  Size of logical volume ${group.name}/${volume.name} changed from ${mib(old)} to ${mib(size)}.\n`)
  call.out(`  Logical volume ${group.name}/${volume.name} successfully resized.\n`)
  return 0
}

export const lvrename: Program = (call) => changeOf(call, rename)

function rename(call: Call): number {
  const { words } = lvmWords(call.argv)
  const [first = '', second = '', third] = words
  const from = third === undefined ? first : `${first}/${second}`
  const to = (third ?? second).split('/').at(-1)!
  const asked = findVolume(call.pm, from)
  if (asked.group && !asked.volume)
    return fail(call, `Existing logical volume "${asked.name ?? ''}" not found in volume group "${asked.group.name}"`)
  const found = needVolume(call, from)
  if (found === 5) return 5
  const { group, volume } = found
  if (group.volumes.some((one) => one.name === to))
    return fail(call, `Logical Volume "${to}" already exists in volume group "${group.name}"`)
  const old = volume.name
  renameDevice(call.pm, group, old, to)
  volume.name = to
  for (const one of group.volumes) {
    if (one.origin === old) one.origin = to
    if (one.pool === old) one.pool = to
  }
  call.world.save()
  call.out(`  Renamed "${old}" to "${to}" in volume group "${group.name}"\n`)
  return 0
}

export const lvchange: Program = (call) => {
  const { values } = lvmWords(call.argv)
  const switches = values.has('activate') || values.has('refresh')
  return switches ? change(call) : changeOf(call, change)
}

/** Within lvm2's lock of the group that the first word names. */
function changeOf(call: Call, work: (call: Call) => number): number | Promise<number> {
  const { group } = findVolume(call.pm, lvmWords(call.argv).words[0] ?? '')
  const why = group && whyNoChange(call.pm, group, 'change')
  if (why === undefined) return changing(call, group, () => work(call))
  call.err(why)
  return 5
}

function change(call: Call): number {
  const { values, words } = lvmWords(call.argv)
  for (const word of words) {
    const found = needVolume(call, word)
    if (found === 5) return 5
    const { group, volume } = found
    if (!isSelected(values.get('select'), volume)) continue
    const wanted = values.get('activate')
    const why = wanted === undefined || wanted === 'n' ? undefined : whyNoChange(call.pm, group, 'activate')
    if (why !== undefined) {
      call.err(why)
      return 5
    }
    const others = (volume.activeOn ?? []).filter((name) => name !== call.pm.name)
    if (group.lockType && (wanted === 'ey' || wanted === 'y') && others.length > 0)
      return fail(call, `LV locked by other host: ${group.name}/${volume.name}`)
    if (values.has('refresh') && isActive(call.pm, group, volume)) refresh(call.pm, group, volume)
    if (wanted === 'n') {
      if (isOpen(call.pm, `/dev/${group.name}/${volume.name}`))
        return fail(call, `Logical volume ${group.name}/${volume.name} in use.`)
      deactivate(call.pm, group, volume)
    } else if (wanted !== undefined && (!volume.skipActivation || values.has('ignoreactivationskip')))
      activate(call.world, call.pm, group, volume, call.now())
    const skip = values.get('setactivationskip')
    if (skip !== undefined) volume.skipActivation = skip === 'y' ? true : undefined
    const permission = values.get('permission')
    if (permission === 'r' && volume.readOnly)
      return fail(call, `Logical volume "${group.name}/${volume.name}" is already read only.`)
    if (permission === 'rw' && !volume.readOnly)
      return fail(call, `Logical volume "${group.name}/${volume.name}" is already writable.`)
    if (permission !== undefined) volume.readOnly = permission === 'r' ? true : undefined
    const [added, dropped] = [all(call, '--addtag'), all(call, '--deltag')]
    volume.tags = [...new Set([...volume.tags.filter((tag) => !dropped.includes(tag)), ...added])]
    if (added.length + dropped.length > 0) call.out(`  Logical volume ${group.name}/${volume.name} changed.\n`)
  }
  call.world.save()
  return 0
}

/** Zeroes a device from a place on; what an image has there is its header, at the very beginning. */
export const blkdiscard: Program = (call) => {
  const path = call.argv.at(-1) ?? ''
  const node = findNode(call.pm, path)
  if (node?.kind !== 'block') {
    call.err(`blkdiscard: ${node ? `${path}: not a block device` : `cannot open ${path}: No such file or directory`}\n`)
    return 1
  }
  const at = call.argv.indexOf('-o')
  if (at < 0 || Number(call.argv[at + 1]) === 0)
    Object.assign(node, { image: undefined, text: undefined, allocated: 0 })
  call.world.save()
  return 0
}
