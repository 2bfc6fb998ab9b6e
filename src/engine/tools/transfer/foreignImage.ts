import type { DiskFormat } from '../../../model/disk.ts'
import { endable, type Program, reads } from '../program.ts'
import { qemuFormat } from '../qemuImg.ts'
import { type ForeignFormat, HEAD_BYTES, TAIL_BYTES } from './imageHeader.ts'
import type { DigestProgram } from './ovf.ts'

/** Files that come from elsewhere, and what lies within them: read where they lie, and never unpacked. */

/** Bytes of a file: an image, or a member of an archive. */
export interface Stretch {
  readonly path: string
  readonly offset: number
  readonly bytes: number
}

/** `$0` of the scripts, by which the simulated site knows them. */
const WINDOW_SCRIPT =
  'dd if="$1" bs=64k skip="$2" count="$3" iflag=skip_bytes,count_bytes,fullblock status=none | base64'
const DIGEST_SCRIPT = 'dd if="$1" bs=1M skip="$2" count="$3" iflag=skip_bytes,count_bytes,fullblock status=none | "$4"'

/** Some bytes as base64 in lines; `parseBase64` reads it. Fewer where the file ends before. */
export function readStretch({ path, offset, bytes }: Stretch): Program {
  return reads('sh', '-c', WINDOW_SCRIPT, 'pengx-window', path, String(offset), String(bytes))
}

/** Where the beginning and the end of an image are looked at. */
export function headOf(stretch: Stretch): Stretch {
  return { ...stretch, bytes: Math.min(HEAD_BYTES, stretch.bytes) }
}

export function tailOf({ path, offset, bytes }: Stretch): Stretch {
  const length = Math.min(TAIL_BYTES, bytes)
  return { path, offset: offset + bytes - length, bytes: length }
}

/** A digest in hexadecimal digits and a name; what could not be read is told on stderr alone. */
export function digestStretch({ path, offset, bytes }: Stretch, program: DigestProgram): Program {
  return reads('sh', '-c', DIGEST_SCRIPT, 'pengx-stretch-digest', path, String(offset), String(bytes), program)
}

interface Placed extends Stretch {
  readonly format: ForeignFormat
  /** Its file holds nothing but it. */
  readonly whole: boolean
}

/** As QEMU's block layer is told of it: a window of the file where it is a member. */
function fileOf({ path, offset, bytes, whole }: Placed): object {
  const file = { driver: 'file', filename: path }
  // a window has whole sectors, and an archive fills the last one of each member
  return whole ? file : { driver: 'raw', offset, size: Math.ceil(bytes / 512) * 512, file }
}

/**
 * The name under which QEMU's tools read such an image as the bare disk that a guest would see (`-f raw`), whatever format
 * it has. That it lies on nothing is said outright, so its header leads nowhere else.
 */
export function asRaw(image: Placed): string {
  if (image.format === 'raw') return json(image.whole ? { driver: 'raw', file: fileOf(image) } : fileOf(image))
  return json({ driver: 'raw', file: { driver: image.format, backing: null, file: fileOf(image) } })
}

function named(image: Placed): string {
  return json({ driver: image.format, ...(image.format === 'raw' ? {} : { backing: null }), file: fileOf(image) })
}

function json(value: object): string {
  return `json:${JSON.stringify(value)}`
}

/** What its header says, once that is known to lead nowhere else. */
export function foreignInfo(image: Placed): Program {
  return reads('qemu-img', 'info', '--output=json', '-U', '-f', image.format, named(image))
}

export interface ForeignInfo {
  readonly virtualBytes: number
  readonly clusterBytes: number
  /** The files in which its bytes lie; more than one is one too many. */
  readonly extentCount: number
  readonly hasBacking: boolean
  readonly snapshotCount: number
}

export function parseForeignInfo(stdout: string): ForeignInfo {
  const raw = JSON.parse(stdout) as {
    'virtual-size': number
    'cluster-size'?: number
    'backing-filename'?: string
    snapshots?: readonly unknown[]
    'format-specific'?: { data?: { extents?: readonly unknown[]; 'data-file'?: string } }
  }
  const data = raw['format-specific']?.data
  return {
    virtualBytes: raw['virtual-size'],
    clusterBytes: raw['cluster-size'] ?? 1,
    extentCount: (data?.extents?.length ?? 1) + (data?.['data-file'] === undefined ? 0 : 1),
    hasBacking: raw['backing-filename'] !== undefined,
    snapshotCount: raw.snapshots?.length ?? 0,
  }
}

/** 1: it is damaged or cut off, or cannot be read; 63: nothing can be checked of that format. */
export function checkForeign(image: Placed): Program {
  const check = reads('qemu-img', 'check', '--output=json', '-U', '-f', image.format, named(image))
  return { ...check, okExits: [0, 1, 2, 3, 63] }
}

export interface ForeignCheck {
  readonly corruptions: number
  /** Where its last cluster ends; a compressed one may end before. */
  readonly endBytes: number | undefined
  readonly isCompressed: boolean
}

export function parseForeignCheck(stdout: string): ForeignCheck {
  const raw = JSON.parse(stdout) as Record<string, number | undefined>
  return {
    corruptions: (raw.corruptions ?? 0) + (raw['check-errors'] ?? 0),
    endBytes: raw['image-end-offset'],
    isCompressed: (raw['compressed-clusters'] ?? 0) > 0,
  }
}

export type ExportFormat = 'qcow2' | 'raw' | 'vmdk'

/** Copies what a guest would read into a file of its own; VMDKs as OVAs hold them: compressed, in the order of the disk. */
export function exportImage(copy: {
  readonly source: { readonly path: string; readonly format: DiskFormat }
  readonly target: string
  readonly format: ExportFormat
}): Program {
  const { source, target, format } = copy
  const how = format === 'vmdk' ? ['-o', 'subformat=streamOptimized'] : []
  return endable(
    'qemu-img',
    'convert',
    '-p',
    '-f',
    qemuFormat(source.format),
    '-O',
    format,
    ...how,
    source.path,
    target,
  )
}
