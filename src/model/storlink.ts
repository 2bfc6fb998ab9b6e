/** What carries a storlink (the document, `field desc` of storlinks/create). */
export type StorlinkType = 'LO' | 'FC' | 'ISC' | 'NFS' | 'CEP'
/** How a disk lies on it: a file, a block device, an object. */
export type Level = 'FL' | 'BL' | 'OB'

/** A storage link: a place where disks of VMs lie. Sizes in MiB. */
export interface Storlink {
  readonly id: number
  /**
   * Of the storage, not of this row: what its marker says, which lies on the storage itself, so that whoever keeps disks
   * there has the same. Absent: no marker of it was seen yet.
   */
  readonly uuid?: string
  /** Why its marker was not seen at the last look, by the UUID of the PM that looked; who has seen it is not in it. */
  readonly problems?: Readonly<Record<string, string>>
  /** The PM that it is worked on through; with `shared`, others see it too, and of a volume group this one alone changes it. */
  readonly pm: string
  readonly name: string
  /** A directory, a volume group's path, a pool. */
  readonly link: string
  readonly type: StorlinkType
  readonly level: Level
  readonly shared: boolean
  readonly desc: string
  readonly sizeMib: number
  readonly freeMib: number
  readonly createdAt: number
}

/** Which levels a type may carry: NFS only files, CEPH only objects, the rest files or blocks. */
export const LEVELS_OF: Record<StorlinkType, readonly Level[]> = {
  LO: ['FL', 'BL'],
  FC: ['FL', 'BL'],
  ISC: ['FL', 'BL'],
  NFS: ['FL'],
  CEP: ['OB'],
}
