import type { DiskFormat } from '../../model/disk.ts'
import type { Level, Storlink } from '../../model/storlink.ts'
import type { Command, Host } from '../host/host.ts'

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
 * How a disk lies on a storlink of one level: file, block or object. Every change is tagged with the job's
 * step, removes only what it made, and is repeatable: making what is there as asked for is done, removing what
 * is not there is done.
 */
export interface VolumeDriver {
  readonly level: Level
  readonly traits: VolumeTraits
  /** Path of a volume on a PM that sees the storlink. */
  locate(volume: Volume): string
  /** Why this link cannot be such a storlink on that PM (not there, not a directory, …), or its space. */
  inspect(host: Host, link: string): Promise<Space>
  create(host: Host, volume: Volume, sizeMib: number, tag: string): Promise<void>
  resize(host: Host, volume: Volume, sizeMib: number, tag: string): Promise<void>
  /** Puts a volume out of the way under a name derived from its own, so that it can come back. */
  setAside(host: Host, volume: Volume, tag: string): Promise<void>
  bringBack(host: Host, volume: Volume, tag: string): Promise<void>
  /** Removes it, aside or in place. */
  remove(host: Host, volume: Volume, tag: string): Promise<void>
  stat(host: Host, path: string): Promise<VolumeInfo | undefined>
  /** Fills a new volume from an image on the same PM; `onProgress` from 0 to 1. */
  importImage(
    host: Host,
    volume: Volume,
    sourcePath: string,
    tag: string,
    onProgress: (done: number) => void,
    signal?: AbortSignal,
  ): Promise<void>
  list(host: Host, storlink: Storlink): Promise<{ path: string; uuid?: string; aside: boolean; usedMib: number }[]>
  /** Read and write its bytes raw, for a pipe between any two volumes. */
  reader(volume: Volume): Command
  writer(volume: Volume, sizeMib: number): Command
}
