import { createHash } from 'node:crypto'
import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Command, Host } from '../host/host.ts'
import { pipe } from '../host/pipe.ts'
import { run, runAll, runBatch } from '../host/run.ts'
import { endable, reads } from '../tools/program.ts'
import {
  checkImage,
  diskFormat,
  type ImageInfo,
  imageChain,
  mapBytes,
  parseCheck,
  parseImageChain,
  parseMap,
  renameBacking,
} from '../tools/qemuImg.ts'
import type { DataExtent, Image, ImageMap, StagedImage, VolumeDriver } from './volumeDriver.ts'

/**
 * Any volume to any volume on any PM. On one PM that is `qemu-img convert`. Between two the images travel as they lie,
 * byte for byte and without their holes, through one pipe (dd, this process, dd), and are made into what was asked for
 * where they arrive: nothing is ever written on the side that they come from, which may be full or failing, and
 * neither side needs more than a dd, a sha256sum and a qemu-img (docs/decisions tells what else was looked at).
 * What arrived is read back there and compared with what was sent before it gets its name.
 */
export interface CopySource extends Image {
  readonly host: Host
}

export interface CopyTarget extends Image {
  readonly host: Host
  readonly driver: VolumeDriver
}

export interface CopyOptions {
  readonly tag: string
  /** 0 to 1, never back; by the bytes that are sent, read back and made into the volume. */
  readonly onProgress: (done: number) => void
  readonly signal?: AbortSignal
  /** Also an image that is what was asked for is made anew: a packed one is not what a guest shall run on. */
  readonly anew?: true
}

/**
 * Makes `target` read as `source` does, and gives it its name last; one that is there is done. On one PM that is the
 * driver's `importImage`. Nobody may write to the source meanwhile: its images are read with dd, each extent by its
 * length and SHA-256. What fails or is cancelled leaves nothing that `remove` does not take away. `refused` for a
 * damaged source, `unsupported` for a format that pengx has not, `noSpace`, and `commandFailed` where what arrived is
 * not what was sent.
 */
export async function copyVolume(source: CopySource, target: CopyTarget, options: CopyOptions): Promise<void> {
  const { driver, host } = target
  const { tag, onProgress, signal } = options
  if (source.host.name === host.name)
    return await driver.importImage(host, source, target, tag, monotonic(onProgress), signal)
  if (await driver.stat(host, target.path, target.format)) return
  const layers = await layersOf(source)
  const [top] = layers
  // One image that is already what was asked for becomes the volume itself.
  const direct = !options.anew && layers.length === 1 && top?.format === target.format
  const say = shares(monotonic(onProgress), direct ? [4, 1] : [4, 1, 3])
  const image = await stageLayers(layers, source.host, target, direct, say, options)
  if (direct) {
    await driver.promoteStaged(host, target, 0, tag)
  } else {
    await driver.importImage(host, image, target, tag, (done) => say(2, done), signal)
    await driver.clearStaged(host, target.path, tag)
  }
  onProgress(1)
}

/**
 * Carries an image, with all that it lies on, to beside a volume of another PM, and gives what it is read as there; each byte
 * has been read back by then. It is there until `clearStaged`; done again it begins anew. Else as `copyVolume`.
 */
export async function stageVolume(source: CopySource, target: CopyTarget, options: CopyOptions): Promise<Image> {
  const say = shares(monotonic(options.onProgress), [4, 1])
  return await stageLayers(await layersOf(source), source.host, target, false, say, options)
}

