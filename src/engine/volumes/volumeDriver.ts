import type { DiskFormat } from '../../model/disk.ts'
import type { Level, Storlink } from '../../model/storlink.ts'
import type { Host } from '../host/host.ts'

/** One volume: a disk's bytes, named by a UUID that was picked before it was made. */
interface Volume {
  readonly storlink: Storlink
  readonly uuid: string
  readonly format: DiskFormat
}

/** An image where it lies. */
export interface Image {
  readonly path: string
  readonly format: DiskFormat
  /** At most so many are read of it, where it is what a running guest's QEMU shows; 0 or none: as fast as it goes. */
  readonly bytesPerSecond?: number
}

export interface VolumeInfo {
  readonly sizeMib: number
  /** What it takes of the storlink. */
  readonly usedMib: number
  readonly format: DiskFormat
  readonly backing?: string
}

/** An image of a chain, as its header tells. */
export interface ChainImage extends Image {
  readonly sizeMib: number
  /** What it takes of its file system; 0 on a device, which takes all of itself. */
  readonly usedMib: number
  /** What it lies on: the path of the next one; absent for the base. */
  readonly backing?: string
  /** QEMU has found it damaged and opens it no more for writing. */
  readonly corrupt: boolean
}

/** Facts about a level; the engine branches on these, never on the driver's name. */
/** What is made here; images of other formats are read, and copied into one of these. */
const VOLUME_FORMATS: readonly DiskFormat[] = ['qcow2', 'raw']

/** The format that a copy of such an image has. */
export function keptFormat(format: DiskFormat): DiskFormat {
  return VOLUME_FORMATS.includes(format) ? format : 'qcow2'
}

/** `backendtype` in xl-disk-configuration(5), which libxl must be told: a raw device it would give to the kernel, past QEMU. */
export const VOLUME_BACKEND = 'qdisk'

/** Who has a volume switched on. */
export type Users = 'one' | 'several'

interface VolumeTraits {
  /** A volume takes only what was written to it. */
  readonly sparse: boolean
}

/** Space of a storlink as its PM sees it, and whether it is what it claims to be. */
export interface Space {
  readonly sizeMib: number
  readonly freeMib: number
  /** What it is called everywhere it is seen, so that two PMs can be asked whether they see the same: a volume group's UUID. */
  readonly identity?: string
  /** Why nothing can be made or changed there now, though there may be room. */
  readonly refusal?: string
}

/** A run of an image's bytes in which `qemu-img map` finds more than zeros; nothing to do with the extents of LVM. */
export interface DataExtent {
  readonly start: number
  readonly length: number
}

/** What `qemu-img map` tells of an image as it lies in its file or device: its length, and where it has more than zeros. */
export interface ImageMap {
  readonly bytes: number
  readonly extents: readonly DataExtent[]
  /** The image that it will be, where what is staged becomes the volume: room for all that a guest may write. */
  readonly becomes?: { readonly format: DiskFormat; readonly sizeMib: number }
}

/** Room beside a volume, into which an image's bytes come from another PM (copy.ts). */
export interface StagedImage {
  readonly path: string
  /** What is not written to it reads as zeros, so a writer may leave zeros out. */
  readonly zeroed: boolean
}

/** A packed volume, and the earlier one that it lies on where it holds only what has changed since. */
export interface PackTarget {
  readonly path: string
  readonly backing?: Image
}

export interface Digest {
  /** From the image's first byte to its last: a volume may be longer. */
  readonly bytes: number
  /** Of those. */
  readonly sha256: string
}

/**
 * How a disk lies on a storlink of one level: file, block or object. After `locate` a volume is its path. Every change
 * is tagged with the job's step, removes only what it made, and is repeatable: making what is there as asked for
 * is done, removing what is not there is done. A volume has its name only when it is whole, and shows a guest nothing
 * that somebody else once wrote where it lies.
 */
interface DependentsOptions {
  /** Of these it is written down what they lie on: they are not read. */
  readonly known?: readonly string[]
  /** Logical volumes that are not active; none given: `refused`. */
  readonly asleep?: 'refused' | 'left out'
}

