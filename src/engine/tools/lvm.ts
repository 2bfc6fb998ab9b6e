import { changes, endable, type Program, reads } from './program.ts'

/** lvm2 (vgs, lvs, lvcreate, …) as of 2.03: what pengx asks of it, and what its reports answer. Sizes in bytes. */

export interface VolumeGroup {
  readonly name: string
  readonly uuid: string
  readonly sizeBytes: number
  readonly freeBytes: number
  readonly extentBytes: number
  /** lvmlockd takes its locks on every host (lvmlockd(8)); absent for a plain group. */
  readonly lockType?: LockType
  /** The host that it belongs to (lvmsystemid(7)). */
  readonly systemId?: string
  /** A physical volume of it is missing. */
  readonly partial: boolean
  /** Given away by vgexport(8), and not taken in by vgimport(8). */
  readonly exported: boolean
  readonly tags: readonly string[]
}

export type LockType = 'sanlock' | 'dlm'

export interface LogicalVolume {
  readonly name: string
  readonly sizeBytes: number
  readonly kind: 'thick' | 'thin' | 'thinPool' | 'other'
  readonly active: boolean
  /** Something on that machine has its device open. */
  readonly open: boolean
  readonly writable: boolean
  /** Blocks that a thin pool hands out hold zeros, not what somebody else had written there. */
  readonly zeroes: boolean
  readonly tags: readonly string[]
  /** The thin pool it takes its blocks from. */
  readonly pool?: string
  /** Of a thin volume or pool, what is taken of it; absent where it is not active. */
  readonly dataPercent?: number
  /** Its group's. */
  readonly lockType?: LockType
}

/** How lvm2's reports are asked for. */
export const REPORT = ['--reportformat', 'json', '--units', 'b', '--nosuffix'] as const
/** Answers every question and says nothing of what went well. */
export const CALM = ['-y', '-qq'] as const

/** 5: there is no such group, or none for this host: `whyHidden` reads that from stderr. */
export function showGroup(group: string): Program {
  const state = 'vg_partial,vg_exported,vg_lock_type,vg_systemid'
  const fields = `vg_name,vg_uuid,vg_size,vg_free,vg_extent_size,vg_tags,${state}`
  return { ...reads('vgs', ...REPORT, '-o', fields, group), okExits: [0, 5] }
}

