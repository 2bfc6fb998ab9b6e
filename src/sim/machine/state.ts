// What the simulated site is, as plain data: written to a file after each change, so that the next process finds it.
import type { SimBlockJob, SimNode } from './qemu.ts'
import type { SimSanlock } from './sanlock.ts'
import type { SimVnc } from './screen.ts'

export type GuestType = 'pv' | 'pvh' | 'hvm'

export interface SimDisk {
  vdev: string
  path: string
  format: string
  readOnly: boolean
  cdrom: boolean
  /** What the configuration forces; what libxl would choose is `backendOf()`. */
  backend?: string
  /** Came with block-attach: `xl list -l` shows such a disk without its colo flag. */
  attached?: true
  /** The image QEMU really writes to, where a live change has moved it off `path`. */
  livePath?: string
  /** Of that image, where it is no overlay (qcow2) of a live snapshot. */
  liveFormat?: string
  /** What libxl was told that it lies on, where that is another than it was built from. */
  kept?: { path: string; format: string }
  nodeName?: string
  /** QEMU was told to close the node of `path`, which is the device's own and else open to its end. */
  ownClosed?: true
  /** A CD drive that was empty when the guest was built: QEMU has made nothing of it. */
  unserved?: true
  connectedAt?: number
}

export interface SimNic {
  devid: number
  mac: string
  bridge: string
  model?: string
  ip?: string
  rate?: string
  script?: string
  backend?: string
  /** A failed network-attach left it there: its hotplug script never ran. */
  half?: true
}

/** A guest's configuration as libxl keeps it. Memory in MiB. */
export interface GuestConfig {
  name: string
  uuid: string
  type: GuestType
  vcpus: number
  maxVcpus: number
  memoryMib: number
  maxmemMib: number
  kernel?: string
  ramdisk?: string
  cmdline?: string
  bootloader?: string
  bootloaderArgs?: string[]
  firmware?: string
  bootOrder?: string
  disks: SimDisk[]
  nics: SimNic[]
  vnc?: SimVnc
  onPoweroff: string
  onReboot: string
  onCrash: string
}

/** Seconds of CPU and bytes, since the domain was built. */
export interface Counters {
  cpu: number
  rx: number
  tx: number
  read: number
  written: number
}

/** `up` covers a guest that is still booting: `bootedAt` says whether it listens yet. */
type Phase = 'building' | 'up' | 'shutdown' | 'dying'

/** xl's shutdown reasons: 0 poweroff, 1 reboot, 2 suspend, 3 crash. */
export type ShutdownReason = 0 | 1 | 2 | 3

export interface Domain {
  domid: number
  /** Absent: Xen shows `(null)`. */
  name?: string
  uuid: string
  config: GuestConfig
  /** Given by config-update: what the next reboot builds from. */
  nextConfig?: GuestConfig
  phase: Phase
  paused: boolean
  shutdownReason?: ShutdownReason
  memoryMib: number
  maxmemMib: number
  vcpusOnline: number
  builtAt: number
  /** When libxl has written down its devices last, in its own file; absent: when it was built. */
  configuredAt?: number
  /** When half of the build is over and Xen shows its memory. */
  populatedAt: number
  bootedAt?: number
  /** Asked for by xl, done when the guest listens. */
  request?: 'poweroff' | 'reboot'
  stubborn?: true
  /** An xl create that was cut off has left it: nobody builds it any more. */
  unfinished?: true
  /** An xl destroy that was cut off has left it, without its QEMU and the guest's sides of its devices. */
  torn?: true
  /** Its QEMU was killed, and all else stays as it was. */
  qemuKilled?: true
  /** The guest has PV drivers, so it hears control/shutdown. */
  paravirt: boolean
  /** Nodes that QMP added (blockdev-add), and QEMU's jobs: gone with the domain. */
  addedNodes?: SimNode[]
  blockJobs?: SimBlockJob[]
  bitmaps?: { node: string; name: string }[]
  /** What QEMU shows on a socket. */
  nbd?: { socket: string; exports: { id: string; node: string; name: string }[] }
  /** QEMU was told to stop its block devices (QMP `stop`). */
  qemuStopped?: true
  /** QEMU has let go of its images for another to take them (QMP `xen-save-devices-state`). */
  imagesGiven?: true
  /** QEMU has read its images while another still wrote to them, and not since. */
  imagesStale?: true
  counters: Counters
  /** Counts since then; absent while it is paused or shut down. */
  countsSince?: number
  vncPort?: number
}

