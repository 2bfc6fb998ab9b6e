import type { DiskFormat } from '../../model/disk.ts'
import { changes, endable, type Program, reads } from './program.ts'

/** qemu-img(1): what pengx asks of it, and what it answers. Sizes in MiB, rounded up. */

export interface ImageInfo {
  readonly format: string
  /** What the guest sees. */
  readonly sizeMib: number
  /** What it takes on its file system. */
  readonly usedMib: number
  /** The backing file as the header has it; `backingPath` is what that resolves to from here. */
  readonly backing?: string
  readonly backingPath?: string
  readonly backingFormat?: string
  /** QEMU has found it damaged. */
  readonly corrupt: boolean
}

export interface CheckReport {
  readonly errors: number
  readonly corruptions: number
  /** Where the image's last cluster ends in its file or device. */
  readonly endBytes?: number
}

/** qemu-img calls the format of a VHD `vpc`. */
export function qemuFormat(format: DiskFormat): string {
  return format === 'vhd' ? 'vpc' : format
}

/** The disk format for qemu-img's name of one, where pengx has it. */
export function diskFormat(name: string): DiskFormat | undefined {
  if (name === 'vpc') return 'vhd'
  return name === 'qcow2' || name === 'raw' ? name : undefined
}

export function createImage(image: {
  readonly path: string
  readonly format: DiskFormat
  readonly sizeMib?: number
  readonly backing?: { readonly path: string; readonly format: DiskFormat }
}): Program {
  const backing = image.backing ? ['-b', image.backing.path, '-F', qemuFormat(image.backing.format)] : []
  const size = image.sizeMib === undefined ? [] : [`${image.sizeMib}M`]
  return changes('qemu-img', 'create', '-q', '-f', qemuFormat(image.format), ...backing, image.path, ...size)
}

/**
 * `-U`: a running guest's QEMU holds the image, and only the header is read. A raw image that a guest has written is
 * looked at with its format alone: its bytes may say that it is something else, which leads to other files.
 */
export function imageInfo(path: string, format?: DiskFormat): Program {
  return reads('qemu-img', 'info', '--output=json', '-U', ...formatOf(format), path)
}

/** Answers as `imageInfo` with a list: the image, its backing, and so on down. */
export function imageChain(path: string, format?: DiskFormat): Program {
  return reads('qemu-img', 'info', '--output=json', '-U', '--backing-chain', ...formatOf(format), path)
}

function formatOf(format: DiskFormat | undefined): readonly string[] {
  return format === undefined ? [] : ['-f', qemuFormat(format)]
}

/** How much room an image takes, of a given size or made of another image. */
export function measureImage(
  format: DiskFormat,
  of: { readonly sizeMib: number } | { readonly path: string; readonly format: DiskFormat },
): Program {
  const subject = 'path' in of ? ['-f', qemuFormat(of.format), '-U', of.path] : ['--size', `${of.sizeMib}M`]
  return reads('qemu-img', 'measure', '--output=json', '-O', qemuFormat(format), ...subject)
}

/** Where a file or device has more than zeros, whatever the image in it says. */
export function mapBytes(path: string): Program {
  return reads('qemu-img', 'map', '--output=json', '-U', '-f', 'raw', path)
}

/** `$0` of the script, by which the simulated site knows it. A whole map may have a line for each 64 KiB. */
const LACKING_SCRIPT = '{ qemu-img map --output=json -U -f qcow2 "$1"; echo "exit $?"; } | grep -E -m 1 "$2"'

/**
 * The first stretch, if any, that an image reads from one of so many images below it, and would read otherwise without
 * them: laid on nothing what reads as zeros is no loss. Of what lies on the disk, whoever has it open.
 */
export function firstLacking(path: string, layers: number, onNothing: boolean): Program {
  const depths = Array.from({ length: layers }, (_, index) => index + 1).join('|')
  const lost = `"depth": (${depths}),${onNothing ? '.*"data": true' : ''}`
  return reads('sh', '-c', LACKING_SCRIPT, 'pengx-lacking', path, `^exit|${lost}`)
}

/** What `firstLacking` printed; a map that could not be read to its end tells nothing. */
export function isLackingNothing(stdout: string): boolean {
  return stdout.trim() === 'exit 0'
}

/** Writes another backing file into an image's header (`rebase -u`); its own bytes stay, so it reads as what that one holds. */
export function renameBacking(path: string, backing: { readonly path: string; readonly format: DiskFormat }): Program {
  const base = ['-b', backing.path, '-F', qemuFormat(backing.format)]
  return changes('qemu-img', 'rebase', '-u', '-f', 'qcow2', ...base, path)
}

/**
 * Puts an image on another backing (or none) and copies into it what it would otherwise lose, so that it reads as before.
 * Fails where another has the image open. `-t writethrough`: else qemu-img 7.2 writes the new header before the tables
 * that tell where what was copied lies, and an end in between (or a write that fails, with exit 0) loses all of it.
 */
export function rebaseImage(
  path: string,
  backing: { readonly path: string; readonly format: DiskFormat } | undefined,
): Program {
  const base = backing ? ['-b', backing.path, '-F', qemuFormat(backing.format)] : ['-b', '']
  return endable('qemu-img', 'rebase', '-p', '-t', 'writethrough', '-f', 'qcow2', ...base, path)
}

/** Copies what a guest would read of an image, or what is shown of it; with `existing` into a volume that is there already, which may be known to be empty. */
export function convertImage(copy: {
  readonly source: { readonly path: string; readonly format: DiskFormat; readonly bytesPerSecond?: number }
  readonly target: { readonly path: string; readonly format: DiskFormat }
  readonly existing?: boolean | 'zeroed'
}): Program {
  const { source, target, existing } = copy
  const { limit, path } = atRate(source)
  const formats = [...limit, '-f', qemuFormat(source.format), '-O', qemuFormat(target.format)]
  const into = existing === 'zeroed' ? ['-n', '--target-is-zero'] : existing ? ['-n'] : []
  return endable('qemu-img', 'convert', '-p', ...formats, ...into, path, target.path)
}