/** A group's thin pools, and its volumes whose name begins so (lvm2's own regular expressions take little more). */
export function showVolumes(group: string, beginning?: string): Program {
  const fields = 'lv_name,lv_size,lv_attr,lv_tags,pool_lv,data_percent,vg_lock_type,vg_tags'
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
 * A new volume, active, its first 4 KiB zeroed and old signatures wiped; `asleep`: neither, for who makes it for another
 * machine. A thin one is zeroed by its pool, and lvcreate refuses `-Z` for it.
 */
export function createVolume(volume: {
  readonly group: string
  readonly name: string
  readonly bytes: number
  readonly pool?: string
  readonly tag?: string
  readonly asleep?: boolean
}): Program {
  const { group, name, bytes, pool, tag, asleep } = volume
  const start = asleep ? ['-an', '-Wn', '-Zn'] : ['-Wy', '-Zy']
  const size = pool === undefined ? [...start, '-L', `${bytes}b`] : ['-V', `${bytes}b`, '--thinpool', pool]
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

/** `alone`: nobody else may have it active, which lvmlockd sees to; `together`: others may. Plain: nobody sees to it. */
export type Activation = 'plain' | 'alone' | 'together'

const ACTIVATIONS: Record<Activation, string> = { plain: '-ay', alone: '-aey', together: '-asy' }

/** Done already is done. */
export function activateVolume(group: string, name: string, how: Activation = 'plain'): Program {
  return changes('lvchange', ACTIVATIONS[how], `${group}/${name}`)
}

/** Its device goes from this machine; done already is done, one that is open stays: `isInUse` reads that from stderr. */
export function deactivateVolume(group: string, name: string): Program {
  return changes('lvchange', '-an', `${group}/${name}`)
}

/** An active volume's device becomes what the group says by now; one that is not active stays so. */
export function refreshVolume(group: string, name: string): Program {
  return changes('lvchange', '--refresh', `${group}/${name}`)
}

/** lvchange refuses to make it what it is. */
export function permitVolume(group: string, name: string, write: boolean): Program {
  return changes('lvchange', write ? '-prw' : '-pr', `${group}/${name}`)
}

export function tagVolume(group: string, name: string, tag: string, how: 'add' | 'take away'): Program {
  return changes('lvchange', how === 'add' ? '--addtag' : '--deltag', tag, `${group}/${name}`)
}

const METADATA = ['lvcreate', 'lvremove', 'lvrename', 'lvextend', 'lvreduce', 'vgchange']
const SWITCHES = ['--refresh', '-an', ...Object.values(ACTIVATIONS)]

/** Whether a program writes the group's metadata, and not only a machine's devices. */
export function changesMetadata({ argv: [program, ...words] }: Program): boolean {
  return METADATA.includes(program) || (program === 'lvchange' && !words.some((word) => SWITCHES.includes(word)))
}

/** Zeroes a stretch of a device, by the device itself where it can (blkdiscard(8)). In steps, so that it can be ended. */
export function zeroDevice(path: string, from: number, length: number): Program {
  return endable('blkdiscard', '-z', '-p', '1GiB', '-o', String(from), '-l', String(length), path)
}

type Row = Readonly<Record<string, string>>

interface Report {
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
    ...lockOf(row),
    ...(row.vg_systemid ? { systemId: row.vg_systemid } : {}),
    partial: Boolean(row.vg_partial),
    exported: Boolean(row.vg_exported),
    tags: tagsOf(row.vg_tags),
  }
}

/** Pure. A row's lock type, where its group has one. */
export function lockOf({ vg_lock_type: type }: Row): { readonly lockType?: LockType } {
  return type === 'sanlock' || type === 'dlm' ? { lockType: type } : {}
}

/** Why LVM hides a group from this host, as it says on stderr. */
export type Hidden =
  | { readonly kind: 'foreign'; readonly systemId: string }
  | { readonly kind: 'noLockd'; readonly lockType: string }
  | { readonly kind: 'exported' }

/** Undefined where it says nothing of the kind: then there is no such group. */
export function whyHidden(stderr: string): Hidden | undefined {
  const [, systemId] = /Cannot access VG \S+ with system ID (\S+) with /.exec(stderr) ?? []
  if (systemId !== undefined) return { kind: 'foreign', systemId }
  const [, lockType] = /Cannot access VG \S+ with lock type (\S+) that requires lvmlockd/.exec(stderr) ?? []
  if (lockType !== undefined) return { kind: 'noLockd', lockType }
  return /Volume group \S+ is exported/.test(stderr) ? { kind: 'exported' } : undefined
}

/** A change of a group, or an activation, was refused since a lock of it was not to be had (lvmlockd(8)). */
export type LockFailure = 'noLock' | 'held'

/** What lvmlockd's failure was, as LVM says on stderr; undefined where it was none. */
export function lockFailure(stderr: string): LockFailure | undefined {
  if (/LV locked by other host|lock failed: held by other host/.test(stderr)) return 'held'
  return /due to failed lock|lvmlockd process is not running|\b(VG|LV|Global) (\S+ )?lock failed/.test(stderr)
    ? 'noLock'
    : undefined
}

/** A volume was not deactivated since something has it open, as LVM says on stderr. */
export function isInUse(stderr: string): boolean {
  return /Logical volume \S+ (contains a filesystem )?in use\.|is used by another device/.test(stderr)
}

export function parseVolumes(stdout: string): LogicalVolume[] {
  return rowsOf(stdout, 'lv').map((row): LogicalVolume => {
    const { lv_attr: letters = '', lv_tags: tags = '', pool_lv: pool = '', data_percent: percent = '' } = row
    return {
      name: row.lv_name!,
      sizeBytes: Number(row.lv_size),
      kind: kindOf(letters[0] ?? ''),
      active: letters[4] === 'a',
      open: letters[5] === 'o',
      writable: letters[1] === 'w',
      zeroes: letters[7] === 'z',
      tags: tagsOf(tags),
      ...(pool === '' ? {} : { pool }),
      ...(percent === '' ? {} : { dataPercent: Number(percent) }),
      ...lockOf(row),
    }
  })
}

/** Pure. As a report has them. */
export function tagsOf(list = ''): string[] {
  return list === '' ? [] : list.split(',')
}

/** The first letter of lv_attr (lvs(8)). */
function kindOf(letter: string): LogicalVolume['kind'] {
  if (letter === '-') return 'thick'
  if (letter === 'V') return 'thin'
  return letter === 't' ? 'thinPool' : 'other'
}

/** Pure. The rows of a report; what is said of it beside them is passed over. */
export function rowsOf(stdout: string, kind: 'vg' | 'lv'): readonly Row[] {
  // What lvs complains of may stand between the report's own lines where both go to one place.
  const text = stdout.slice(Math.max(0, stdout.indexOf('{')))
  if (text.trim() === '') return []
  const { report } = JSON.parse(text) as Report
  return report.flatMap((part) => part[kind] ?? [])
}
