import type { Disk, DiskFormat } from './disk.ts'
import type { Drive } from './drive.ts'
import type { Vm, VmSpec } from './vm.ts'

export type BackupKind = 'full' | 'incremental'

/**
 * `verified`: what lies on the storlink was read again and is what the VM's disks held. `failed`: it was read again and is
 * not. `unverified`: nobody has done that, so it does not count.
 */
export type BackupState = 'verified' | 'unverified' | 'failed'

/** What one disk held, as a compressed qcow2 volume. */
export interface BackupVolume {
  readonly uuid: string
  /** The disk (its UUID) whose bytes these are. */
  readonly disk: string
  readonly vdev: string
  /** What the disk itself was, and what it is restored as. */
  readonly format: DiskFormat
  /** Virtual size in MiB. */
  readonly sizeMib: number
  readonly path: string
  /** How long the image is, from its first byte on: a logical volume is longer. */
  readonly bytes: number
  /** Of those bytes; empty where nobody has read them. */
  readonly sha256: string
}

/** The VM as it was configured, with all of its disks and without the VNC password. */
export type BackedUpVm = Omit<VmSpec, 'drives'> &
  Pick<Vm, 'desc' | 'os' | 'osArch' | 'template'> & {
    /** Absent in backups of earlier versions. */
    readonly drives?: readonly Drive[]
  }

/** What all disks of a VM held at one moment. It outlives the VM. */
export interface Backup {
  readonly uuid: string
  /** The VM's UUID and its name then. */
  readonly vm: string
  readonly vmName: string
  readonly name: string
  readonly desc: string
  readonly storlink: number
  readonly kind: BackupKind
  /** Why it is a full one although an incremental one was wished for. */
  readonly fullBecause?: string
  /** The backup that its volumes lie on; absent for a full one. */
  readonly parent?: string
  /** How many it lies on. */
  readonly depth: number
  /** The VM ran. */
  readonly live: boolean
  readonly state: BackupState
  /** When it was last read back. */
  readonly checkedAt?: number
  /** What was wrong with it then. */
  readonly problem?: string
  /** When it was last booted for proof, and what was wrong then; without a problem it came up. */
  readonly drilledAt?: number
  readonly drillProblem?: string
  readonly spec: BackedUpVm
  readonly volumes: readonly BackupVolume[]
  /** The moment whose bytes these are. */
  readonly createdAt: number
}

/** When backups are made, or read back, by themselves. */
export interface Schedule {
  readonly uuid: string
  /** The VM's UUID; absent where it is for all that match `filter` when it is due. */
  readonly vm?: string
  readonly filter?: string
  /** It reads good backups back in place of making new ones. */
  readonly what?: 'verify'
  /** The VM's name when it was made; of a filter, its words. */
  readonly vmName: string
  readonly storlink: number
  /** Five fields of cron(5), in the time zone of the machine that runs pengx. */
  readonly cron: string
  readonly incremental: boolean
  /** At most so many MiB a second are read of a VM that runs; 0: no limit. */
  readonly rateMib: number
  readonly retention: Retention
  readonly enabled: boolean
  readonly createdAt: number
  /** The newest time that it was due and somebody took it on. */
  readonly takenAt?: number
  /** Why the last time did not come to a backup. */
  readonly problem?: string
}

/** How many are kept: the newest; of each hour its newest, for so many hours that have one; of days, weeks, months likewise. */
export interface Retention {
  readonly keepLast: number
  readonly keepHourly: number
  readonly keepDaily: number
  readonly keepWeekly: number
  readonly keepMonthly: number
}

/** An increment on more than so many is refused by nobody, but reading it back passes through all: a full one is due. */
export const MAX_INCREMENTS = 30

/** What a backup holds of a VM: CD images and what it only reads are not in it. */
export function backedUpDisks(vm: Pick<Vm, 'disks'>): readonly Disk[] {
  return vm.disks.filter((disk) => !disk.readOnly)
}

/** From a backup down to the full one that it lies on. */
export function chainOf(backup: Backup, all: readonly Backup[]): readonly Backup[] {
  const chain: Backup[] = []
  for (let one: Backup | undefined = backup; one; one = all.find((other) => other.uuid === chain.at(-1)?.parent))
    chain.push(one)
  return chain
}

/** Those that lie on it right away. */
export function lyingOnBackup(backup: Pick<Backup, 'uuid'>, all: readonly Backup[]): readonly Backup[] {
  return all.filter((other) => other.parent === backup.uuid)
}

/** It and all that it lies on were read back and are good. */
export function isGood(backup: Backup, all: readonly Backup[]): boolean {
  return chainOf(backup, all).every((one) => one.state === 'verified')
}

/** The UUIDs of all that are good, each looked at once: for lists of thousands. */
export function goodBackups(all: readonly Backup[]): ReadonlySet<string> {
  const byUuid = new Map(all.map((backup) => [backup.uuid, backup]))
  const known = new Map<string, boolean>()
  for (const backup of all) {
    const chain: Backup[] = []
    let below: Backup | undefined = backup
    for (; below && !known.has(below.uuid); below = byUuid.get(below.parent ?? '')) chain.push(below)
    let good = below === undefined || known.get(below.uuid) === true
    for (const one of chain.reverse()) {
      good &&= one.state === 'verified'
      known.set(one.uuid, good)
    }
  }
  return new Set(all.flatMap(({ uuid }) => (known.get(uuid) ? uuid : [])))
}

/** After so many days nobody knows any more whether it still reads as it did. */
const CHECKED_FOR_DAYS = 30

/** It was not read for long. */
export function isCheckOld({ checkedAt }: Pick<Backup, 'checkedAt'>, now: number): boolean {
  return checkedAt === undefined || now - checkedAt > CHECKED_FOR_DAYS * 86_400_000
}

/** What it takes of its storlink, in MiB. */
export function storedMib(backup: Pick<Backup, 'volumes'>): number {
  return Math.ceil(backup.volumes.reduce((sum, volume) => sum + volume.bytes, 0) / (1024 * 1024))
}

/** What a VM is configured to be, as it goes with its backup. */
export function specOf(vm: Vm): BackedUpVm {
  const { password: _secret, ...vnc } = vm.vnc ?? {}
  return {
    name: vm.name,
    domainName: vm.domainName,
    type: vm.type,
    vcpuCount: vm.vcpuCount,
    maxVcpuCount: vm.maxVcpuCount,
    memoryMib: vm.memoryMib,
    maxmemMib: vm.maxmemMib,
    boot: vm.boot,
    ...(vm.vnc ? { vnc: { ...vnc, listen: vm.vnc.listen } } : {}),
    disks: vm.disks,
    drives: vm.drives,
    nics: vm.nics,
    extraConfig: vm.extraConfig,
    desc: vm.desc,
    os: vm.os,
    osArch: vm.osArch,
    ...(vm.template === undefined ? {} : { template: vm.template }),
  }
}