export interface VolumeDriver {
  readonly level: Level
  readonly traits: VolumeTraits
  /** Path of a volume on a PM that sees the storlink. */
  locate(volume: Volume): string
  /** Space of a link, or `refused` with why it cannot be such a storlink on that PM (not there, not a directory, …). */
  inspect(host: Host, link: string): Promise<Space>
  /** A new volume of zeros; `noSpace` where there is no room for it. */
  create(host: Host, path: string, format: DiskFormat, sizeMib: number, tag: string): Promise<void>
  /**
   * A new qcow2 volume that reads from `backing` what is not written to it, of its size or of the larger one given
   * (MiB). It names `backing` by its path, which must stay there; that is not written to.
   */
  overlay(host: Host, path: string, backing: Image, sizeMib: number | undefined, tag: string): Promise<void>
  /** Lets a volume be written to, or no longer; a level that cannot enforce it does what it can. */
  setWritable(host: Host, path: string, writable: boolean, tag: string): Promise<void>
  /** Whether it may be written to, by `setWritable`; undefined where it is not there. */
  isWritable(host: Host, path: string): Promise<boolean | undefined>
  /**
   * Sees to it that a volume, and what it lies on, can be opened on that PM: block devices sleep after a boot
   * (lvchange(8) `-ay`). `several`: another PM has it too, as both have while a guest goes from one to the other; else a
   * lock manager that the group has keeps others from it. `notFound` where one of them is not there, `refused` where it
   * may not be had here. Gives the paths of all that it has seen to, from the image down.
   */
  activate(host: Host, image: Image, tag: string, users?: Users): Promise<readonly string[]>
  /**
   * That PM lets go of a volume that another uses from now on; nothing is done where it alone sees it. `conflict` where it
   * is open.
   */
  release(host: Host, path: string, tag: string): Promise<void>
  /**
   * Grows it to so many MiB; nobody else may have it open. Of that size already is done; smaller fails, and nothing
   * is lost.
   */
  resize(host: Host, path: string, format: DiskFormat, sizeMib: number, tag: string): Promise<void>
  /**
   * What the place has to do before a QEMU that has the volume open grows it (QMP `block_resize`); the image is not
   * touched.
   */
  widen(host: Host, path: string, format: DiskFormat, sizeMib: number, tag: string): Promise<void>
  /**
   * Puts a volume out of the way under a name derived from its own, so that it can come back; not there is done,
   * `conflict` where one of that name is there too.
   */
  setAside(host: Host, path: string, tag: string): Promise<void>
  /** The other way round; `conflict` where something has taken its place. */
  bringBack(host: Host, path: string, tag: string): Promise<void>
  /** Whether there is one of that path that was set aside; looks only. */
  isAside(host: Host, path: string): Promise<boolean>
  /** Removes what was set aside; the volume in place is not touched. */
  removeAside(host: Host, path: string, tag: string): Promise<void>
  /**
   * Removes a volume in place, and what was left of making it, for good. Whether another lies on it is not asked
   * (`dependents`).
   */
  remove(host: Host, path: string, tag: string): Promise<void>
  /** What lies there, or undefined. Without its format the image's header is believed: only for images that no guest wrote. */
  stat(host: Host, path: string, format?: DiskFormat): Promise<VolumeInfo | undefined>
  /** Fills a new volume with what a guest would read of an image on the same PM; `onProgress` from 0 to 1. */
  importImage(
    host: Host,
    source: Image,
    target: Image,
    tag: string,
    onProgress: (done: number) => void,
    signal?: AbortSignal,
  ): Promise<void>
  /**
   * The images that a volume's bytes come from, itself first and its base last, as their headers tell; the volume may be
   * in use. `notFound` where one of them is not there or is an inactive LV (`activate`).
   */
  chain(host: Host, image: Image): Promise<ChainImage[]>
  /**
   * Volumes of the same place that lie on that one, as their headers tell: those too that nobody remembers. `refused` where
   * one cannot be read, unless that is left out.
   */
  dependents(host: Host, path: string, options?: DependentsOptions): Promise<string[]>
  /**
   * Puts a qcow2 volume that nobody has open on another image of its chain, or on none: what it reads from those between
   * is copied into it first, so that it reads as before, and from then on those may go. They are not touched. What was
   * cut short reads as before too, and is done by doing it again. The volume must be writable (`setWritable`).
   */
  rebase(
    host: Host,
    path: string,
    backing: Image | undefined,
    tag: string,
    onProgress?: (done: number) => void,
    signal?: AbortSignal,
  ): Promise<void>
  /** Whether a guest would read the same from both; where one is longer the rest must be zeros. Both are read whole. */
  compare(host: Host, a: Image, b: Image, onProgress?: (done: number) => void, signal?: AbortSignal): Promise<boolean>
  /** Makes room beside a volume for an image's bytes that come from elsewhere (copy.ts); `remove` takes it away too. */
  stageImage(host: Host, path: string, index: number, map: ImageMap, tag: string): Promise<StagedImage>
  /**
   * What was staged becomes the volume, safe on its disk before it has the name; what is there already is not
   * overwritten.
   */
  promoteStaged(host: Host, target: Image, index: number, tag: string): Promise<void>
  /** Removes what was staged beside a volume; the volume is not touched. */
  clearStaged(host: Host, path: string, tag: string): Promise<void>
  /**
   * Fills a new volume with what a guest would read of an image on the same PM, compressed (qcow2) and of no more room than
   * that takes: it is read, and never written again. With a backing the source must hold no more than what differs from
   * that, and neither will the volume.
   */
  pack(
    host: Host,
    source: Image,
    target: PackTarget,
    tag: string,
    onProgress: (done: number) => void,
    signal?: AbortSignal,
  ): Promise<void>
  /** Reads a packed volume from its disk, whole; fails where it is damaged, `notFound` where it is not there. */
  digest(host: Host, path: string, signal?: AbortSignal): Promise<Digest>
  /**
   * To be asked before something is written to a path of the place, or removed there, past the driver: a manifest. A driver
   * by itself knows nothing that speaks against it (marked.ts does).
   */
  mayWrite(host: Host, path: string, tag: string): Promise<void>
  /** Sees to it that a new volume may become so large, whoever else wants the room; false where nobody can promise that. */
  reserve(host: Host, path: string, bytes: number, tag: string): Promise<boolean>
}
