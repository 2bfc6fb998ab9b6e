import { uuidOfText } from '../lib/ids.ts'

/** How a disk's bytes are laid out in its volume (xl-disk-configuration(5), `format`). */
export type DiskFormat = 'qcow2' | 'raw' | 'vhd'

/** A disk of a VM: the volume it lies on and how the guest sees it. */
export interface Disk {
  /** The disk's own id, stable across whatever happens to its volumes. */
  readonly uuid: string
  /** As the guest names it: `xvda`, `hda`, … */
  readonly vdev: string
  readonly format: DiskFormat
  /** Virtual size in MiB; absent where nobody has looked. */
  readonly sizeMib?: number
  /** The file or block device on the PM. */
  readonly path: string
  /** The storlink it lies on; absent for a disk that was adopted where it lay. */
  readonly storlink?: number
  readonly readOnly: boolean
  /** The template's disk (its UUID) that this one lies on as an overlay; absent where it holds all of its bytes itself. */
  readonly base?: string
  /** Made by pengx, so deleting the VM removes it; an adopted disk is kept unless that is asked for. */
  readonly owned: boolean
  /** `qdisk`, `phy` or what the configuration forces; absent: libxl chooses. */
  readonly backend?: string
  /** The rest of its specification, kept and written back: `script=…`, `discard`. */
  readonly extra?: string
  readonly desc: string
  readonly createdAt: number
}

/** The next free `xvd` letter after those in use. */
export function nextVdev(used: readonly string[]): string {
  for (const letter of 'abcdefghijklmnopqrstuvwxyz') {
    const suffixes = [`xvd${letter}`, `hd${letter}`, `sd${letter}`]
    if (!suffixes.some((vdev) => used.includes(vdev))) return `xvd${letter}`
  }
  return 'xvdaa'
}

/**
 * The number under which libxl keeps a virtual block device (xen-vbd-interface(7)); undefined for a name that is none, or
 * that is written in another way (`d1p0`, a number).
 */
export function vdevNumber(vdev: string): number | undefined {
  const match = /^(xvd|hd|sd)([a-z]+)([1-9]\d*)?$/.exec(vdev)
  if (!match) return undefined
  const [, kind, letters = '', partitionText = '0'] = match
  const disk = [...letters].reduce((number, letter) => number * 26 + letter.charCodeAt(0) - 96, 0) - 1
  const partition = Number(partitionText)
  const isWithin = (lastDisk: number, lastPartition: number) => disk <= lastDisk && partition <= lastPartition
  if (kind === 'hd') return isWithin(3, 63) ? ((disk < 2 ? 3 : 22) << 8) | ((disk & 1) << 6) | partition : undefined
  if (kind === 'sd') return isWithin(15, 15) ? (8 << 8) | (disk << 4) | partition : undefined
  if (isWithin(15, 15)) return (202 << 8) | (disk << 4) | partition
  return isWithin((1 << 20) - 1, 255) ? (1 << 28) | (disk << 8) | partition : undefined
}

/** Disks that somebody else made get an id that follows from the VM and the vdev, the same at every look; they are not pengx's. */
export function identifyDisks(vm: string, disks: readonly Disk[], now: number): Disk[] {
  return disks.map((disk) => ({ ...disk, uuid: uuidOfText(`${vm} ${disk.vdev}`), owned: false, createdAt: now }))
}
