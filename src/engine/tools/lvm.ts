import { changes, endable, type Program, reads } from './program.ts'

/** lvm2 (vgs, lvs, lvcreate, …) as of 2.03: what pengx asks of it, and what its reports answer. Sizes in bytes. */

export interface VolumeGroup {
  readonly name: string
  readonly uuid: string
  readonly sizeBytes: number
  readonly freeBytes: number
  readonly extentBytes: number
}

export interface LogicalVolume {
  readonly name: string
  readonly sizeBytes: number
  readonly kind: 'thick' | 'thin' | 'thinPool' | 'other'
  readonly active: boolean
  readonly writable: boolean
  /** Blocks that a thin pool hands out hold zeros, not what somebody else had written there. */
  readonly zeroes: boolean
  readonly tags: readonly string[]
  /** The thin pool it takes its blocks from. */
  readonly pool?: string
  /** Of a thin volume or pool, what is taken of it; absent where it is not active. */
  readonly dataPercent?: number
}

const REPORT = ['--reportformat', 'json', '--units', 'b', '--nosuffix'] as const
/** Answers every question and says nothing of what went well. */
const CALM = ['-y', '-qq'] as const

/** 5: there is no such group, said on stderr. */
export function showGroup(group: string): Program {
  const fields = 'vg_name,vg_uuid,vg_size,vg_free,vg_extent_size'
  return { ...reads('vgs', ...REPORT, '-o', fields, group), okExits: [0, 5] }
}

/** A group's thin pools, and its volumes whose name begins so (lvm2's own regular expressions take little more). */
export function showVolumes(group: string, beginning?: string): Program {
  const fields = 'lv_name,lv_size,lv_attr,lv_tags,pool_lv,data_percent'
  const select = beginning === undefined ? 'segtype=thin-pool' : `lv_name=~^${beginning}||segtype=thin-pool`
  return { ...reads('lvs', ...REPORT, '-o', fields, '-S', select, group), okExits: [0, 5] }
}

/** Which volume of which group a path is, by the UUIDs that LVM gave them; 5: it is none. `parseVolumeIdentity` reads it. */
export function volumeIdentity(path: string): Program {
  return { ...reads('lvs', ...REPORT, '-o', 'vg_uuid,lv_uuid', path), okExits: [0, 5] }
}

/** Undefined where the answer names no volume. */
export function parseVolumeIdentity(stdout: string): string | undefined {
  const row = stdout.trim() === '' ? undefined : JSON.parse(stdout).report?.[0]?.lv?.[0]
  return row?.lv_uuid && row.vg_uuid ? `${row.vg_uuid}/${row.lv_uuid}` : undefined
}

/**
 * A new volume, active, its first 4 KiB zeroed and old signatures wiped. A thin one is zeroed by its pool, and lvcreate
 * refuses `-Z` for it.
 */
export function createVolume(volume: {
  readonly group: string
  readonly name: string
  readonly bytes: number
  readonly pool?: string
  readonly tag?: string
}): Program {
  const { group, name, bytes, pool, tag } = volume
  const size = pool === undefined ? ['-Wy', '-Zy', '-L', `${bytes}b`] : ['-V', `${bytes}b`, '--thinpool', pool]
  const tags = tag === undefined ? [] : ['--addtag', tag]
  return changes('lvcreate', ...CALM, '-n', name, ...size, ...tags, group)
}

export function extendVolume(group: string, name: string, bytes: number): Program {
  return changes('lvextend', ...CALM, '-L', `${bytes}b`, `${group}/${name}`)
}

/** What lies behind that is lost: `-f`, since lvreduce cannot know that nothing does. */
export function shrinkVolume(group: string, name: string, bytes: number): Program {
  return changes('lvreduce', ...CALM, '-f', '-L', `${bytes}b`, `${group}/${name}`)
}

export function renameVolume(group: string, name: string, to: string): Program {
  return changes('lvrename', group, name, to)
}

/** One that is in use is not removed, and that is lvremove's own refusal. */
export function removeVolumes(group: string, names: readonly string[]): Program {
  return changes('lvremove', ...CALM, ...names.map((name) => `${group}/${name}`))
}

/** Done already is done. */
export function activateVolume(group: string, name: string): Program {
  return changes('lvchange', '-ay', `${group}/${name}`)
}

/** lvchange refuses to make it what it is. */
export function permitVolume(group: string, name: string, write: boolean): Program {
  return changes('lvchange', write ? '-prw' : '-pr', `${group}/${name}`)
}

export function tagVolume(group: string, name: string, tag: string, how: 'add' | 'take away'): Program {
  return changes('lvchange', how === 'add' ? '--addtag' : '--deltag', tag, `${group}/${name}`)
}

/** Zeroes a stretch of a device, by the device itself where it can (blkdiscard(8)). In steps, so that it can be ended. */
export function zeroDevice(path: string, from: number, length: number): Program {
  return endable('blkdiscard', '-z', '-p', '1GiB', '-o', String(from), '-l', String(length), path)
}

interface Report<Row> {
  readonly report: readonly { readonly vg?: readonly Row[]; readonly lv?: readonly Row[] }[]
}

/** Undefined where the report has no group: there is none of that name. */
export function parseGroup(stdout: string): VolumeGroup | undefined {
  const [row] = rowsOf(stdout, 'vg')
  if (!row) return undefined
  return {
    name: row.vg_name!,
    uuid: row.vg_uuid ?? '',
    sizeBytes: Number(row.vg_size),
    freeBytes: Number(row.vg_free),
    extentBytes: Number(row.vg_extent_size),
  }
}

export function parseVolumes(stdout: string): LogicalVolume[] {
  return rowsOf(stdout, 'lv').map((row): LogicalVolume => {
    const { lv_attr: letters = '', lv_tags: tags = '', pool_lv: pool = '', data_percent: percent = '' } = row
    return {
      name: row.lv_name!,
      sizeBytes: Number(row.lv_size),
      kind: kindOf(letters[0] ?? ''),
      active: letters[4] === 'a',
      writable: letters[1] === 'w',
      zeroes: letters[7] === 'z',
      tags: tags === '' ? [] : tags.split(','),
      ...(pool === '' ? {} : { pool }),
      ...(percent === '' ? {} : { dataPercent: Number(percent) }),
    }
  })
}

/** The first letter of lv_attr (lvs(8)). */
function kindOf(letter: string): LogicalVolume['kind'] {
  if (letter === '-') return 'thick'
  if (letter === 'V') return 'thin'
  return letter === 't' ? 'thinPool' : 'other'
}

function rowsOf(stdout: string, kind: 'vg' | 'lv'): readonly Readonly<Record<string, string>>[] {
  // What lvs complains of may stand between the report's own lines where both go to one place.
  const text = stdout.slice(Math.max(0, stdout.indexOf('{')))
  if (text.trim() === '') return []
  const { report } = JSON.parse(text) as Report<Record<string, string>>
  return report.flatMap((part) => part[kind] ?? [])
}
