import { hashText } from '../machine/noise.ts'
import type { SimDisk } from '../machine/state.ts'

/** QEMU names a node that nobody has named by a number. */
export function anonymous(path: string): string {
  return `#block${String(hashText(path) % 100_000).padStart(3, '0')}`
}

/** The node that the device itself makes of the image that it is built with. */
export function ownName(disk: SimDisk): string {
  return `${disk.vdev}-${disk.format}`
}

/** The node of an image within a disk's chain. */
export function innerName(disk: SimDisk, path: string): string {
  return disk.livePath !== undefined && path === disk.path ? ownName(disk) : anonymous(`${path}/format`)
}
