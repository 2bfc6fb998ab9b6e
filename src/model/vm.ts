import type { Disk } from './disk.ts'
import type { Drive } from './drive.ts'
import type { Layer } from './layer.ts'
import type { Nic } from './nic.ts'
import type { WrongVolume } from './wrongVolume.ts'

/** How a guest meets Xen (xl.cfg(5), `type`). */
export type VmType = 'pv' | 'pvh' | 'hvm'

/**
 * `unknown`: its PM cannot be reached, so nobody can say. `dying`: the domain is being torn down and still
 * owns its disks. `starting`: a domain exists and is still being built. `broken`: its domain is half built or half torn
 * down, and nobody is at work on it any more, or its QEMU is gone: it goes on only after a power off.
 */
export type VmState = 'running' | 'paused' | 'shutdown' | 'crashed' | 'broken' | 'dying' | 'starting' | 'unknown'

/** Where a VM row came from: seen on a PM and never touched, taken under care, or made here. */
export type VmOrigin = 'found' | 'adopted' | 'created'

/** How the guest is booted; which fields count depends on the type (xl.cfg(5), "Direct Kernel Boot", `bootloader`, `boot`). */
export interface Boot {
  readonly kernel?: string
  readonly ramdisk?: string
  readonly cmdline?: string
  /** `pygrub`, or the path of a PV boot loader. */
  readonly bootloader?: string
  /** HVM firmware: `bios`, `uefi`, … */
  readonly firmware?: string
  /** HVM boot order, letters of `cdn`. */
  readonly order?: string
}

export interface Vnc {
  readonly listen: string
  /** 1 to 8 characters; absent: no password is asked for. */
  readonly password?: string
  /** The fixed display, where the configuration names one. */
  readonly display?: number
}

/** What a VM is configured to be: what a start would make of it. Memory in MiB. */
export interface VmSpec {
  readonly name: string
  /** The name that Xen carries: the VM's own, or `vm-UUID` where Xen could mistake or not carry that. */
  readonly domainName: string
  readonly type: VmType
  readonly vcpuCount: number
  readonly maxVcpuCount: number
  readonly memoryMib: number
  readonly maxmemMib: number
  readonly boot: Boot
  readonly vnc?: Vnc
  readonly disks: readonly Disk[]
  readonly drives: readonly Drive[]
  readonly nics: readonly Nic[]
  /** Lines of an adopted configuration that pengx does not interpret; kept and written back as they are. */
  readonly extraConfig: string
}

export interface Vm extends VmSpec {
  readonly uuid: string
  readonly pm: string
  readonly origin: VmOrigin
  readonly desc: string
  readonly os: string
  readonly osArch: string
  /** The template that it was made from; its own UUID while that template is booted for upkeep. */
  readonly template?: string
  /** The frozen layer that its disks lie on; absent: on none. */
  readonly layer?: string
  /** Its frozen layers, by number; absent: none. */
  readonly layers?: readonly Layer[]
  readonly createdAt: number
  readonly bootedAt?: number
  /** The configuration file on its PM that a start uses; absent for a found domain that has none. */
  readonly configPath?: string
  /** The file at `configPath` is its owner's: pengx edits it in its place, and never removes it. */
  readonly configForeign: boolean
  /** Files that describe it too, and of which it was said that they are not its own; absent: none. */
  readonly otherConfigs?: readonly string[]
  readonly seen: VmSeen
}

/** The last look at a VM: what is, as against what it is configured to be. */
export interface VmSeen {
  readonly state: VmState
  /** Since when the state is what it is. */
  readonly since: number
  readonly domid?: number
  /** Where a VNC viewer connects on the PM, while it runs. */
  readonly vncPort?: number
  readonly memoryMib?: number
  readonly vcpuCount?: number
  /** What differs from what is written down, one line each: shown, not hidden. */
  readonly drift: readonly string[]
  /** Volumes that its domain writes to and must not, and its own that others write to; absent: none. */
  readonly wrongVolumes?: readonly WrongVolume[]
  /** What its configuration file says otherwise, as a sentence; absent: nothing, as far as it was looked at. */
  readonly fileSays?: string
  /** How it starts with its PM; absent: it does not, or nobody has looked yet. */
  readonly autostart?: Autostart
}

/** How a VM starts with its PM: what of xendomains’ directory (autostart.ts) leads to its configuration. */
export interface Autostart {
  /** The number that the first of the names begins with; absent: none. */
  readonly order?: number
  /** What stands for it there, first the one that starts it. */
  readonly paths: readonly string[]
  /** No service of the PM starts what is there. */
  readonly disabled?: true
}

/** A domain exists for it: `paused` counts as running wherever a stopped VM is asked for. */
export function hasDomain(state: VmState): boolean {
  return state !== 'shutdown' && state !== 'unknown'
}

const XEN_NAME = /^[A-Za-z0-9][A-Za-z0-9_.+-]{0,62}$/

/**
 * The domain name for a VM: its own where Xen carries it, else `vm-UUID`. A name of digits alone would be
 * taken for a domain id (xl(1)), blanks break the columns of `xl list`, and `Domain-0` is dom0's.
 */
export function domainNameFor(name: string, uuid: string): string {
  const carried = XEN_NAME.test(name) && !/^\d+$/.test(name) && name !== 'Domain-0' && !name.startsWith('vm-')
  return carried ? name : `vm-${uuid}`
}

/** Why a name cannot be a VM's, or undefined. */
export function refuseName(name: string): string | undefined {
  if (name.length < 1 || [...name].length > 100)
    return `a name has 1 to 100 characters, this one has ${[...name].length}`
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) return 'a name has no control characters'
  if (name.includes('/')) return 'a name has no "/"'
  if (name !== name.trim()) return 'a name does not begin or end with a blank'
  return undefined
}
