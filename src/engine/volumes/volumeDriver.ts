import type { DiskFormat } from '../../model/disk.ts'
import type { Level, Storlink } from '../../model/storlink.ts'
import type { Host } from '../host/host.ts'

/** One volume: a disk's bytes, named by a UUID that was picked before it was made. */
export interface Volume {
  readonly storlink: Storlink
  readonly uuid: string
  readonly format: DiskFormat
}

export interface VolumeInfo {
  readonly sizeMib: number
  /** What it takes of the storlink. */
  readonly usedMib: number
  readonly format: DiskFormat
  readonly backing?: string
}

/** Facts about a level; the engine branches on these, never on the driver's name. */
export interface VolumeTraits {
  readonly formats: readonly DiskFormat[]
  /** A volume takes only what was written to it. */
  readonly sparse: boolean
  /** libxl must be told `backendtype=qdisk`, so that QEMU is in the data path. */
  readonly needsQdisk: boolean
  /** A volume can lie on another's (a layer). */
  readonly overlays: boolean
}

/** Space of a storlink as its PM sees it, and whether it is what it claims to be. */
export interface Space {
  readonly sizeMib: number
  readonly freeMib: number
}

/**
 * How a disk lies on a storlink of one level: file, block or object. After `locate` a volume is its path. Every change
 * is tagged with the job's step, removes only what it made, and is repeatable: making what is there as asked for
 * is done, removing what is not there is done.
 */
export interface VolumeDriver {
  readonly level: Level
  readonly traits: VolumeTraits
  /** Path of a volume on a PM that sees the storlink. */
  locate(volume: Volume): string
  /** Space of a link, or `refused` with why it cannot be such a storlink on that PM (not there, not a directory, …). */
  inspect(host: Host, link: string): Promise<Space>
  create(host: Host, path: string, format: DiskFormat, sizeMib: number, tag: string): Promise<void>
  /** A new qcow2 volume that reads from `backing` what is not written to it, of its size or of the larger one given. */
  overlay?(
    host: Host,
    path: string,
    backing: { readonly path: string; readonly format: DiskFormat },
    sizeMib: number | undefined,
    tag: string,
  ): Promise<void>
  /** Lets a volume be written to, or no longer; a level that cannot enforce it does what it can. */
  setWritable?(host: Host, path: string, writable: boolean, tag: string): Promise<void>
  /** Whether it may be written to; undefined where it is not there. */
  isWritable?(host: Host, path: string): Promise<boolean | undefined>
  /** Grows it; nobody else may have it open. */
  resize(host: Host, path: string, format: DiskFormat, sizeMib: number, tag: string): Promise<void>
  /** Puts a volume out of the way under a name derived from its own, so that it can come back. */
  setAside(host: Host, path: string, tag: string): Promise<void>
  bringBack(host: Host, path: string, tag: string): Promise<void>
  /** Removes what was set aside; the volume in place is not touched. */
  removeAside(host: Host, path: string, tag: string): Promise<void>
  /** Removes a volume in place. */
  remove(host: Host, path: string, tag: string): Promise<void>
  /** What lies there, or undefined; `shared` where somebody else has it open. */
  stat(host: Host, path: string): Promise<VolumeInfo | undefined>
  /** Fills a new volume from an image on the same PM; `onProgress` from 0 to 1. */
  importImage(
    host: Host,
    source: { readonly path: string; readonly format: DiskFormat },
    target: { readonly path: string; readonly format: DiskFormat },
    tag: string,
    onProgress: (done: number) => void,
    signal?: AbortSignal,
  ): Promise<void>
}
