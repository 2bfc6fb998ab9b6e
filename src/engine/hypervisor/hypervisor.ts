import type { Clock } from '../../lib/clock.ts'
import type { AutostartLink, AutostartLook } from '../../model/autostart.ts'
import type { Disk } from '../../model/disk.ts'
import type { Nic } from '../../model/nic.ts'
import type { VmSpec } from '../../model/vm.ts'
import type { Host } from '../host/host.ts'
import type { Lockspace } from '../tools/sanlock.ts'
import type { ParsedConfig } from '../tools/xl/config.ts'
import type { Devices, DiskDevice } from '../tools/xl/devices.ts'
import type { KeptDisk } from '../tools/xl/kept.ts'
import type { XenInfo } from '../tools/xl/xl.ts'
import type { BackupDisk, LiveCopyOptions } from './backup.ts'
import type { BlockJobOptions } from './blockJobs.ts'
import type { LinkedConfig } from './configs.ts'
import type { CreateConfig } from './create.ts'
import type { Timeouts } from './devices.ts'
import type { ConfigFile, ConfigText, DiskCounters, DomainDetail, DomainSeen, PmLook } from './domain.ts'
import type { LayerSwitch } from './layers.ts'
import type { Migration, MigrationOptions } from './migrate.ts'
import type { Unequal } from './mirror/compare.ts'
import type { MirrorOptions } from './mirror/mirror.ts'
import type { MirrorDisk } from './mirror/targets.ts'
import type { MomentOptions } from './moment/export.ts'
import type { MomentDisk, MomentMeans } from './moment/moment.ts'
import type { LayerStream } from './stream.ts'

export type ReadConfig = ConfigText & ParsedConfig

/** How domains are looked at and driven on one PM. Domids come from a look of the same moment, never from memory. */
export interface Hypervisor {
  /** Of sanlock's, under whose leases domains are built; absent: there are none. */
  readonly lockspace?: Lockspace
  /** Everything a beat needs, in one round trip; fails with `unsupported` where no Xen runs. */
  look(host: Host, signal?: AbortSignal): Promise<PmLook>
  /**
   * The domains alone (`xl list -v`), dom0 included: the cheapest true answer, for guards before and looks after a change.
   * What is half built or half torn down, or has lost its QEMU, is `broken`.
   */
  domains(host: Host, signal?: AbortSignal): Promise<DomainSeen[]>
  /** What the named domains were built from, in one round trip; with none named, all but dom0. */
  details(host: Host, domids: readonly number[], signal?: AbortSignal): Promise<DomainDetail[]>
  /** Configuration files where people keep them that `xl create` would take; files that do not parse are left out. */
  configFiles(host: Host, signal?: AbortSignal): Promise<ConfigFile[]>
  /** One by its path, byte by byte, and parsed; `notFound` where there is none, `invalid` where xl would not take it. */
  readConfig(host: Host, path: string): Promise<ReadConfig>
  /** What starts with the PM, and which of those configurations that are. */
  autostart(host: Host, configs: readonly string[], signal?: AbortSignal): Promise<AutostartLook>
  hasAutostartLink(host: Host, link: AutostartLink): Promise<boolean>
  /** There already is done; `conflict` where something else has its name, and nothing was changed. */
  addAutostartLink(host: Host, link: AutostartLink, tag: string): Promise<void>
  /** What else stands under its name stays. */
  removeAutostartLink(host: Host, link: AutostartLink, tag: string): Promise<void>
  /** Disk bytes through QMP, since xentop's disk columns are 0 for qdisk; empty where there is no QEMU. */
  diskCounters(host: Host, domid: number, signal?: AbortSignal): Promise<DiskCounters[]>

