/** lvm2's reports: vgs, lvs, pvs, as columns and as JSON, with the fields that are asked for. */
import { hintedGroups, isActive } from '../machine/groups.ts'
import type { Call, Program } from '../machine/program.ts'
import type { LogicalVolume, VolumeGroup } from '../machine/state.ts'
import { whyHidden } from './lvmAccess.ts'
import { fail, findVolume, groupFreeBytes, lvmWords } from './lvmWords.ts'
import { writerOf } from './qemuImg/images.ts'

type Row = Record<string, string | number>

export const vgs: Program = (call) => {
  const { words } = lvmWords(call.argv)
  for (const word of words) {
    const group = hintedGroups(call.pm).find((one) => one.name === word)
    const hidden = group && whyHidden(call.pm, group)
    if (group && hidden === undefined) continue
    if (hidden !== undefined) {
      call.err(hidden)
      report(call, 'vg', [], [])
      return 5
    }
    call.err(`  Volume group "${word}" not found\n`)
    return fail(call, `Cannot process volume group ${word}`)
  }
  const groups = hintedGroups(call.pm).filter((group) =>
    words.length === 0 ? whyHidden(call.pm, group) === undefined : words.includes(group.name),
  )
  const fields = ['vg_name', 'pv_count', 'lv_count', 'snap_count', 'vg_attr', 'vg_size', 'vg_free']
  return report(call, 'vg', fields, groups.map(groupRow))
}

function groupRow(group: VolumeGroup): Row {
  return {
    vg_name: group.name,
    vg_uuid: group.uuid,
    pv_count: 1,
    lv_count: group.volumes.length,
    snap_count: 0,
    vg_attr: `wz${group.exported ? 'x' : '-'}${group.partial ? 'p' : '-'}n${group.lockType ? 's' : '-'}`,
    vg_size: group.sizeBytes,
    vg_free: groupFreeBytes(group),
    vg_extent_size: group.extentBytes,
    vg_extent_count: group.sizeBytes / group.extentBytes,
    vg_free_count: groupFreeBytes(group) / group.extentBytes,
    vg_tags: [...(group.tags ?? [])].sort().join(','),
    vg_clustered: '',
    vg_shared: group.lockType ? 'shared' : '',
    vg_partial: group.partial ? 'partial' : '',
    vg_exported: group.exported ? 'exported' : '',
    vg_lock_type: group.lockType ?? '',
    vg_systemid: group.systemId ?? '',
  }
}

/**
 * `-S`: of `lv_name=~REGEX`, `segtype=WORD` and `lv_tags={"TAG"}` one is enough (`||`), or all are needed (`&&`); `!( )` is
 * not.
 */
export function isSelected(selection: string | undefined, volume: LogicalVolume): boolean {
  if (selection === undefined) return true
  const holds = (one: string): boolean => {
    const [, negated] = /^!\((.*)\)$/.exec(one.trim()) ?? []
    if (negated !== undefined) return !holds(negated)
    const [, tag] = /^lv_tags=\{"(.*)"\}$/.exec(one.trim()) ?? []
    if (tag !== undefined) return volume.tags.includes(tag)
    const [, field, how, value = ''] = /^(\w+)(=~|=)(.*)$/.exec(one.trim()) ?? []
    const is = field === 'lv_name' ? volume.name : field === 'segtype' ? volume.segType : ''
    return how === '=~' ? new RegExp(value).test(is) : is === value
  }
  return selection.includes('&&') ? selection.split('&&').every(holds) : selection.split('||').some(holds)
}

