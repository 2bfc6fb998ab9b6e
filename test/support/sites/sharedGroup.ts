import { act, NEW_VM, pmNamed } from './acts.ts'
import type { World } from './world.ts'

/** A volume group of a SAN that xen1 and xen2 see, and a storlink on it, whose PM is xen1. */

const MIB = 1048576

export async function makeSan(world: World): Promise<number> {
  const group = { name: 'san', uuid: 'san-uuid', sizeBytes: 65536 * MIB, extentBytes: 4 * MIB, volumes: [] }
  world.site.shareGroup(group, ['xen1', 'xen2'])
  const place = { link: '/dev/san', type: 'FC', level: 'BL', shared: true, pm: pmNamed(world) }
  await act(world, 'storlink.create', { name: 'san', ...place })
  return world.engine.view.storlinks().find((one) => one.name === 'san')!.id
}

/** A VM with one raw disk of 64 MiB there. */
export async function makeVmOn(
  world: World,
  storlink: number,
  pm: 'xen1' | 'xen2',
  named: { readonly name: string; readonly uuid: string } = NEW_VM,
): Promise<string> {
  const { extraDiskSize: _, ...rest } = NEW_VM
  const boot = { type: 'pv', kernel: '/boot/vmlinuz-guest', vncPassword: '', memory: 128 }
  const { name, uuid } = named
  const raw = { ...rest, ...boot, uuid, name, diskSize: 64, diskFormat: 'raw', storlink, pm: pmNamed(world, pm) }
  await act(world, 'vm.create', raw)
  return uuid
}

/** The machines that have a volume of the group active, by its name, and what it is as large as, in MiB. */
export function volumesOfSan(world: World): Record<string, { readonly on: readonly string[]; readonly mib: number }> {
  const { volumes } = world.site.pm('xen1').groups.find((one) => one.name === 'san')!
  const entries = volumes.map(({ name, activeOn = [], sizeBytes }) => [name, { on: activeOn, mib: sizeBytes / MIB }])
  return Object.fromEntries(entries)
}