/** `direct`: the one image will be the volume itself. Tells of two phases, what is sent and what was read back. */
async function stageLayers(
  layers: readonly Layer[],
  from: Host,
  { host, driver, path, format }: CopyTarget,
  direct: boolean,
  say: (phase: number, done: number) => void,
  options: CopyOptions,
): Promise<Image> {
  const total = layers.reduce((sum, layer) => sum + bytesIn(layer.map.extents), 0)
  let sent = 0
  const staged: StagedImage[] = []
  for (const [index, layer] of layers.entries()) {
    const becomes = direct ? { becomes: { format, sizeMib: layer.sizeMib } } : {}
    const image = await driver.stageImage(host, path, index, { ...layer.map, ...becomes }, options.tag)
    staged.push(image)
    const digests: string[] = []
    for (const extent of layer.map.extents) {
      const onBytes = (bytes: number) => {
        sent += bytes
        say(0, sent / total)
      }
      digests.push(await send({ host: from, path: layer.path }, { host, ...image }, extent, onBytes, options))
    }
    await compare(host, image.path, layer.map.extents, digests, options)
    say(1, (index + 1) / layers.length)
  }
  await join(host, layers, staged, options.tag)
  return { path: staged[0]!.path, format: layers[0]!.format }
}

interface Layer extends Image {
  readonly sizeMib: number
  readonly map: ImageMap
}

/** The source and all it lies on, top first, and where their bytes are. */
async function layersOf(source: CopySource): Promise<Layer[]> {
  const { host } = source
  const chain = await run(host, imageChain(source.path, source.format))
  const images = parseImageChain(chain.stdout)
  return await Promise.all(
    images.map(async (image, index): Promise<Layer> => {
      const path = index === 0 ? source.path : (images[index - 1]?.backingPath ?? '')
      const format = diskFormat(image.format)
      if (!format) throw new PengxError('unsupported', `${path} on ${host.name} is a ${image.format} image`)
      return { path, format, sizeMib: image.sizeMib, map: await mapOf(host, { path, format }, image) }
    }),
  )
}

async function mapOf(host: Host, image: Image, { corrupt }: ImageInfo): Promise<ImageMap> {
  if (corrupt)
    throw new PengxError('refused', `${image.path} on ${host.name} is damaged: qemu-img check it before it is copied`)
  // A device does not end where its image ends, nor does it know its holes.
  const asks = image.format === 'qcow2' && image.path.startsWith('/dev/')
  const [mapped, checked] = await runBatch(
    host,
    batch([mapBytes(image.path), ...(asks ? [checkImage(image.path, image.format)] : [])]),
  )
  if (mapped?.exit !== 0) {
    const why = mapped?.stderr.trim().split('\n').at(-1) ?? ''
    throw new PengxError('commandFailed', `cannot read ${image.path} on ${host.name}: ${why}`, { cause: mapped })
  }
  const found = parseMap(mapped.stdout)
  const end = found.reduce((last, one) => Math.max(last, one.start + one.length), 0)
  const bytes = asks && checked ? Math.min(end, parseCheck(checked.stdout).endBytes ?? end) : end
  const data = found.filter((one) => one.data && one.start < bytes)
  const within = data.map(({ start, length }) => ({ start, length: Math.min(length, bytes - start) }))
  return { bytes, extents: joinNear(within) }
}

const NEAR_BYTES = 1024 * 1024
/** Each extent costs a command at either end. */
const MOST_EXTENTS = 64

/**
 * Pure. Extents with holes of less than 1 MiB between them become one, and of the holes that are left the largest
 * stay, so that there are at most 64.
 *
 * @internal Exported for the test of what holds for any extents: through a copy each try would cost an image.
 */
export function joinNear(extents: readonly DataExtent[]): DataExtent[] {
  const gaps = extents.slice(1).map((next, index) => {
    const last = extents[index]!
    return next.start - (last.start + last.length)
  })
  const least = [...gaps].sort((a, b) => b - a)[MOST_EXTENTS - 2] ?? 0
  const joined: DataExtent[] = []
  for (const [index, extent] of extents.entries()) {
    const last = joined.at(-1)
    const gap = index === 0 ? 0 : gaps[index - 1]!
    if (last && (gap < NEAR_BYTES || gap < least || joined.length >= MOST_EXTENTS))
      joined[joined.length - 1] = { start: last.start, length: extent.start + extent.length - last.start }
    else joined.push(extent)
  }
  return joined
}

