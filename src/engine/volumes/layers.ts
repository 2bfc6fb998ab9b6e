import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Command, Host } from '../host/host.ts'
import { run, runBatch, runMany, runWatched } from '../host/run.ts'
import { changes } from '../tools/program.ts'
import {
  compareImages,
  diskFormat,
  imageChain,
  imageInfo,
  parseImageChain,
  parseImageInfo,
  rebaseImage,
} from '../tools/qemuImg.ts'
import { identify, isSameVolume } from './identity.ts'
import { needFlushed, said } from './image.ts'
import type { ChainImage, Image } from './volumeDriver.ts'

/** Images that lie on one another, wherever they are: what their headers tell, and merging one into those above it. */

/**
 * An image and all it lies on, itself first, as their headers tell (`qemu-img info --backing-chain -U`): one round
 * trip. Looks only, also while a guest has them open. `notFound` where one of them is not there, `unsupported` for a
 * format that pengx has not, else `commandFailed`.
 */
export async function readChain(host: Host, image: Image): Promise<ChainImage[]> {
  const output = await run(host, { ...imageChain(image.path, image.format), okExits: [0, 1] })
  if (output.exit !== 0) {
    const why = output.stderr.trim().split('\n').at(-1) ?? ''
    const code = /No such file or directory/.test(why) ? 'notFound' : 'commandFailed'
    throw new PengxError(code, `cannot read what ${image.path} on ${host.name} lies on: ${why}`, { cause: output })
  }
  return chainOf(host, image, output.stdout)
}

function chainOf(host: Host, image: Image, stdout: string): ChainImage[] {
  const infos = parseImageChain(stdout)
  return infos.map((info, index): ChainImage => {
    const path = index === 0 ? image.path : (infos[index - 1]!.backingPath ?? '')
    const format = diskFormat(info.format)
    if (!format) throw new PengxError('unsupported', `${path} on ${host.name} is a ${info.format} image`)
    const { sizeMib, usedMib, corrupt, backingPath } = info
    return { path, format, sizeMib, usedMib, corrupt, ...(backingPath === undefined ? {} : { backing: backingPath }) }
  })
}

/**
 * As `readChain`, of several images in one round trip; undefined for one that cannot be read: it is not there, or is a
 * logical volume that is not active.
 */
export async function readChains(
  host: Host,
  images: readonly Image[],
  signal?: AbortSignal,
): Promise<(ChainImage[] | undefined)[]> {
  const parts = images.map(({ path, format }) => ({ ...imageChain(path, format), okExits: [0, 1] }))
  const outputs = await runMany(host, parts, {}, signal)
  return outputs.map((output, index) => (output.exit === 0 ? chainOf(host, images[index]!, output.stdout) : undefined))
}

/** So that the script of one batch stays well under what a shell takes as one word (128 KiB). */
const HEADERS_A_BATCH = 100

/**
 * Which of these lie on `base` directly, as their headers tell, by whichever name they call it; what is no qcow2 image, or
 * cannot be read, lies on nothing. Looks only.
 */
export async function dependentsAmong(host: Host, paths: readonly string[], base: string): Promise<string[]> {
  const backings: { readonly path: string; readonly backing: string }[] = []
  const others = paths.filter((path) => path !== base)
  for (let index = 0; index < others.length; index += HEADERS_A_BATCH) {
    const some = others.slice(index, index + HEADERS_A_BATCH)
    const outputs = await runBatch(host, batch(some.map((path) => ({ ...imageInfo(path, 'qcow2'), okExits: [0, 1] }))))
    for (const [position, path] of some.entries()) {
      const output = outputs[position]
      const backing = output?.exit === 0 ? parseImageInfo(output.stdout).backingPath : undefined
      if (backing !== undefined) backings.push({ path, backing })
    }
  }
  const named = new Set(backings.map(({ backing }) => backing).filter((backing) => backing !== base))
  const known = named.size === 0 ? undefined : await identify(host, [base, ...named])
  const own = known?.get(base)
  const isBase = (backing: string) => {
    const other = known?.get(backing)
    return backing === base || (own !== undefined && other !== undefined && isSameVolume(own, other, true))
  }
  return backings.filter(({ backing }) => isBase(backing)).map(({ path }) => path)
}

interface RebaseOptions {
  readonly tag: string
  readonly onProgress?: (done: number) => void
  readonly signal?: AbortSignal
  /** What the place has to do before more is written to the volume. */
  readonly makeRoom?: (chain: readonly ChainImage[]) => Promise<void>
}

/**
 * Lays a volume on `backing`, or on nothing, with what it reads from those above that copied into it (`qemu-img
 * rebase`); safe on its disk when this is done, and lying there already is done. Nobody may have it open. Those
 * between are not touched; until the caller has seen this end well they must stay. Cut short it reads as before.
 * `refused` where `backing` lies on the volume itself, `notFound` where an image of its chain is not there,
 * `noSpace`, `commandFailed`.
 */
export async function rebaseVolume(
  host: Host,
  path: string,
  backing: Image | undefined,
  options: RebaseOptions,
): Promise<void> {
  const { tag, onProgress, signal, makeRoom } = options
  const chain = await readChain(host, { path, format: 'qcow2' })
  if (chain[0]!.backing !== backing?.path) {
    if (backing && !chain.some((image) => image.path === backing.path)) await needApart(host, path, backing)
    await makeRoom?.(chain)
    const command: Command = { ...rebaseImage(path, backing), tag, queue: 'copies' }
    needFlushed(host, command, await runWatched(host, command, said(onProgress), signal))
  }
  await run(host, { ...changes('sync', path), tag })
}

async function needApart(host: Host, path: string, backing: Image): Promise<void> {
  const below = await readChain(host, backing)
  if (!below.some((image) => image.path === path)) return
  const text = `cannot lay ${path} on ${backing.path} on ${host.name}: that lies on ${path} itself`
  throw new PengxError('refused', text)
}

/**
 * Whether a guest would read the same from both (`qemu-img compare`; where one is longer the rest must be zeros).
 * Looks only, and reads all of both; tells 0 to 1. `commandFailed` where one cannot be read.
 */
export async function compareVolumes(
  host: Host,
  a: Image,
  b: Image,
  onProgress?: (done: number) => void,
  signal?: AbortSignal,
): Promise<boolean> {
  const output = await runWatched(host, { ...compareImages(a, b), queue: 'copies' }, said(onProgress), signal)
  return output.exit === 0
}
