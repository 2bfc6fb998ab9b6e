import { PengxError } from '../../../model/error.ts'
import type { VmSpec } from '../../../model/vm.ts'
import { type DiskSpec, formatDisk, parseDisk } from './disk.ts'
import { parseStatements, quoteString, type XlStatement } from './syntax.ts'

/**
 * The CD drive of an HVM guest, as its configuration has it. A drive that holds an image is a VM's `iso`; an empty one
 * has no word in a VmSpec, and stands among the lines that are kept: so what was ejected leaves the drive there, and an
 * image can be put into it while the guest runs.
 */

/** A disk or drive among the kept lines, each of which is a `disk += [ … ]` of its own. */
function keptDisk({ key, value }: XlStatement): DiskSpec | undefined {
  const [item] = key === 'disk' && typeof value !== 'string' ? value : []
  try {
    return typeof item === 'string' ? parseDisk(item) : undefined
  } catch {
    return undefined
  }
}

function keptVdevs(spec: VmSpec): string[] {
  return parseStatements(spec.extraConfig).flatMap((statement) => keptDisk(statement)?.vdev ?? [])
}

/** What no new disk of a VM may be called: its disks, the drives among the kept lines, and an HVM guest's CD drive. */
export function takenVdevs(spec: VmSpec): string[] {
  const own = [...spec.disks.map((disk) => disk.vdev), ...keptVdevs(spec)]
  return spec.type === 'hvm' ? [...own, cdVdev(own) ?? 'hdc'] : own
}

/** hdc, where guests expect a CD drive, unless a disk has it. */
function cdVdev(taken: readonly string[]): string | undefined {
  const letters = new Set(taken.map((vdev) => vdev.replace(/^(xv|h|s)d/, '')))
  const letter = ['c', 'd', 'b', 'a'].find((one) => !letters.has(one))
  return letter === undefined ? undefined : `hd${letter}`
}

/** The drive that holds the VM's image. */
export function cdDrive(spec: VmSpec): DiskSpec {
  const vdev = cdVdev([...spec.disks.map((disk) => disk.vdev), ...keptVdevs(spec)])
  if (vdev === undefined) throw new PengxError('invalid', `${spec.name} has no free drive for ${spec.iso}: hda to hdd`)
  return { path: spec.iso!, format: 'raw', vdev, readOnly: true, cdrom: true }
}

/** The configuration with an image in its drive; an empty drive that was there becomes that drive. */
export function withIso<T extends VmSpec>(spec: T, path: string): T {
  const statements = parseStatements(spec.extraConfig)
  const empty = statements.find((statement) => {
    const disk = keptDisk(statement)
    return spec.iso === undefined && disk?.cdrom === true && disk.path === ''
  })
  const kept = statements.filter((statement) => statement !== empty)
  return { ...spec, extraConfig: kept.map((statement) => statement.text).join('\n'), iso: path }
}

/** The configuration with its drive left there, and nothing in it. */
export function withoutIso<T extends VmSpec>(spec: T): T {
  if (spec.iso === undefined) return spec
  const drive = formatDisk({ ...cdDrive(spec), path: '', format: 'empty' })
  const line = `disk += [ ${quoteString(drive)} ]`
  const { iso: _taken, ...rest } = spec
  return { ...rest, extraConfig: [spec.extraConfig, line].filter((text) => text !== '').join('\n') } as T
}