/** 2: damaged, 3: leaks only; both are answers. */
export function checkImage(path: string, format: DiskFormat): Program {
  return { ...reads('qemu-img', 'check', '--output=json', '-f', qemuFormat(format), path), okExits: [0, 2, 3] }
}

export function resizeImage(path: string, format: DiskFormat, sizeMib: number): Program {
  return changes('qemu-img', 'resize', '-q', '-f', qemuFormat(format), path, `${sizeMib}M`)
}

/**
 * 0: a guest would read the same from both (where one is longer, zeros), 1: they differ, which is an answer. `-U`: one that
 * a running guest writes to may be the other's backing.
 */
export function compareImages(
  one: { readonly path: string; readonly format: DiskFormat; readonly bytesPerSecond?: number },
  other: { readonly path: string; readonly format: DiskFormat },
): Program {
  const formats = ['-f', qemuFormat(one.format), '-F', qemuFormat(other.format)]
  const { limit, path } = atRate(one)
  return { ...reads('qemu-img', 'compare', '-p', '-U', ...limit, ...formats, path, other.path), okExits: [0, 1] }
}

/**
 * How qemu-img is told to read what is shown at a `nbd+unix:` address at most so fast: the options, and what stands for its path
 * (qemu-img(1), `--object`; QEMU's docs/throttle.txt). `compare` has no option of its own for that.
 */
export function atRate({ path, bytesPerSecond = 0 }: { readonly path: string; readonly bytesPerSecond?: number }): {
  readonly limit: readonly string[]
  readonly path: string
} {
  if (bytesPerSecond === 0) return { limit: [], path }
  const { pathname, searchParams } = new URL(path)
  const server = { type: 'unix', path: searchParams.get('socket') }
  const shown = { driver: 'nbd', export: pathname.slice(1), server }
  const limited = { driver: 'throttle', 'throttle-group': 'limit', file: shown }
  return {
    limit: ['--object', `throttle-group,id=limit,x-bps-read=${bytesPerSecond}`],
    path: `json:${JSON.stringify({ driver: 'raw', file: limited })}`,
  }
}

const MIB = 1024 * 1024

interface RawInfo {
  readonly format: string
  readonly 'virtual-size': number
  readonly 'actual-size'?: number
  readonly 'backing-filename'?: string
  readonly 'full-backing-filename'?: string
  readonly 'backing-filename-format'?: string
  readonly 'format-specific'?: { readonly data?: { readonly corrupt?: boolean } }
}

export function parseImageInfo(stdout: string): ImageInfo {
  return toImageInfo(JSON.parse(stdout) as RawInfo)
}

export function parseImageChain(stdout: string): ImageInfo[] {
  return (JSON.parse(stdout) as RawInfo[]).map(toImageInfo)
}

function toImageInfo(raw: RawInfo): ImageInfo {
  const backing = raw['backing-filename']
  const backingPath = raw['full-backing-filename'] ?? backing
  const backingFormat = raw['backing-filename-format']
  return {
    format: raw.format,
    sizeMib: Math.ceil(raw['virtual-size'] / MIB),
    usedMib: Math.ceil((raw['actual-size'] ?? raw['virtual-size']) / MIB),
    ...(backing === undefined ? {} : { backing }),
    ...(backingPath === undefined ? {} : { backingPath }),
    ...(backingFormat === undefined ? {} : { backingFormat }),
    corrupt: raw['format-specific']?.data?.corrupt ?? false,
  }
}

export function parseCheck(stdout: string): CheckReport {
  const raw = JSON.parse(stdout) as {
    'check-errors'?: number
    corruptions?: number
    'image-end-offset'?: number
  }
  const end = raw['image-end-offset']
  return {
    errors: raw['check-errors'] ?? 0,
    corruptions: raw.corruptions ?? 0,
    ...(end === undefined ? {} : { endBytes: end }),
  }
}

export interface Room {
  /** For what is in it now. */
  readonly requiredBytes: number
  /** When a guest has written all of it. */
  readonly fullBytes: number
}

export function parseMeasure(stdout: string): Room {
  const raw = JSON.parse(stdout) as { required: number; 'fully-allocated': number }
  return { requiredBytes: raw.required, fullBytes: raw['fully-allocated'] }
}

export interface MappedExtent {
  readonly start: number
  readonly length: number
  /** False: zeros. */
  readonly data: boolean
}

/** In order and without gaps, so the last one tells where the file ends. */
export function parseMap(stdout: string): MappedExtent[] {
  const rows = JSON.parse(stdout) as { start: number; length: number; data: boolean; zero: boolean }[]
  return rows.map(({ start, length, data, zero }) => ({ start, length, data: data && !zero }))
}

/** qemu-img itself fills it with zeros when it makes a raw image. */
export const FIRST_BLOCK = 4096

/** 0: there are zeros and nothing else in it, 1: there is more. */
export function firstBlockIsEmpty(path: string): Program {
  return { ...reads('cmp', '-s', '-n', String(FIRST_BLOCK), path, '/dev/zero'), okExits: [0, 1] }
}

/** The newest of the `(12.34/100%)` marks that `-p` rewrites in place, as 0 to 1; undefined where the text has none. */
export function parseProgress(text: string): number | undefined {
  const last = [...text.matchAll(/\((\d+(?:\.\d+)?)\/100%\)/g)].at(-1)?.[1]
  return last === undefined ? undefined : Number(last) / 100
}
