import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Command, Host } from '../host/host.ts'
import { run, runAll, runBatch, runWatched } from '../host/run.ts'
import { reads } from '../tools/program.ts'
import { checkImage, parseCheck } from '../tools/qemuImg.ts'
import {
  type Compression,
  forgetCached,
  lacksCompression,
  laidOn,
  lengthOf,
  mapOwn,
  packImage,
  parseOwn,
} from '../tools/qemuPack.ts'
import { needFlushed, said } from './image.ts'
import { compareVolumes } from './layers.ts'
import type { Digest, Image, PackTarget } from './volumeDriver.ts'

/** Volumes that are written once and read again, wherever they lie: compressed, on their own or on an earlier one. */

/** Pure. An image of which only its own bytes are read, not those that it lies on; its path is then a `json:` name. */
export function ownBytes({ path }: Pick<Image, 'path'>): Image {
  return { path: laidOn(path, undefined), format: 'qcow2' }
}

/**
 * `qemu-img convert -c` into a place that is there, or a file that will be; where qemu-img lacks zstd, with zlib.
 * With a backing only what the source has above that. Overwrites what is there; tells 0 to 1. `noSpace`,
 * `commandFailed`.
 */
export async function packWatched(
  host: Host,
  source: Image,
  { path, backing }: PackTarget,
  tag: string,
  onProgress: (done: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const from: Image = backing ? { path: laidOn(source.path, backing), format: 'qcow2' } : source
  const pack = async (compression: Compression) => {
    const program = packImage({ source: from, target: path, ...(backing ? { backing } : {}), compression })
    const command: Command = { ...program, tag, queue: 'copies' }
    needFlushed(host, command, await runWatched(host, command, said(onProgress), signal))
  }
  try {
    await pack('zstd')
  } catch (error) {
    const output = error instanceof PengxError ? (error.cause as { stderr?: string } | undefined) : undefined
    if (!lacksCompression(output?.stderr ?? '')) throw error
    await pack('zlib')
  }
}

/**
 * `commandFailed` where a guest would not read from a packed volume what it would read from the source: the volume is
 * read from its disk. Of one that lies on another only its own bytes are read, and it must have a say where the
 * source has. Both stay as they are, and are read whole.
 */
export async function needSame(
  host: Host,
  source: Image,
  { path, backing }: PackTarget,
  onProgress?: (done: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const differs = (what: string) =>
    new PengxError('commandFailed', `${path} on ${host.name}, read back, ${what} ${source.path}: it is not good`)
  await runBatch(host, batch(forgetCached(path)))
  const images: [Image, Image] = backing
    ? [ownBytes(source), ownBytes({ path })]
    : [source, { path, format: 'qcow2' as const }]
  if (!(await compareVolumes(host, ...images, onProgress, signal))) throw differs('is not what was read from')
  if (!backing) return
  const [wanted, found] = await runAll(host, batch([mapOwn(source.path), mapOwn(path)]))
  const [own, kept] = [parseOwn(wanted!.stdout), parseOwn(found!.stdout)]
  if (JSON.stringify(own) !== JSON.stringify(kept)) throw differs('has its say elsewhere than')
}

/** `$0` of the script, by which the simulated site knows it. */
const DIGEST_SCRIPT = 'dd if="$1" bs=1M count="$3" iflag=count_bytes,fullblock status=none | sha256sum'

/**
 * The length in bytes and the SHA-256 of a qcow2 image as its disk gives it, and not memory. Changes nothing.
 * `commandFailed` where `qemu-img check` finds it damaged or a byte cannot be read, `notFound` where it is not there.
 */
export async function digestImage(
  host: Host,
  path: string,
  ends: 'with the file' | 'with its last cluster',
  signal?: AbortSignal,
): Promise<Digest> {
  const asked = [...forgetCached(path), { ...lengthOf(path), okExits: [0, 1] }]
  const length = (await runBatch(host, batch(asked)))[2]
  if (length?.exit !== 0)
    throw new PengxError('notFound', `${path} on ${host.name} cannot be read: ${length?.stderr.trim()}`)
  const checked = await run(host, { ...checkImage(path, 'qcow2'), queue: 'copies' }, signal)
  const { corruptions, errors, endBytes } = parseCheck(checked.stdout)
  if (corruptions + errors > 0)
    throw new PengxError('commandFailed', `${path} on ${host.name} is damaged: qemu-img check tells of ${corruptions}`)
  const bytes = ends === 'with the file' ? Number(length.stdout.trim()) : endBytes!
  const command: Command = {
    ...reads('sh', '-c', DIGEST_SCRIPT, 'pengx-digest', path, '0', String(bytes)),
    queue: 'copies',
  }
  const output = await run(host, command, signal)
  const sha256 = /^[0-9a-f]{64}/.exec(output.stdout)?.[0]
  // What dd could not read it says, and the pipe's exit does not.
  if (sha256 === undefined || output.stderr.trim() !== '')
    throw new PengxError('commandFailed', `${path} on ${host.name} cannot be read: ${output.stderr.trim()}`)
  return { bytes, sha256 }
}
