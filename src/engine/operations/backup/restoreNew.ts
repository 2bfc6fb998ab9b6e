import { newUuid, newXenMac } from '../../../lib/ids.ts'
import type { Backup } from '../../../model/backup.ts'
import type { Disk } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Nic } from '../../../model/nic.ts'
import { domainNameFor, type Vm } from '../../../model/vm.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'
import { isReached, needAccessPm } from '../storlink/access.ts'
import { configPathFor } from '../vm/domain.ts'
import { locateRestored, needRoomFor, type RestoreFacts, restoredDisk, restoreSteps } from './restoreSteps.ts'
import { locationOf, nameOf } from './target.ts'

/**
 * A backup as a VM that is not there yet: its row first, so that name and addresses are taken, then its disks, then its
 * configuration. It is left shut down. Under its own UUID it is what it was, addresses included; as another it gets
 * new ones.
 */
export type NewFacts = RestoreFacts & {
  readonly kind: 'new'
  readonly vm: Vm & Json
}

export interface NewVm {
  readonly uuid: string
  readonly name: string
  readonly storlink?: number | undefined
  /** Without interfaces: nobody on the network shall meet it. */
  readonly withoutNics?: true
}

export async function gatherNew(wanted: NewVm, backup: Backup, cx: Context): Promise<NewFacts> {
  const { view } = cx
  const same = wanted.uuid === backup.vm
  const wish = (disk: Disk | undefined) => wanted.storlink ?? known(disk?.storlink, view) ?? backup.storlink
  const first = view.needStorlink(wish(backup.spec.disks.find((disk) => disk.uuid === backup.volumes[0]?.disk)))
  const pm = needAccessPm(first, view)
  if (pm.readOnly) throw new PengxError('refused', `PM ${pm.name} is read-only`)
  const restored = backup.volumes.map((volume) => {
    const wished = view.needStorlink(wish(backup.spec.disks.find((disk) => disk.uuid === volume.disk)))
    const { id } = isReached(wished, pm.uuid) ? wished : first
    return locateRestored(volume, id, cx, same ? volume.disk : newUuid())
  })
  await needRoomFor(restored, backup, pm.uuid, cx)
  const left = backup.spec.disks.filter((disk) => !backup.volumes.some((volume) => volume.disk === disk.uuid))
  for (const { vdev, path } of left) cx.notice(`${vdev} (${path}) was only read and is not in the backup: left out`)
  if (backup.spec.iso !== undefined) cx.notice(`its CD drive is empty: it had ${backup.spec.iso}`)
  const nics = wanted.withoutNics ? [] : pickAddresses(backup.spec.nics, same, cx)
  const strange = nics.find((nic) => pm.seen.bridges && !pm.seen.bridges.includes(nic.bridge))
  if (strange) cx.notice(`bridge ${strange.bridge} is not on ${pm.name}: edit ${strange.name} before it is started`)
  const at = cx.clock.now()
  const { template, iso: _iso, domainName: _old, ...spec } = backup.spec
  const vm: Vm = {
    ...spec,
    uuid: wanted.uuid,
    pm: pm.uuid,
    origin: 'created',
    name: wanted.name,
    domainName: domainNameFor(wanted.name, wanted.uuid),
    disks: backup.volumes.map((volume, index) => {
      const then = backup.spec.disks.find((disk) => disk.uuid === volume.disk)!
      return { ...restoredDisk(then, restored[index]!), uuid: restored[index]!.disk, createdAt: at }
    }),
    nics,
    ...(template !== undefined && view.getTemplate(template) ? { template } : {}),
    createdAt: at,
    configPath: configPathFor(wanted.uuid),
    configForeign: false,
    seen: { state: 'shutdown', since: at, drift: [] },
  }
  const location = locationOf(backup, view)
  return { kind: 'new', backup: backup as Backup & Json, location, pm: pm.uuid, restored, vm: vm as Vm & Json }
}

function known(id: number | undefined, view: View): number | undefined {
  return id !== undefined && view.getStorlink(id) ? id : undefined
}

/** Its own where it comes back as itself and nobody has them by now. */
function pickAddresses(nics: readonly Nic[], same: boolean, cx: Context): Nic[] {
  const taken = new Set(cx.view.vms().flatMap((vm) => vm.nics.map((nic) => nic.mac.toLowerCase())))
  return nics.map((nic) => {
    const free = !taken.has(nic.mac.toLowerCase())
    if (same && !free) cx.notice(`${nic.name} gets a new address: another VM has ${nic.mac} by now`)
    let mac = same && free ? nic.mac : newXenMac()
    while (taken.has(mac.toLowerCase())) mac = newXenMac()
    taken.add(mac.toLowerCase())
    return { ...nic, id: 0, mac }
  })
}

export function planNew(facts: NewFacts): Step[] {
  const { vm, backup } = facts
  return [
    {
      name: `take the name ${vm.name}`,
      async do(cx) {
        await cx.inventory.putVm(vm)
        return null
      },
      undo: (cx) => cx.inventory.dropVm(vm.uuid),
    },
    ...restoreSteps(facts),
    {
      name: 'write the configuration',
      shows: [`write ${vm.configPath} (of ${nameOf(backup)})`],
      async do(cx) {
        const row = cx.view.needVm(vm.uuid)
        const text = cx.hypervisor.formatConfig(row.uuid, row)
        await cx.hypervisor.writeConfig(cx.host(vm.pm), vm.configPath!, text, cx.tag)
        return null
      },
      undo: (cx) => cx.hypervisor.removeConfig(cx.host(vm.pm), vm.configPath!, cx.tag),
    },
  ]
}
