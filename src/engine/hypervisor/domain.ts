import type { PmInterface } from '../../model/pm.ts'
import type { VmSpec, VmState } from '../../model/vm.ts'
import type { Kept } from '../tools/xl/json/loss.ts'

/** What is seen of domains and of the PM that they run on: the nouns of this room, below all that look and act. */

/** One domain as a look sees it. */
export interface DomainSeen {
  readonly domid: number
  /** The VM's that it belongs to. */
  readonly uuid: string
  /** Xen's own UUID of it where that is another: its file names none, and libxl has made one up. */
  readonly ownUuid?: string
  /** Changes when libxl writes down its devices anew; absent where that cannot be seen. */
  readonly stamp?: string
  /** `(null)` where Xen has lost its name. */
  readonly name: string
  readonly state: VmState
  /** The letters of `xl list`, for a person who wants to know. */
  readonly rawState: string
  readonly memoryMib: number
  readonly vcpuCount: number
  /** Seconds of CPU time since it was built. */
  readonly cpuSeconds: number
  /** Bytes since it was built, from xentop; NETTX/NETRX of the guest. */
  readonly rxBytes?: number
  readonly txBytes?: number
}

/** What one round trip to a PM tells; memory in MiB, counters since boot. */
export interface PmLook {
  readonly machineId: string
  readonly hostname: string
  readonly bootId: string
  readonly uptimeSeconds: number
  readonly xenVersion: string
  readonly kernel: string
  readonly cpuCount: number
  readonly threadsPerCore: number
  readonly socketCount: number
  readonly totalMib: number
  readonly freeMib: number
  readonly load: number
  readonly interfaces: readonly PmInterface[]
  readonly bridges: readonly string[]
  /** Sum over the physical interfaces. */
  readonly rxBytes: number
  readonly txBytes: number
  /** Domain-0 included, as the first. */
  readonly domains: readonly DomainSeen[]
}

/** What a domain was built from, where it is reached, and what of it a file cannot say. */
export interface DomainDetail extends Kept {
  readonly domid: number
  readonly uuid: string
  readonly spec: VmSpec
  readonly vncPort?: number
  /** Seconds since 1970 at which it was built. */
  readonly startedAt?: number
}

/** Bytes since the domain's QEMU began. */
export interface DiskCounters {
  readonly vdev: string
  readonly readBytes: number
  readonly writeBytes: number
}

/** A configuration file as it was found on a PM, and what it makes of a guest. */
export interface ConfigFile {
  /** It leads through no link. */
  readonly path: string
  /** Other names that lead there. */
  readonly links: readonly string[]
  readonly uuid?: string
  /** The domain's. */
  readonly name: string
  readonly spec: VmSpec
}

/** A configuration file as it was read, to be changed. */
export interface ConfigText {
  /** As it was asked for. */
  readonly path: string
  /** The same, through no link. */
  readonly target: string
  readonly name: string
  /** Byte by byte: one that is no part of a letter is a lone surrogate (`lib/bytes.ts`). */
  readonly text: string
}