  /** Writes the configuration (mode 0600, atomically) and nothing else. */
  writeConfig(host: Host, path: string, text: string, tag: string): Promise<void>
  /** Another text for its owner's file; `conflict` where it does not say `before` any more. */
  replaceConfig(
    host: Host,
    path: string,
    texts: { readonly before: string; readonly after: string },
    tag: string,
  ): Promise<void>
  /** What is kept of it as it was goes, where that is `text`, which it says again. */
  forgetOriginal(host: Host, path: string, text: string, tag: string): Promise<void>
  /** A link to a configuration in the place of a file, which is kept beside it under a name that nobody starts from. */
  linkConfig(host: Host, link: LinkedConfig, tag: string): Promise<void>
  /** The file in the link's place again. */
  unlinkConfig(host: Host, link: LinkedConfig, tag: string): Promise<void>
  /** A file gets such a name too; done where it is not there. */
  setConfigAside(host: Host, path: string, aside: string, tag: string): Promise<void>
  /** Removes that file, and what a write that was cut short left; what is not there is removed. A running domain goes on. */
  removeConfig(host: Host, path: string, tag: string): Promise<void>
  /** Removes only what a write of that file which was cut short has left beside it. */
  removeConfigDraft(host: Host, path: string, tag: string): Promise<void>
  /**
   * `xl create` of a configuration, in one round trip with writing it where `text` is given. `uuid` is passed
   * beside the file, so that a configuration without one keeps the VM's. A name or UUID already running is
   * `conflict`: nothing was built. Returns the domid, and the domains as the same round trip saw them afterwards.
   */
  create(
    host: Host,
    config: CreateConfig,
    tag: string,
    signal?: AbortSignal,
  ): Promise<{ readonly domid: number; readonly domains: readonly DomainSeen[] }>
  /**
   * Asks the guest (PV or PVHVM drivers, ACPI for plain HVM); returns when it has been asked. Of this and what follows:
   * what is there afterwards is what counts, and not what the command said.
   */
  shutdown(host: Host, domid: number, tag: string): Promise<void>
  /** As `shutdown`; the domid changes when the guest comes back. */
  reboot(host: Host, domid: number, tag: string): Promise<void>
  /**
   * Takes the domain away at once, as if the power were cut: what the guest had not written is lost. One that is gone
   * is done.
   */
  destroy(host: Host, domid: number, tag: string): Promise<void>
  /** Stops its processors; memory and disks stay as they are. */
  pause(host: Host, domid: number, tag: string): Promise<void>
  /** Lets it go on, however often it was paused. */
  unpause(host: Host, domid: number, tag: string): Promise<void>

