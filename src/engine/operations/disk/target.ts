import { z } from 'zod'
import type { Disk } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import type { Level } from '../../../model/storlink.ts'
import { isUpkeep } from '../../../model/template.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Lock } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { refuseChange } from '../vm/change.ts'
import { refuseVolumes } from '../vm/domain.ts'

/** What the operations on a disk have in common: which one is meant, where it lies, what is locked. */

export const sizeField = z
  .number()
  .int()
  .min(1)
  .max(1024 * 1024 * 1024)

export const diskField = field(z.string().min(1), { title: 'Disk', from: 'disk', help: 'its UUID, or its name: xvdb' })

/** A disk by its UUID, or by its name in the guest. Throws `notFound`, naming those that there are. */
export function needDisk(vm: Vm, named: string): Disk {
  const disk = diskNamed(vm, named)
  if (disk) return disk
  throw new PengxError('notFound', sayNoDisk(vm, named))
}

function diskNamed(vm: Vm, named: string): Disk | undefined {
  return vm.disks.find((one) => one.uuid === named.toLowerCase()) ?? vm.disks.find((one) => one.vdev === named)
}

function sayNoDisk(vm: Vm, named: string): string {
  return `${vm.name} has no disk ${named}; it has ${vm.disks.map((one) => one.vdev).join(', ') || 'none'}`
}

/** Why a disk that need not be named, and is, cannot be meant, or undefined. */
export function refuseDiskNamed(vm: Vm, named: string | undefined): string | undefined {
  return named === undefined || diskNamed(vm, named) ? undefined : `disk: ${sayNoDisk(vm, named)}`
}

/** How a disk lies: as its storlink says, on none as a file. Throws `notFound` for a storlink that is not known. */
export function levelOf(disk: Disk, view: View): Level {
  return disk.storlink === undefined ? 'FL' : view.needStorlink(disk.storlink).level
}

/** Locks of a change that also needs a storlink to stay. */
export function locksWith(vm: string, storlink: number | undefined, view: View): Lock[] {
  return [
    { key: `vm:${vm}`, mode: 'exclusive' },
    { key: `pm:${view.needVm(vm).pm}`, mode: 'shared' },
    ...(storlink === undefined ? [] : [{ key: `storlink:${storlink}`, mode: 'shared' as const }]),
  ]
}

/** Why the disks of a VM cannot be changed, whatever the change is. */
export function refuseDisks(vm: Vm, view: View): string | undefined {
  if (isUpkeep(vm)) return 'its disks are those of a template, which it is the upkeep of'
  return refuseVolumes(vm) ?? refuseChange(vm, view)
}
