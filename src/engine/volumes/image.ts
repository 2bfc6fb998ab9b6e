import type { DiskFormat } from '../../model/disk.ts'
import { PengxError } from '../../model/error.ts'
import { cancelledCommand } from '../host/bounded.ts'
import type { Command, Host, Output } from '../host/host.ts'
import { commandFailure, run, runWatched } from '../host/run.ts'
import {
  convertImage,
  diskFormat,
  FIRST_BLOCK,
  firstBlockIsEmpty,
  imageInfo,
  mapBytes,
  parseImageInfo,
  parseMap,
  parseProgress,
} from '../tools/qemuImg.ts'
import { mapOwn, parseOwn } from '../tools/qemuPack.ts'
import type { Image, VolumeInfo } from './volumeDriver.ts'

/** What qemu-img does alike wherever an image lies. */

/**
 * What an image says of itself (`qemu-img info -U`): sizes in MiB, rounded up. Looks only, also at one that a guest
 * has open. Undefined where there is none; `commandFailed` where one of that format cannot be read. Without its
 * format its header is believed, so only for images that no guest wrote; undefined is then also what cannot be read,
 * or is of a format that pengx has not.
 */
export async function readImage(host: Host, path: string, format?: DiskFormat): Promise<VolumeInfo | undefined> {
  const output = await run(host, { ...imageInfo(path, format), okExits: [0, 1] })
  if (output.exit !== 0) {
    if (/No such file or directory/.test(output.stderr) || format === undefined) return undefined
    const why = output.stderr.trim().split('\n').at(-1) ?? ''
    throw new PengxError('commandFailed', `cannot read ${format} image ${path} on ${host.name}: ${why}`, {
      cause: output,
    })
  }
  const info = parseImageInfo(output.stdout)
  const found = diskFormat(info.format)
  if (!found) return undefined
  return {
    sizeMib: info.sizeMib,
    usedMib: info.usedMib,
    format: found,
    ...(info.backingPath === undefined ? {} : { backing: info.backingPath }),
  }
}

/**
 * Whether anything has been written to an image since it was made empty (`qemu-img map -U`), zeros of its own too; a raw
 * device always counts as written. Looks only; `commandFailed` where it cannot be read.
 */
export async function holdsWrites(host: Host, { path, format }: Image): Promise<boolean> {
  if (format !== 'raw') return parseOwn((await run(host, mapOwn(path))).stdout).length > 0
  const data = parseMap((await run(host, mapBytes(path))).stdout).filter((extent) => extent.data)
  if (data.some(({ start, length }) => start + length > FIRST_BLOCK)) return true
  return data.length > 0 && (await run(host, firstBlockIsEmpty(path))).exit !== 0
}

/**
 * `qemu-img convert`: copies what a guest would read of an image, and tells how far it is, 0 to 1. What is at the
 * target is overwritten. `noSpace`, else `commandFailed`; `cancelled` too where the abort came after the last byte.
 */
export async function convertWatched(
  host: Host,
  copy: { readonly source: Image; readonly target: Image; readonly existing?: boolean | 'zeroed' },
  tag: string,
  onProgress: (done: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const command: Command = { ...convertImage(copy), tag, queue: 'copies' }
  needFlushed(host, command, await runWatched(host, command, said(onProgress), signal))
  // Who has had enough when all was said and done is told so too, and not that there is a volume.
  if (signal?.aborted) throw cancelledCommand(host.name, command, signal.reason)
}

/** For `runWatched`: hears how far `qemu-img -p` says it is, as 0 to 1. */
export function said(onProgress?: (done: number) => void): (text: string) => void {
  return (text) => {
    const done = parseProgress(text)
    if (done !== undefined) onProgress?.(done)
  }
}

/**
 * `commandFailed` where qemu-img has said that the last of an image's tables could not be written (no space, a bad
 * disk): it exits with 0 all the same.
 */
export function needFlushed(host: Host, command: Command, output: Output): void {
  if (/Failed to flush/.test(output.stderr)) throw commandFailure(host, command, output)
}