  /** Disks and interfaces that a domain has now, and how far their two sides are; nothing for one that is gone. */
  devices(host: Host, domid: number, signal?: AbortSignal): Promise<Devices>
  /** One disk of those, by its name; undefined where the domain has none of that name, or is gone. */
  device(host: Host, domid: number, vdev: string, signal?: AbortSignal): Promise<DiskDevice | undefined>
  /** Whether a guest has taken a disk that was attached to it. */
  isConnected(host: Host, domid: number, vdev: string, signal?: AbortSignal): Promise<boolean>
  /** The names under which a domain has disks now, whoever has attached them. */
  vdevs(host: Host, domid: number, signal?: AbortSignal): Promise<readonly string[]>
  /** Attached already is done; `conflict` where something else is under that name. Returns before the guest has it. */
  attachDisk(host: Host, domid: number, disk: Disk, tag: string): Promise<void>
  /** Returns when both sides and QEMU have let go of it; fails naming the side that does not. */
  detachDisk(
    host: Host,
    domid: number,
    disk: { readonly vdev: string; readonly path: string },
    tag: string,
    timeouts: Timeouts,
  ): Promise<void>
  /** Whether its QEMU has an image open, as a disk or below one; fails where that cannot be told. */
  hasOpen(host: Host, domid: number, path: string): Promise<boolean>
  /** Larger, under a running guest; fails with `unsupported` where no QEMU is in the disk's way. */
  resizeDisk(
    host: Host,
    domain: Pick<DomainSeen, 'domid' | 'uuid' | 'ownUuid'>,
    disk: { readonly vdev: string; readonly path: string },
    sizeMib: number,
    tag: string,
  ): Promise<void>
  /** Why those disks cannot be copied while their guest runs, or undefined. */
  refuseBackup(
    host: Host,
    domid: number,
    disks: readonly { readonly vdev: string; readonly path: string }[],
  ): Promise<string | undefined>
  /** Copies what the disks hold at one moment into volumes that are there, while the guest goes on. */
  backupDisks(host: Host, domid: number, disks: readonly BackupDisk[], options: LiveCopyOptions): Promise<void>
  /** Ends what an attempt of that name left at work; none there is done. */
  cancelJobs(host: Host, domid: number, options: Pick<BlockJobOptions, 'name' | 'clock'>): Promise<void>
  /** What a moment of those disks can be made with; looks only. */
  momentMeans(host: Host, domid: number, disks: readonly Pick<MomentDisk, 'vdev' | 'path'>[]): Promise<MomentMeans>
  /** Begins a moment of all disks that is read (moment/export.ts, `momentUrl`) until it is released. */
  holdMoment(
    host: Host,
    domid: number,
    disks: readonly MomentDisk[],
    options: MomentOptions,
    bitmap: string | undefined,
  ): Promise<void>
  /** Fails where a held moment is lost. */
  needMoment(
    host: Host,
    domid: number,
    disks: readonly MomentDisk[],
    options: Pick<MomentOptions, 'name'>,
  ): Promise<void>
  /**
   * Copies a moment of all disks, or what was written since an earlier one, into their scratch volumes; gives how much longer
   * a write of the guest took meanwhile than before.
   */
  copyMoment(
    host: Host,
    domid: number,
    disks: readonly MomentDisk[],
    options: MomentOptions,
    bitmap: string | undefined,
    since: string | undefined,
  ): Promise<number | undefined>
  /** Lets go of all that an attempt of that name left; with `bitmap` of what notes the writes since, too. */
  releaseMoment(
    host: Host,
    domid: number,
    options: Pick<MomentOptions, 'name' | 'clock' | 'socket'>,
    bitmap?: string,
  ): Promise<void>
  /** Of those that pengx has begun on the domain's disks. */
  forgetBitmaps(host: Host, domid: number, isMeant: (name: string) => boolean): Promise<void>
  /** Why those disks cannot go over to other volumes while their guest runs, or undefined; looks only. */
  refuseMirror(
    host: Host,
    domid: number,
    disks: readonly { readonly vdev: string; readonly path: string }[],
  ): Promise<string | undefined>
  /** Copies disks into volumes that are there, and then what is written meanwhile; an abort leaves it at work. */
  mirrorDisks(host: Host, domid: number, disks: readonly MirrorDisk[], options: MirrorOptions): Promise<void>
  /** Reads both back; gives what the guest writes to all the time, so that it could not be told. */
  compareMirrors(
    host: Host,
    domid: number,
    disks: readonly MirrorDisk[],
    options: MirrorOptions,
  ): Promise<readonly Unequal[]>
  /** Reads that back too, of a guest that is paused, with all of it written down; fails where it is not the same. */
  compareLeft(
    host: Host,
    domid: number,
    disks: readonly MirrorDisk[],
    left: readonly Unequal[],
    options: MirrorOptions,
  ): Promise<void>
  /** Of a guest that is paused: both are the same from here on, and written down, until it is completed or ended. */
  holdMirrors(
    host: Host,
    domain: Pick<DomainSeen, 'domid' | 'uuid' | 'ownUuid'>,
    disks: readonly MirrorDisk[],
    options: Pick<BlockJobOptions, 'name' | 'clock'>,
    tag: string,
  ): Promise<void>
  /** From here on the guest writes to the new volumes alone; those that it writes to already stay. */
  completeMirrors(
    host: Host,
    domain: Pick<DomainSeen, 'domid' | 'uuid' | 'ownUuid'>,
    disks: readonly MirrorDisk[],
    options: Pick<BlockJobOptions, 'name' | 'clock'>,
    tag: string,
  ): Promise<void>
  /** Ends what is left of it, and lets go of new volumes that no guest writes to; none there is done. */
  endMirrors(
    host: Host,
    domid: number,
    disks: readonly Pick<MirrorDisk, 'target'>[],
    options: Pick<BlockJobOptions, 'name' | 'clock'>,
  ): Promise<void>
  /** The image that QEMU writes to for each disk that it serves; none where the domain has no QEMU. */
  writtenImages(host: Host, domid: number): Promise<ReadonlyMap<string, string>>
  /** Moves running disks onto overlays that are there, all at one moment; those that are there already stay. */
  switchDisks(
    host: Host,
    domain: Pick<DomainSeen, 'domid' | 'uuid' | 'ownUuid'>,
    switches: readonly LayerSwitch[],
    tag: string,
  ): Promise<void>
  /** Tells libxl what disks lie on from now on: what `xl save` writes down names them then. False: it cannot be told. */
  tellLibxl(
    host: Host,
    domain: Pick<DomainSeen, 'domid' | 'uuid' | 'ownUuid'>,
    disks: readonly KeptDisk[],
    tag: string,
  ): Promise<boolean>
  /** Copies into an image of a running chain what it reads from those between it and `base`, and lays it on that. */
  streamLayer(host: Host, domid: number, stream: LayerStream, options: BlockJobOptions): Promise<void>
  /** Has QEMU close images that no disk reads any more, as those that were merged; closed already is done. */
  closeImages(host: Host, domid: number, paths: readonly string[]): Promise<void>
  /** What a failed attempt leaves half attached is detached at once. */
  attachNic(host: Host, domid: number, nic: Nic, tag: string): Promise<void>
  /** For the undo of an attachment alone; none there is done. */
  detachNic(host: Host, domid: number, mac: string, tag: string): Promise<void>
  /** Into that drive; `refused` where the domain has none of that name. */
  insertCd(host: Host, domid: number, cd: { readonly vdev: string; readonly path: string }, tag: string): Promise<void>
  /** Empties that drive; an empty one is done. */
  ejectCd(host: Host, domid: number, vdev: string, tag: string): Promise<void>
  /** What the guest shall have now; at most what it was built with as its maximum. */
  setMemory(host: Host, domid: number, mib: number, tag: string): Promise<void>
  /** How many processors are online; `refused` above what it was built with as its maximum. */
  setVcpus(host: Host, domid: number, count: number, tag: string): Promise<void>
  /** The domain's name in Xen; the file that it was built from is not touched. */
  rename(host: Host, domid: number, name: string, tag: string): Promise<void>
  /** What the domain is built from when its guest reboots by itself. */
  updateConfig(
    host: Host,
    domid: number,
    config: { readonly path: string; readonly uuid: string; readonly secrets?: readonly string[] },
    tag: string,
  ): Promise<void>

