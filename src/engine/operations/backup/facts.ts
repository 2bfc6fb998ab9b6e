import { newUuid } from '../../../lib/ids.ts'
import { type BackedUpVm, type Backup, backedUpDisks, specOf } from '../../../model/backup.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Vm } from '../../../model/vm.ts'
import { run } from '../../host/run.ts'
import type { Context } from '../../jobs/operation.ts'
import { qemuImgVersion } from '../../tools/qemuPack.ts'
import { levelOf } from '../disk/target.ts'
import { isReached, needAccessPm } from '../storlink/access.ts'
import { livingDomain, needNoDomain } from '../vm/domain.ts'
import { readFrom } from '../volume/asked.ts'
import { needSoleUse } from '../volume/users.ts'
import { type BackupDisk, type BackupRequest, gatherLive, type LiveBackup } from './live.ts'
import { manifestPath, type Tools } from './manifest.ts'
import type { BackupLocation } from './target.ts'

/** What is looked at before a backup is made: where the disks are, what they hold, where their volumes will lie. */
export type BackupFacts = BackupLocation & {
  readonly vm: string
  readonly vmName: string
  /** The VM's PM, which may not see where the backup comes to lie. */
  readonly vmPm: string
  readonly spec: BackedUpVm & Json
  readonly storlink: number
  readonly manifest: string
  readonly tools: Tools
  readonly disks: readonly BackupDisk[]
  readonly at: number
  /** How a VM that runs is backed up; null: it does not run. */
  readonly live: LiveBackup | null
  /** What it lies on; null: it is a full one. */
  readonly parent: (Backup & Json) | null
  readonly fullBecause: string | null
}

export async function gatherBackup(request: BackupRequest, cx: Context): Promise<BackupFacts> {
  const vm = cx.view.needVm(request.vm)
  const domain = await livingDomain(cx, vm)
  if (!domain) await needNoDomain(cx, vm)
  await needSoleUse(cx, vm, readFrom(backedUpDisks(vm)), { use: 'write', silence: 'told' })
  const storlink = cx.view.needStorlink(request.storlink)
  const pm = isReached(storlink, vm.pm) ? vm.pm : needAccessPm(storlink, cx.view).uuid
  const host = cx.host(pm)
  const { freeMib } = await cx.volumes(storlink.level).inspect(host, storlink.link)
  const disks = await gatherDisks(vm, request, cx)
  const stopped = 'the VM does not run, and only its QEMU notes what is written'
  const live = domain && (await gatherLive({ vm, domid: domain.domid, disks, request }, cx))
  const fullBecause = request.incremental === 'no' ? null : live ? live.fullBecause : stopped
  if (fullBecause !== null) cx.notice(`it is a full one: ${fullBecause}`)
  const needed = live?.parent ? 0 : disks.reduce((sum, disk) => sum + disk.usedMib, 0)
  if (freeMib < needed && pm !== vm.pm)
    throw new PengxError(
      'noSpace',
      `cannot back up ${vm.name} to ${storlink.name} (${storlink.link} on ${host.name}): what its disks hold is sent there as it is, and then compressed: ${needed} MiB needed, ${freeMib} free`,
    )
  if (freeMib < needed)
    cx.notice(`${storlink.name} has ${freeMib} MiB free, and the disks hold ${needed}: compressed they may fit, or not`)
  const said = await run(host, qemuImgVersion())
  return {
    pm,
    level: storlink.level,
    vm: vm.uuid,
    vmName: vm.name,
    vmPm: vm.pm,
    spec: specOf(vm) as BackedUpVm & Json,
    storlink: storlink.id,
    manifest: manifestPath(request.backup, storlink, cx),
    tools: { qemuImg: said.stdout.split('\n')[0] ?? '', xen: cx.view.needPm(vm.pm).seen.xenVersion ?? '' },
    disks: disks.map(({ usedMib: _used, ...disk }) => disk),
    at: cx.clock.now(),
    live: live?.live ?? null,
    parent: (live?.parent as (Backup & Json) | undefined) ?? null,
    fullBecause,
  }
}

async function gatherDisks(vm: Vm, request: BackupRequest, cx: Context): Promise<(BackupDisk & { usedMib: number })[]> {
  const storlink = cx.view.needStorlink(request.storlink)
  const disks: (BackupDisk & { usedMib: number })[] = []
  for (const disk of backedUpDisks(vm)) {
    const source = { path: disk.path, format: disk.format }
    const level = levelOf(disk, cx.view)
    const info = await cx.volumes(level).stat(cx.host(vm.pm), disk.path, disk.format)
    if (!info) throw new PengxError('refused', `${vm.name}: its disk ${disk.vdev} (${disk.path}) is not there`)
    const uuid = newUuid()
    const volume = { uuid, path: cx.volumes(storlink.level).locate({ storlink, uuid, format: 'qcow2' }) }
    const { sizeMib, usedMib } = info
    disks.push({ disk: disk.uuid, vdev: disk.vdev, source, level, sizeMib, usedMib, volume })
  }
  return disks
}