export const lvs: Program = (call) => {
  const { values, words } = lvmWords(call.argv)
  const rows: Row[] = []
  let exit = 0
  for (const word of words.length === 0 ? hintedGroups(call.pm).map((group) => group.name) : words) {
    const { group, volume, name } = findVolume(call.pm, word)
    if (group === undefined) {
      const asked = word.replace(/^\/dev\//, '').split('/')[0]
      call.err(`  Volume group "${asked}" not found\n`)
      exit = fail(call, `Cannot process volume group ${asked}`)
      continue
    }
    if (name !== undefined && volume === undefined) {
      exit = fail(call, `Failed to find logical volume "${group.name}/${name}"`)
      continue
    }
    const hidden =
      whyHidden(call.pm, group) ?? (group.exported ? `  Volume group ${group.name} is exported\n` : undefined)
    if (hidden !== undefined) {
      call.err(hidden)
      report(call, 'lv', [], [])
      return 5
    }
    if (name !== undefined && volume === undefined)
      return fail(call, `Failed to find logical volume "${group.name}/${name}"`)
    const meant = (volume ? [volume] : group.volumes).filter((one) => isSelected(values.get('select'), one))
    for (const one of meant) rows.push(volumeRow(call, group, one))
  }
  const fields = 'lv_name vg_name lv_attr lv_size pool_lv origin data_percent metadata_percent'.split(' ')
  const more = 'move_pv mirror_log copy_percent convert_lv'.split(' ')
  return report(call, 'lv', [...fields, ...more], rows) || exit
}

function volumeRow(call: Call, group: VolumeGroup, volume: LogicalVolume): Row {
  const path = `/dev/${group.name}/${volume.name}`
  const open = writerOf(call.pm, path)
  const active = isActive(call.pm, group, volume)
  const thin = volume.segType === 'thin'
  const type = volume.segType === 'thin-pool' ? 't' : thin ? 'V' : volume.origin ? 's' : '-'
  const letters = [
    type,
    volume.readOnly ? 'r' : 'w',
    'i',
    '-',
    active ? 'a' : '-',
    open ? 'o' : '-',
    type === '-' || type === 's' ? '-' : 't',
    type === 't' || type === 'V' ? 'z' : '-',
    '-',
    volume.skipActivation ? 'k' : '-',
  ]
  return {
    ...groupRow(group),
    lv_name: volume.name,
    lv_uuid: volume.uuid,
    lv_full_name: `${group.name}/${volume.name}`,
    lv_path: path,
    lv_attr: letters.join(''),
    lv_size: volume.sizeBytes,
    lv_active: active ? 'active' : '',
    lv_device_open: open ? 'open' : '',
    lv_permissions: volume.readOnly ? 'read-only' : 'writeable',
    lv_tags: volume.tags.join(','),
    segtype: volume.segType,
    pool_lv: volume.pool ?? '',
    origin: volume.origin ?? '',
    data_percent: type === '-' ? '' : (volume.dataPercent ?? 0).toFixed(2),
    metadata_percent: type === 't' ? '10.00' : '',
    snap_percent: '',
    move_pv: '',
    mirror_log: '',
    copy_percent: '',
    convert_lv: '',
    lv_skip_activation: volume.skipActivation ? 'skip activation' : '',
  }
}

const TITLES: Record<string, string> = {
  vg_name: 'VG',
  pv_count: '#PV',
  lv_count: '#LV',
  snap_count: '#SN',
  vg_attr: 'Attr',
  vg_size: 'VSize',
  vg_free: 'VFree',
  lv_name: 'LV',
  lv_attr: 'Attr',
  lv_size: 'LSize',
  pool_lv: 'Pool',
  origin: 'Origin',
  data_percent: 'Data%',
  metadata_percent: 'Meta%',
  move_pv: 'Move',
  mirror_log: 'Log',
  copy_percent: 'Cpy%Sync',
  convert_lv: 'Convert',
  pv_name: 'PV',
  pv_fmt: 'Fmt',
  pv_attr: 'Attr',
  pv_size: 'PSize',
  pv_free: 'PFree',
}

function report(call: Call, kind: string, standard: readonly string[], rows: readonly Row[]): number {
  const { values } = lvmWords(call.argv)
  const asked = values.get('options')
  const named = asked?.replace(/^\+/, '').split(',') ?? []
  const fields = asked === undefined ? standard : asked.startsWith('+') ? [...standard, ...named] : named
  const units = values.get('units') ?? 'r'
  const suffix = !values.has('nosuffix')
  const text = (row: Row, field: string): string => {
    const value = row[field] ?? row[`${kind}_${field}`]
    if (typeof value !== 'number' || !/(_size|_free)$/.test(field)) return String(value ?? '')
    return sizeText(value, units, suffix)
  }
  if (values.get('reportformat') === 'json') {
    const list = rows.map((row) => Object.fromEntries(fields.map((field) => [field, text(row, field)])))
    call.out(`${JSON.stringify({ report: [{ [kind]: list }] }, null, 2)}\n`)
    return 0
  }
  const separator = values.get('separator') ?? ' '
  const table = rows.map((row) => fields.map((field) => text(row, field)))
  if (!values.has('noheadings')) table.unshift(fields.map((field) => TITLES[field] ?? field))
  const widths = fields.map((_, column) => Math.max(...table.map((line) => line[column]!.length)))
  for (const line of table) {
    const cells = separator === ' ' ? line.map((cell, column) => aligned(cell, widths[column]!, fields[column]!)) : line
    call.out(`  ${cells.join(separator)}\n`)
  }
  return 0
}

function aligned(cell: string, width: number, field: string): string {
  return /_(size|free|count|percent)$/.test(field) ? cell.padStart(width) : cell.padEnd(width)
}

function sizeText(bytes: number, units: string, suffix: boolean): string {
  const powers = 'bkmgtp'
  let at = powers.indexOf(units.toLowerCase())
  if (at === 0) return `${bytes}${suffix ? 'B' : ''}`
  if (at === -1) {
    at = 0
    while (at < 5 && bytes / 1024 ** (at + 1) >= 1) at++
  }
  return `${(bytes / 1024 ** at).toFixed(2)}${suffix ? powers[at] : ''}`
}
