/**
 * A physical machine: a Xen host. What is durable about it, what it is, and what was last seen there.
 * Memory is in MiB, times are milliseconds since 1970.
 */
export interface Pm {
  readonly uuid: string
  readonly name: string
  /** How it is reached: `local`, `ssh:[user@]host[:port]`, or `sim:NAME`. */
  readonly destination: string
  readonly cpuCount: number
  readonly memoryMib: number
  readonly readOnly: boolean
  readonly createdAt: number
  readonly seen: PmSeen
}

export type PmReach = 'up' | 'down' | 'unknown'

/** The last look at a PM; fields keep their last known value while it cannot be reached. */
export interface PmSeen {
  readonly reach: PmReach
  /** Since when `reach` is what it is. */
  readonly since: number
  /** When it last answered; 0: never. */
  readonly at: number
  /** Why it is down, as one line for a person. */
  readonly problem?: string
  /** The PM whose machine-id it has too: what runs here is not shown, and `problem` says why. */
  readonly twinOf?: string
  /** Other destinations under which this process was given it too. */
  readonly alsoAt?: readonly string[]
  readonly xenVersion?: string
  readonly kernel?: string
  readonly bootId?: string
  readonly bootedAt?: number
  readonly freeMib?: number
  readonly threadsPerCore?: number
  readonly socketCount?: number
  readonly dom0MemoryMib?: number
  readonly dom0VcpuCount?: number
  readonly load?: number
  readonly interfaces?: readonly PmInterface[]
  readonly bridges?: readonly string[]
  /** Domains there that no VM row stands for: `(null)`, dying without a name, or sharing another's UUID. */
  readonly strays?: readonly Stray[]
  /** Configuration files found there that are no VM's own. */
  readonly configs?: readonly FoundConfig[]
  /** CD images found there, by path. */
  readonly isos?: readonly IsoImage[]
}

export interface IsoImage {
  readonly path: string
  readonly sizeMib: number
}

export interface PmInterface {
  readonly name: string
  readonly mac: string
  readonly ip: string
}

export interface Stray {
  readonly domid: number
  readonly name: string
  readonly uuid: string
  readonly state: string
}

/** A configuration file that is no VM's own: nobody has adopted it, or it describes a VM that has another file. */
export interface FoundConfig {
  /** It leads through no link. */
  readonly path: string
  /** The domain's. */
  readonly name: string
  readonly uuid?: string
  /** Other names that lead there; absent: none. */
  readonly links?: readonly string[]
  /** The VM that it describes, found or under care; absent: none is known. */
  readonly vm?: string
}

export function emptyPmSeen(now: number): PmSeen {
  return { reach: 'unknown', since: now, at: 0 }
}
