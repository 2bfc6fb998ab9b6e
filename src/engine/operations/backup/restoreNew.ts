import { newUuid } from '../../../lib/ids.ts'
import type { Backup, BackupVolume } from '../../../model/backup.ts'
import { emptied } from '../../../model/drive.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Nic } from '../../../model/nic.ts'
import type { Storlink } from '../../../model/storlink.ts'
import { domainNameFor, type Vm } from '../../../model/vm.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'
import { accessPm, isReached, needAccessPm } from '../storlink/access.ts'
import { missingBridge, UNSEEN_HINT } from '../vm/bridges.ts'
import { newConfigStep } from '../vm/configFile.ts'
import { configPathFor } from '../vm/domain.ts'
import { takeNameStep } from '../vm/newVm.ts'
import { freeMacs, renewedNics } from '../vm/pickNics.ts'
import { diskOn } from '../volume/copies.ts'
import { locateRestored, needRoomFor, type RestoreFacts, restoreSteps } from './restoreSteps.ts'
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
  /** What it gets of the backup; absent: all. */
  readonly volumes?: readonly BackupVolume[]
  /** Without interfaces: nobody on the network shall meet it. */
  readonly withoutNics?: true
}

export async function gatherNew(wanted: NewVm, backup: Backup, cx: Context): Promise<NewFacts> {
  const { view } = cx
  const same = wanted.uuid === backup.vm
  const volumes = wanted.volumes ?? backup.volumes
  const first = placeFor(wanted, backup, backup.volumes[0]?.disk, view)
  const pm = needAccessPm(first, view)
  if (pm.readOnly) throw new PengxError('refused', `PM ${pm.name} is read-only`)
  const restored = volumes.map((volume) => {
    const wished = placeFor(wanted, backup, volume.disk, view)
    const { id } = isReached(wished, pm.uuid) ? wished : first
    return locateRestored(volume, id, cx, same ? volume.disk : newUuid())
  })
  await needRoomFor(restored, backup, pm.uuid, cx)
  for (const { vdev } of backup.volumes.filter((volume) => !volumes.includes(volume))) cx.notice(`${vdev} is left out`)
  const left = backup.spec.disks.filter((disk) => !backup.volumes.some((volume) => volume.disk === disk.uuid))
  for (const { vdev, path } of left) cx.notice(`${vdev} (${path}) was only read and is not in the backup: left out`)
  for (const { vdev, cdrom, path } of backup.spec.drives ?? []) {
    if (!cdrom) cx.notice(`${vdev} (${path}) is of a format that is not backed up: left out`)
    else if (path !== '') cx.notice(`its CD drive ${vdev} is empty: it had ${path}`)
  }
  const nics = wanted.withoutNics ? [] : pickAddresses(backup.spec.nics, same, cx)
  for (const nic of nics) {
    const missing = missingBridge(nic, pm)
    if (missing) cx.notice(`bridge ${nic.bridge} of ${nic.name} ${missing}: ${UNSEEN_HINT}`)
  }
  const at = cx.clock.now()
  const { template, drives = [], domainName: _old, ...spec } = backup.spec
  const vm: Vm = {
    ...spec,
    uuid: wanted.uuid,
    pm: pm.uuid,
    origin: 'created',
    name: wanted.name,
    domainName: domainNameFor(wanted.name, wanted.uuid),
    disks: volumes.map((volume, index) => {
      const then = backup.spec.disks.find((disk) => disk.uuid === volume.disk)!
      return { ...diskOn(then, restored[index]!), uuid: restored[index]!.disk, createdAt: at }
    }),
    drives: emptied(drives),
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

type Wish = Pick<NewVm, 'storlink'>

/** The PM, by its UUID, that such a VM comes to. Asks nobody. */
export function pmForNew(wanted: Wish, backup: Backup, view: View): string {
  const first = placeFor(wanted, backup, backup.volumes[0]?.disk, view)
  return accessPm(first, view)?.uuid ?? first.pm
}

/** Where a disk shall lie: where it is asked for, else where it lay, else beside its backup. */
function placeFor({ storlink }: Wish, backup: Backup, disk: string | undefined, view: View): Storlink {
  const lay = backup.spec.disks.find((one) => one.uuid === disk)?.storlink
  return view.needStorlink(storlink ?? known(lay, view) ?? backup.storlink)
}

function known(id: number | undefined, view: View): number | undefined {
  return id !== undefined && view.getStorlink(id) ? id : undefined
}

/** Its own where it comes back as itself and nobody has them by now. */
function pickAddresses(nics: readonly Nic[], same: boolean, cx: Context): Nic[] {
  const nextMac = freeMacs(cx.view)
  if (!same) return renewedNics(nics, nextMac)
  return nics.map((nic) => {
    const mac = nextMac(nic.mac)
    if (mac === nic.mac.toLowerCase()) return { ...nic, id: 0 }
    cx.notice(`${nic.name} gets a new address: another VM has ${nic.mac} by now`)
    return { ...nic, id: 0, mac }
  })
}

/** `disposable`: nobody but the job shall use it, and the job takes it away again. */
export function planNew(facts: NewFacts, { disposable }: { readonly disposable?: true } = {}): Step[] {
  const { vm, backup } = facts
  const config = newConfigStep(vm.pm, vm.configPath!, (cx) => {
    const row = cx.view.needVm(vm.uuid)
    return cx.hypervisor.formatConfig(row.uuid, row)
  })
  return [
    takeNameStep(vm.uuid, vm.name, () => vm),
    ...restoreSteps(facts, disposable ? undefined : vm),
    { ...config, shows: [`write ${vm.configPath} (of ${nameOf(backup)})`] },
  ]
}
