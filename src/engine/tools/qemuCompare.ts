import type { DiskFormat } from '../../model/disk.ts'
import { type Program, reads } from './program.ts'
import { qemuFormat } from './qemuImg.ts'

/** qemu-img(1) comparing images that are being written to, a stretch at a time. */

/** A stretch of a disk, as its guest counts: bytes. */
export interface Stretch {
  readonly start: number
  readonly length: number
}

/**
 * As `compareImages` of one stretch alone (a raw node on the image's; QEMU's docs, BlockdevOptionsRaw), while a guest writes to
 * both. `direct`: past the page cache (`-T none`), which not every file system can. 1: they differ somewhere (`parseMismatch`),
 * 2 and more: it could not be read, which an image that is being written to may give.
 */
export function compareStretches(
  one: { readonly path: string; readonly format: DiskFormat },
  other: { readonly path: string; readonly format: DiskFormat },
  stretch: Stretch,
  direct: boolean,
): Program {
  const cache = direct ? ['-T', 'none'] : []
  const both = [one, other].map((image) => stretchOf(image, stretch)) as [string, string]
  return {
    ...reads('qemu-img', 'compare', '-U', ...cache, '-f', 'raw', '-F', 'raw', ...both),
    okExits: [0, 1, 2, 3, 4],
  }
}

function stretchOf(
  { path, format }: { readonly path: string; readonly format: DiskFormat },
  { start, length }: Stretch,
): string {
  const file = { driver: path.startsWith('/dev/') ? 'host_device' : 'file', filename: path }
  const image = { driver: qemuFormat(format), file }
  return `json:${JSON.stringify({ driver: 'raw', offset: start, size: length, file: image })}`
}

/** Where `compareStretches` found the first difference, in bytes from the stretch's start; undefined: none was found. */
export function parseMismatch(stdout: string): number | undefined {
  const at = /^Content mismatch at offset (\d+)!/m.exec(stdout)?.[1]
  return at === undefined ? undefined : Number(at)
}

/** Whether the file system cannot be read past the page cache. */
export function lacksDirect(stderr: string): boolean {
  return /O_DIRECT|direct I\/O/i.test(stderr)
}
