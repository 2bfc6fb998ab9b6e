/** Images as the simulated qemu-img sees them: headers in virtual files, without bytes. */
import {
  allocatedFor,
  charge,
  findNode,
  freeBytes,
  isFsError,
  mountOf,
  openForWrite,
  setAllocated,
  splitPath,
} from '../../machine/files.ts'
import { liveFormat } from '../../machine/openImages.ts'
import type { Call } from '../../machine/program.ts'
import type { BlockNode, FileNode, ImageHeader, PmState } from '../../machine/state.ts'

/** What a fresh image takes: qcow2's first clusters. */
export const METADATA = 200_704

export interface Options {
  flags: Set<string>
  values: Map<string, string>
  words: string[]
}

export interface Image {
  path: string
  node: FileNode | BlockNode
  header: ImageHeader
}

/** Opens an image as qemu-img would: with a format it must be of that format; without one the header tells. */
export function openImage(pm: PmState, path: string, format?: string): Image | string {
  const clean = path
    .replace(
      /^json:.*"driver":"nbd","export":"([^"]+)","server":\{"type":"unix","path":"([^"]+)".*$/,
      'nbd+unix:///$1?socket=$2',
    )
    .replace(/^json:.*"filename":\s*"([^"]+)".*$/, '$1')
  if (clean.startsWith('nbd+unix:')) return openShown(pm, clean)
  const cut = /^json:\{"driver":"raw","offset":\d+,"size":(\d+),"file":\{"driver":"([^"]+)"/.exec(path)
  if (cut) {
    const whole = openImage(pm, clean, cut[2])
    if (typeof whole === 'string') return whole
    return { ...whole, header: { format: 'raw', virtualSize: Number(cut[1]) } }
  }
  const within = /^json:\{"driver":"raw","file":\{"driver":"(qcow2|vmdk|vpc|vhdx)"/.exec(path)?.[1]
  if (within !== undefined) return asBareDisk(openImage(pm, clean, within))
  const node = findNode(pm, clean)
  if (node === undefined) return `Could not open '${path}': No such file or directory`
  if (node.kind === 'dir') return `'file' driver requires '${path}' to be a regular file`
  if (node.kind === 'link') return `Could not open '${path}': No such file or directory`
  const found: ImageHeader = node.image ?? { format: 'raw', virtualSize: Math.ceil(node.size / 512) * 512 }
  if (format !== undefined && format !== 'raw' && format !== found.format) return `Image is not in ${format} format`
  const header = format === 'raw' && found.format !== 'raw' ? { format: 'raw', virtualSize: node.size } : found
  return { path: clean, node, header }
}

/** An image of any format, read as the guest's bytes alone (tools/transfer/foreignImage.ts). */
function asBareDisk(image: Image | string): Image | string {
  return typeof image === 'string'
    ? image
    : { ...image, header: { format: 'raw', virtualSize: image.header.virtualSize } }
}

/** A disk's moment as its QEMU shows it: bytes without a format, as many as the disk holds. */
function openShown(pm: PmState, url: string): Image | string {
  const [, name, socket] = /^nbd\+unix:\/\/\/([^?]*)\?socket=(.*)$/.exec(url) ?? []
  const domain = pm.domains.find((one) => one.nbd?.socket === socket)
  if (domain === undefined) return `Failed to connect to '${socket}': Connection refused`
  const shown = domain.nbd?.exports.find((one) => one.name === name)
  const scratch = domain.addedNodes?.find((node) => node.name === shown?.node)
  const image = scratch && openImage(pm, scratch.path, scratch.format)
  if (!scratch || !image || typeof image === 'string') return `Requested export not available: ${name}`
  const disk = domain.config.disks.find((one) => (one.nodeName ?? `${one.vdev}-${one.format}`) === scratch.backing)
  const below = disk && openImage(pm, disk.livePath ?? disk.path, liveFormat(disk))
  if (!below || typeof below === 'string') return `Requested export not available: ${name}`
  const { virtualSize } = below.header
  const node: FileNode = {
    ...(image.node as FileNode),
    kind: 'file',
    allocated: chainAllocated(pm, below),
    size: virtualSize,
  }
  return { path: url, node, header: { format: 'raw', virtualSize } }
}

/** The lock that it asks for: none (`-U`), so that nobody writes, or so that it may write itself. */
export type ImageLock = 'none' | 'read' | 'write'

export function openOrSay(call: Call, path: string, format?: string, lock: ImageLock = 'none'): Image | undefined {
  const image = openImage(call.pm, path, format)
  if (typeof image === 'string') {
    call.err(`qemu-img: Could not open '${path}': ${image}\n`)
    return undefined
  }
  if (lock !== 'none' && writerOf(call.pm, image.path)) {
    const which = lock === 'write' ? '"write"' : 'shared "write"'
    call.err(
      `qemu-img: Could not open '${path}': Failed to get ${which} lock\nIs another process using the image [${path}]?\n`,
    )
    return undefined
  }
  return image
}

/** Of what only reads. */
export function readLock(given: Options): ImageLock {
  return given.flags.has('-U') || given.flags.has('--force-share') ? 'none' : 'read'
}

/** A running guest's QEMU has it open for writing. */
export function writerOf(pm: PmState, path: string): boolean {
  return pm.domains.some(
    (domain) =>
      domain.phase !== 'building' &&
      domain.config.disks.some((disk) => !disk.readOnly && (disk.livePath ?? disk.path) === path),
  )
}

/** Puts an image at a path; gives the kernel's words where there is no place for it. */
export function writeImage(call: Call, path: string, header: ImageHeader, allocated: number): string | undefined {
  try {
    const node = openForWrite(call.pm, path, call.now())
    if (node.kind === 'block') {
      if (header.format === 'raw' && header.virtualSize > node.size) return 'No space left on device'
      node.allocated = Math.min(node.size, allocatedFor(allocated))
    } else {
      const wanted = allocatedFor(allocated)
      if (wanted > freeBytes(mountOf(call.pm, path))) {
        setAllocated(call.pm, path, node, freeBytes(mountOf(call.pm, path)))
        Object.assign(node, { image: header, text: undefined, size: node.allocated })
        return 'No space left on device'
      }
      charge(call.pm, path, wanted)
      node.allocated = wanted
      node.size = header.format === 'raw' ? header.virtualSize : wanted
    }
    node.image = header
    node.text = undefined
    node.mtimeMs = call.now()
    return undefined
  } catch (error) {
    if (!isFsError(error)) throw error
    return error.message
  }
}

/** The images below one, from the top down, as far as they can be opened; what is said of the one that cannot. */
export function imagesBelow(pm: PmState, image: Image): { readonly below: Image[]; readonly problem?: string } {
  const below: Image[] = []
  let at = image
  for (let depth = 0; at.header.backing !== undefined && depth < 100; depth++) {
    const { backing } = at.header
    const path = backing.startsWith('/') ? backing : `/${splitPath(at.path).slice(0, -1).join('/')}/${backing}`
    const next = openImage(pm, path, at.header.backingFormat)
    if (typeof next === 'string') return { below, problem: next }
    below.push(next)
    at = next
  }
  return { below }
}

/** What the images of a chain hold together. */
export function chainAllocated(pm: PmState, image: Image): number {
  return imagesBelow(pm, image).below.reduce((sum, one) => sum + one.node.allocated, image.node.allocated)
}

/** Made so, and nothing was written to it since. */
export function isEmpty({ header, node }: Image): boolean {
  return header.madeEmpty === true && node.allocated <= allocatedFor(METADATA)
}
