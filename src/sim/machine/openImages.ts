/** What a simulated QEMU has open. */
import { findNode } from './files.ts'
import { backendOf, isServed } from './guestConfig.ts'
import { hasQemu } from './guests.ts'
import type { Domain, FsNode, PmState, SimDisk } from './state.ts'

export interface OpenImage {
  readonly path: string
  readonly writes: boolean
}

/** The format of the image at the top of a disk's chain. */
export function liveFormat(disk: SimDisk): string {
  return disk.livePath === undefined ? disk.format : (disk.liveFormat ?? 'qcow2')
}

/** Each disk's image, those that it lies on, and those that are only kept. */
export function imagesOpenIn(pm: PmState, domain: Domain): OpenImage[] {
  if (domain.imagesGiven) return []
  const disks = domain.config.disks.filter((disk) => backendOf(disk) === 'qdisk' && !disk.unserved && isServed(disk))
  const tops = disks.map((disk) => ({ path: disk.livePath ?? disk.path, writes: !disk.readOnly && !disk.cdrom, disk }))
  const added = (domain.addedNodes ?? []).map(({ path }) => ({ path, writes: true, disk: undefined }))
  const kept = disks.flatMap((disk) => {
    const own = keptOf(pm, disk)
    return own === undefined ? [] : [{ path: own, writes: false, disk }]
  })
  return [...tops, ...added, ...kept].flatMap(({ path, writes, disk }) =>
    chainOf(pm, path, disk).map((image, depth) => ({ path: image, writes: writes && depth === 0 })),
  )
}

/** The image that a disk was built with and reads no more, while QEMU keeps it: the node is the device's own. */
export function keptOf(pm: PmState, disk: SimDisk): string | undefined {
  if (disk.livePath === undefined || disk.ownClosed || disk.path === '') return undefined
  return chainOf(pm, disk.livePath, disk).includes(disk.path) ? undefined : disk.path
}

/** Whether a domain on the machine has that open, through QEMU or the kernel: by what it is, whatever its path. */
export function isOpen(pm: PmState, path: string): boolean {
  const node = findNode(pm, path)
  if (node === undefined) return false
  return pm.domains.some((domain) => {
    const byKernel = domain.config.disks.filter((disk) => backendOf(disk) === 'phy' && isServed(disk))
    const byQemu = hasQemu(domain) ? imagesOpenIn(pm, domain) : []
    return [...byKernel, ...byQemu].some((one) => findNode(pm, one.path) === node)
  })
}

function chainOf(pm: PmState, top: string, disk: SimDisk | undefined): string[] {
  const chain: string[] = []
  for (let path: string | undefined = top; path !== undefined && chain.length < 100; ) {
    chain.push(path)
    const node: FsNode | undefined = findNode(pm, path)
    const isRead =
      (node?.kind === 'file' || node?.kind === 'block') &&
      (disk === undefined || top !== (disk.livePath ?? disk.path) || liveFormat(disk) !== 'raw')
    path = isRead ? node.image?.backing : undefined
  }
  return chain
}