type DueKind = 'built' | 'booted' | 'stopped' | 'acted' | 'gone'

/** Something that will have happened at `at`: looked up when somebody asks, never waited for. */
export type Due =
  | { at: number; kind: DueKind; domid: number; reason?: ShutdownReason }
  | { at: number; kind: 'restart'; config: GuestConfig }

interface NodeBase {
  mode: number
  uid: number
  gid: number
  mtimeMs: number
  ino: number
}
/** What qemu-img would read in an image's header. Sizes in bytes. */
export interface ImageHeader {
  format: string
  virtualSize: number
  backing?: string
  backingFormat?: string
  /** Made so, and nothing was written to it since as long as it takes no more than its tables. */
  madeEmpty?: true
  /** QEMU has found it so, and has written it into the header. */
  corrupt?: true
  /** What is wrong in its tables, and nobody has found yet. */
  corruptions?: number
}
export interface DirNode extends NodeBase {
  kind: 'dir'
  children: Record<string, FsNode>
  /** Here a shared directory is mounted: the children are those of all machines that have it. */
  share?: string
}
export interface FileNode extends NodeBase {
  kind: 'file'
  size: number
  allocated: number
  text?: string
  image?: ImageHeader
}
export interface BlockNode extends NodeBase {
  kind: 'block'
  size: number
  allocated: number
  text?: string
  image?: ImageHeader
}
export interface LinkNode extends NodeBase {
  kind: 'link'
  target: string
}
export type FsNode = DirNode | FileNode | BlockNode | LinkNode

export interface Mount {
  at: string
  device: string
  fstype: string
  sizeBytes: number
  usedBytes: number
}

export interface LogicalVolume {
  name: string
  uuid: string
  sizeBytes: number
  segType: 'linear' | 'thin' | 'thin-pool'
  pool?: string
  origin?: string
  active: boolean
  /** Does not come up with its group (`-k y`): a thin snapshot is made so. */
  skipActivation?: boolean
  readOnly?: boolean
  tags: string[]
  dataPercent?: number
  /** Of a group that several machines see: those that have it active. */
  activeOn?: string[]
  /** What lay in it when it was last deactivated. */
  content?: Pick<BlockNode, 'image' | 'text' | 'allocated'>
}
export interface VolumeGroup {
  name: string
  uuid: string
  sizeBytes: number
  extentBytes: number
  tags?: string[]
  volumes: LogicalVolume[]
  /** The machines that see it; absent for one that lies in one machine. */
  sharedBy?: string[]
  /** How often its metadata was written. */
  written?: number
  lockType?: 'sanlock' | 'dlm'
  systemId?: string
  exported?: true
  partial?: true
}

export interface PmNet {
  name: string
  mac: string
  ip?: string
  master?: string
  kind: 'physical' | 'bridge'
}

export interface PmState {
  name: string
  machineId: string
  bootId: string
  bootedAt: number
  cpuCount: number
  coresPerSocket: number
  threadsPerCore: number
  memoryMib: number
  dom0MemoryMib: number
  dom0VcpuCount: number
  nextDomid: number
  nextIno: number
  nets: PmNet[]
  root: DirNode
  mounts: Mount[]
  /** What was taken away from under a path: what lies there is hidden until it is mounted again. */
  unmounted?: { mount: Mount; share?: string; children: Record<string, FsNode> }[]
  groups: VolumeGroup[]
  /** Of its QEMU; absent: 7.2.22. */
  qemuVersion?: readonly [major: number, minor: number, micro: number]
  domains: Domain[]
  dues: Due[]
  /** What was written with xenstore-write, over what follows from the domains. */
  xenstore: Record<string, string>
  /** Nobody answers there until then. */
  unreachableUntil?: number
  /** Machines to which it has no line. */
  cutFrom?: string[]
  /** lvm2 uses lvmlockd there, which runs or does not. */
  lvmlockd?: 'running' | 'stopped'
  sanlock?: SimSanlock
  /** Its Xen was built without shadow paging, as Debian's of today. */
  noShadow?: true
}

export interface SiteState {
  version: 1
  seed: number
  pms: PmState[]
  shares?: { path: string; pms: string[]; mount: Mount; children: Record<string, FsNode> }[]
}
