import { volumesOf } from '../../../model/layer.ts'
import type { Vm } from '../../../model/vm.ts'
import type { View } from '../../store/view.ts'

/** What lies on a storlink, and how that is told. */

/** What lies on it, as the end of a sentence; undefined where nothing does. */
export function saysWhatLiesOn(storlink: number, view: View): string | undefined {
  const vms = view.vms().filter((vm) => liesOn(vm, storlink))
  const templates = view.templates().filter((template) => template.disks.some((disk) => disk.storlink === storlink))
  const groups = [
    ...(vms.length > 0 ? [counted('VM', vms)] : []),
    ...(templates.length > 0 ? [counted('template', templates)] : []),
  ]
  if (groups.length > 0) return `disks of ${groups.join(' and of ')} lie on it`
  const backups = view.backups().filter((backup) => backup.storlink === storlink)
  const kept = backups.map(({ vmName, name }) => ({ name: `${name} of ${vmName}` }))
  if (kept.length > 0) return `${counted('backup', kept)} ${kept.length === 1 ? 'lies' : 'lie'} on it`
  const schedule = view.schedules().find((one) => one.storlink === storlink)
  return schedule && `${schedule.vmName} is backed up to it by a schedule`
}

/** Its disks as they are now, or what snapshots keep of them. */
export function liesOn(vm: Vm, storlink: number): boolean {
  return volumesOf(vm).some((volume) => volume.storlink === storlink)
}

/** `VM a`, or `4 VMs a, b, c, …`: rows, at least one, by their names. */
export function counted(kind: string, rows: readonly { readonly name: string }[]): string {
  const names = rows.slice(0, 3).map((row) => row.name)
  return `${rows.length === 1 ? kind : `${rows.length} ${kind}s`} ${names.join(', ')}${rows.length > 3 ? ', …' : ''}`
}
