import type { DiskFormat } from './disk.ts'
import { volumesOf } from './layer.ts'
import type { Boot, Vm, VmType } from './vm.ts'

/** What the document calls the operating systems that a template may hold. */
export const OS_NAMES = [
  'ARCH',
  'CENTOS',
  'COREOS',
  'DEBIAN',
  'FEDORA',
  'GENTOO',
  'RHEL',
  'UBUNTU',
  'WINDOWS',
  'OTHER',
] as const

export const OS_ARCHES = ['X86', 'X64'] as const

/** A volume that VMs are filled from, or lie on. */
export interface TemplateDisk {
  readonly uuid: string
  readonly format: DiskFormat
  /** Virtual size in MiB. */
  readonly sizeMib: number
  readonly path: string
  readonly storlink: number
  readonly desc: string
  readonly createdAt: number
}

/** A template (the document: GVM): disks that nobody writes to, from which VMs are made. */
export interface Template {
  readonly uuid: string
  readonly name: string
  /** The PM of the storlink that its disks lie on. */
  readonly pm: string
  readonly os: string
  readonly osArch: string
  readonly desc: string
  /** How a VM made from it is booted, unless that is said with the VM. */
  readonly type: VmType
  readonly boot: Boot
  /** The operating system's first. */
  readonly disks: readonly TemplateDisk[]
  readonly createdAt: number
  /** When it was last booted for upkeep. */
  readonly bootedAt?: number
}

/** While a template is booted for upkeep, a VM of the template's own UUID runs on the template's disks. */
export function isUpkeep(vm: Pick<Vm, 'uuid' | 'template'>): boolean {
  return vm.template === vm.uuid
}

/** VMs that were made from it, whether their disks lie on its or were copied. */
export function madeFrom(template: Pick<Template, 'uuid'>, vms: readonly Vm[]): readonly Vm[] {
  return vms.filter((vm) => vm.template === template.uuid && vm.uuid !== template.uuid)
}

/** VMs with a disk, or a snapshot of one, that lies on one of its: what is written there is read by them. */
export function dependents(template: Pick<Template, 'disks'>, vms: readonly Vm[]): readonly Vm[] {
  const bases = new Set(template.disks.map((disk) => disk.uuid))
  return vms.filter((vm) => volumesOf(vm).some(({ base }) => base !== undefined && bases.has(base)))
}

/** Sum of its disks, in MiB. */
export function templateMib(template: Pick<Template, 'disks'>): number {
  return template.disks.reduce((sum, disk) => sum + disk.sizeMib, 0)
}