function bytesIn(extents: readonly DataExtent[]): number {
  return extents.reduce((sum, extent) => sum + extent.length, 0)
}

/** Carries one extent over and gives the digest of what was carried. */
async function send(
  from: { readonly host: Host; readonly path: string },
  to: StagedImage & { readonly host: Host },
  { start, length }: DataExtent,
  onBytes: (bytes: number) => void,
  { tag, signal }: CopyOptions,
): Promise<string> {
  const counts = [`skip=${start}`, `count=${length}`, 'iflag=skip_bytes,count_bytes,fullblock']
  const reader: Command = {
    ...reads('dd', `if=${from.path}`, 'bs=1M', ...counts, 'status=none'),
    tag,
    bulk: true,
    queue: 'copies',
  }
  const place = [
    `seek=${start}`,
    'iflag=fullblock',
    'oflag=seek_bytes',
    `conv=nocreat,notrunc${to.zeroed ? ',sparse' : ''}`,
  ]
  const writer: Command = {
    ...endable('dd', `of=${to.path}`, 'bs=1M', ...place, 'status=none'),
    tag,
    queue: 'arrivals',
  }
  const digest = createHash('sha256')
  let carried = 0
  await pipe(
    { host: from.host, command: reader },
    { host: to.host, command: writer },
    (chunk) => {
      digest.update(chunk)
      carried += chunk.byteLength
      onBytes(chunk.byteLength)
    },
    signal,
  )
  if (carried !== length) {
    const what = `${carried} of ${length} bytes from ${start} on`
    throw new PengxError('commandFailed', `${from.path} on ${from.host.name} gave ${what}: somebody changes it`)
  }
  return digest.digest('hex')
}

/** `$0` of the script, by which the simulated site knows it. */
const DIGEST_SCRIPT =
  'dd if="$1" bs=1M skip="$2" count="$3" iflag=skip_bytes,count_bytes,fullblock status=none | sha256sum'

function digestOf(path: string, { start, length }: DataExtent): Command {
  return reads('sh', '-c', DIGEST_SCRIPT, 'pengx-digest', path, String(start), String(length))
}

/** Reads back what arrived. */
async function compare(
  host: Host,
  path: string,
  extents: readonly DataExtent[],
  digests: readonly string[],
  { tag, signal }: CopyOptions,
): Promise<void> {
  if (extents.length === 0) return
  const parts = [endable('sync', path), ...extents.map((extent) => digestOf(path, extent))]
  const outputs = await runAll(host, { ...batch(parts, { stopOnFailure: true, queue: 'copies' }), tag }, signal)
  digests.forEach((digest, index) => {
    const found = outputs[index + 1]?.stdout.split(' ')[0]
    if (found === digest) return
    const where = `from byte ${extents[index]!.start} on`
    const text = `what arrived in ${path} on ${host.name} is not what was sent (${where}): ${found} and not ${digest}`
    throw new PengxError('commandFailed', text)
  })
}

/** Each image is told where what it lies on lies now. */
async function join(host: Host, layers: readonly Layer[], staged: readonly StagedImage[], tag: string): Promise<void> {
  const links = staged
    .slice(0, -1)
    .map((image, index) =>
      renameBacking(image.path, { path: staged[index + 1]!.path, format: layers[index + 1]!.format }),
    )
  if (links.length > 0) await runAll(host, { ...batch(links, { stopOnFailure: true }), tag })
}

/** What the phases say of themselves, each by its weight, as one. */
function shares(onProgress: (done: number) => void, weights: readonly number[]): (phase: number, done: number) => void {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const done = weights.map(() => 0)
  return (phase, share) => {
    done[phase] = share
    onProgress(weights.reduce((sum, weight, index) => sum + weight * done[index]!, 0) / total)
  }
}

function monotonic(onProgress: (done: number) => void): (done: number) => void {
  let most = 0
  return (done) => {
    if (done < most) return
    most = done
    onProgress(done)
  }
}