  /** What the hypervisor can do: versions, processors, memory. */
  abilities(host: Host, signal?: AbortSignal): Promise<XenInfo>
  /**
   * Sends a running guest to another PM, where it is paused in the end. Where it is after a failure, or an end of which
   * nobody knows, is for the caller to find out by looking at both.
   */
  migrate(host: Host, migration: Migration, options: MigrationOptions): Promise<void>
  /** Whether something still sends a guest from there by that configuration. */
  isMigrating(host: Host, configPath: string): Promise<boolean>
  /** Suspended for a migration or a save. */
  isSuspended(domain: DomainSeen): boolean
  /** Lets a suspended guest go on where it is; one that is not suspended is left alone. */
  resumeSuspended(host: Host, domid: number, tag: string, clock: Clock): Promise<void>
  /** The images that a domain's QEMU writes to; undefined where it has none. */
  openImages(host: Host, domid: number): Promise<readonly string[] | undefined>
  /** Waits until what had the disks of a domain that is gone has closed them. */
  waitForQemu(host: Host, domid: number, timeouts: { readonly clock: Clock; readonly timeoutMs: number }): Promise<void>
  /** Makes the QEMU of a paused domain read its images anew; nothing where it has none. */
  rereadImages(host: Host, domid: number, paths: readonly string[]): Promise<void>
  /** The configuration text for a VM: xl.cfg(5), one key a line. */
  formatConfig(uuid: string, spec: VmSpec): string
  /** The command that attaches a terminal to the guest's console; ctrl-] leaves it. */
  consoleArgv(domid: number): readonly [string, ...string[]]
}
