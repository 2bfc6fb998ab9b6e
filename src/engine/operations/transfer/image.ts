import { PengxError } from '../../../model/error.ts'
import type { Pm } from '../../../model/pm.ts'
import { batch } from '../../host/batch.ts'
import { run, runAll } from '../../host/run.ts'
import type { Context } from '../../jobs/operation.ts'
import { fileIdentity, parseBase64, parseFileIdentity } from '../../tools/files.ts'
import { measureImage, parseMeasure } from '../../tools/qemuImg.ts'
import {
  asRaw,
  checkForeign,
  foreignInfo,
  headOf,
  parseForeignCheck,
  parseForeignInfo,
  readStretch,
  type Stretch,
  tailOf,
} from '../../tools/transfer/foreignImage.ts'
import { type ForeignFormat, readForeignHeader } from '../../tools/transfer/imageHeader.ts'
import type { Source } from '../vm/createDisks.ts'

/**
 * A disk image that somebody brings, looked at before anything is made of it. What it says of other files of the host is
 * never followed: its own bytes are told first (tools/transfer/imageHeader.ts), and only then is it opened, as what they say.
 */

const MIB = 1024 * 1024
/** More than any disk has; QEMU would make tables for it all the same. */
const MOST_MIB = 64 * 1024 * 1024

export type ForeignDisk = {
  /** What it is read from, as the bare disk that a guest would see. */
  readonly source: Source & { readonly usedMib: number }
  readonly virtualBytes: number
}

/** A file on a PM, all of it; `refused` for what is no plain file, `invalid` where there is none. Looks only. */
export async function wholeFile(cx: Context, pm: Pm, path: string): Promise<Stretch> {
  const found = await run(cx.host(pm.uuid), fileIdentity(path), cx.signal)
  const file = found.exit === 0 ? parseFileIdentity(found.stdout) : undefined
  if (!file) throw new PengxError('invalid', `file: there is no file ${path} on ${pm.name}`)
  if (file.kind !== 'file') throw new PengxError('refused', `${path} on ${pm.name} is a ${file.kind}, and no file`)
  if (file.bytes === 0) throw new PengxError('refused', `${path} on ${pm.name} is empty`)
  return { path, offset: 0, bytes: file.bytes }
}

/** Bytes of a file on a PM; `commandFailed` where they cannot be read, or the file is shorter by now. Looks only. */
export async function bytesOfStretch(cx: Context, pm: Pm, stretch: Stretch): Promise<Uint8Array> {
  const output = await run(cx.host(pm.uuid), readStretch(stretch), cx.signal)
  const bytes = parseBase64(output.stdout)
  // what dd could not read it says, and the pipe's exit does not
  if (output.stderr.trim() === '' && bytes.byteLength === stretch.bytes) return bytes
  const why = output.stderr.trim() || `it gave ${bytes.byteLength} of ${stretch.bytes} bytes`
  throw new PengxError('commandFailed', `cannot read ${stretch.path} on ${pm.name}: ${why}`)
}

export interface Wanted {
  readonly stretch: Stretch
  /** What people call it: its path, and its name within that. */
  readonly name: string
  readonly whole: boolean
  /** What a person says that it is. */
  readonly as?: ForeignFormat | undefined
}

/**
 * What an image is and holds, told by its own bytes. `refused` where it is damaged, cut off, encrypted, of a format or a size
 * that no disk has, or where its bytes lie in other files. Tells by a notice what was only guessed. Looks only.
 */
export async function lookAtImage(cx: Context, pm: Pm, { stretch, name, whole, as }: Wanted): Promise<ForeignDisk> {
  const refuse = (why: string) => new PengxError('refused', `${name} on ${pm.name} ${why}`)
  const head = await bytesOfStretch(cx, pm, headOf(stretch))
  const header = readForeignHeader(head, await bytesOfStretch(cx, pm, tailOf(stretch)), as)
  if ('problem' in header) throw refuse(header.problem)
  const { format, guessed } = header
  if (guessed)
    cx.notice(
      `${name} is taken for the bare bytes of a disk (raw): nothing in it names a format; --format says otherwise`,
    )
  if (as === 'raw') cx.notice(`${name} is taken for the bare bytes of a disk (raw), as was said, whatever they may say`)
  const image = { ...stretch, whole, format }
  const opened = await run(cx.host(pm.uuid), { ...foreignInfo(image), okExits: [0, 1] }, cx.signal)
  if (opened.exit !== 0) throw refuse(`cannot be opened as ${format}: ${lastLine(opened.stderr)}`)
  const info = parseForeignInfo(opened.stdout)
  if (info.hasBacking || info.extentCount !== 1) throw refuse('has bytes in other files, which are not followed')
  const sizeMib = Math.ceil(info.virtualBytes / MIB)
  if (sizeMib < 1 || sizeMib > MOST_MIB) throw refuse(`says that its disk has ${info.virtualBytes} bytes: no disk has`)
  if (info.snapshotCount > 0)
    cx.notice(
      `${name} has ${info.snapshotCount} snapshots within it: what it holds now is taken, and they are left out`,
    )
  if (format !== 'raw') await needWhole(cx, pm, { ...image, clusterBytes: info.clusterBytes }, refuse)
  const path = asRaw(image)
  const [measured] = await runAll(cx.host(pm.uuid), batch([measureImage('qcow2', { path, format: 'raw' })]), cx.signal)
  const usedMib = Math.ceil(parseMeasure(measured!.stdout).requiredBytes / MIB)
  return { source: { path, format: 'raw', sizeMib, usedMib }, virtualBytes: info.virtualBytes }
}

/** QEMU reads zeros where a qcow2 file has ended, and says nothing. */
async function needWhole(
  cx: Context,
  pm: Pm,
  image: Stretch & { readonly whole: boolean; readonly format: ForeignFormat; readonly clusterBytes: number },
  refuse: (why: string) => PengxError,
): Promise<void> {
  const output = await run(cx.host(pm.uuid), { ...checkForeign(image), queue: 'copies' }, cx.signal)
  if (output.exit === 63) return
  if (output.exit === 1) throw refuse(`is damaged or cut off: ${lastLine(output.stderr)}`)
  const { corruptions, endBytes = 0, isCompressed } = parseForeignCheck(output.stdout)
  if (corruptions > 0) throw refuse(`is damaged: qemu-img check tells of ${corruptions} errors`)
  // the last cluster of a compressed one ends with its last sector
  const missing = endBytes - Math.ceil(image.bytes / 512) * 512
  if (missing > (isCompressed ? image.clusterBytes - 1 : 0))
    throw refuse(`is cut off: it has ${image.bytes} bytes, and its last cluster ends at byte ${endBytes}`)
}

function lastLine(text: string): string {
  const lines = text.trim().split('\n')
  return lines.find((line) => /ERROR|truncated|not supported/i.test(line)) ?? lines.at(-1) ?? ''
}

/** Compares what the disk of the image says with what else is said of it; a MiB is what tools round to. */
export function isOfSize({ virtualBytes }: ForeignDisk, bytes: number): boolean {
  return Math.abs(virtualBytes - bytes) < MIB
}
