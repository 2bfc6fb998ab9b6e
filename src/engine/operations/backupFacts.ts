import { newUuid } from '../../lib/ids.ts'
import { type BackedUpVm, backedUpDisks, specOf } from '../../model/backup.ts'
import { PengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import type { Vm } from '../../model/vm.ts'
import { run } from '../host/run.ts'
import type { Context } from '../jobs/operation.ts'
import { qemuImgVersion } from '../tools/qemuPack.ts'
import type { Image } from '../volumes/volumeDriver.ts'
import { manifestPath, type Tools } from './backupManifest.ts'
import type { Place } from './backupSubject.ts'
import { levelOf } from './diskSubject.ts'
import { livingDomain } from './vmChange.ts'
import { needNoDomain } from './vmSubject.ts'

/** What is looked at before a backup is made: where the disks are, what they hold, where their volumes will lie. */
export type BackupDisk = {
  /** The disk's UUID. */
  readonly disk: string
  readonly vdev: string
  readonly source: Image & Json
  readonly level: Place['level']
  readonly sizeMib: number
  readonly volume: { readonly uuid: string; readonly path: string }
}

export type BackupFacts = Place & {
  readonly vm: string
  readonly vmName: string
  readonly spec: BackedUpVm & Json
  readonly storlink: number
  readonly manifest: string
  readonly tools: Tools
  readonly disks: readonly BackupDisk[]
  readonly at: number
}

export interface Wanted {
  readonly vm: string
  readonly storlink: number
  readonly backup: string
}

export async function gatherBackup(wanted: Wanted, cx: Context): Promise<BackupFacts> {
  const vm = cx.view.needVm(wanted.vm)
  const domain = await livingDomain(cx, vm)
  if (!domain) await needNoDomain(cx, vm)
  const storlink = cx.view.needStorlink(wanted.storlink)
  const host = cx.host(vm.pm)
  const { freeMib } = await cx.volumes(storlink.level).inspect(host, storlink.link)
  const disks = await gatherDisks(vm, wanted, cx)
  const needed = disks.reduce((sum, disk) => sum + disk.usedMib, 0)
  if (freeMib < needed)
    cx.notice(`${storlink.name} has ${freeMib} MiB free, and the disks hold ${needed}: compressed they may fit, or not`)
  const said = await run(host, qemuImgVersion())
  return {
    pm: vm.pm,
    level: storlink.level,
    vm: vm.uuid,
    vmName: vm.name,
    spec: specOf(vm) as BackedUpVm & Json,
    storlink: storlink.id,
    manifest: manifestPath(wanted.backup, storlink, cx),
    tools: { qemuImg: said.stdout.split('\n')[0] ?? '', xen: cx.view.needPm(vm.pm).seen.xenVersion ?? '' },
    disks: disks.map(({ usedMib: _used, ...disk }) => disk),
    at: cx.clock.now(),
  }
}

async function gatherDisks(vm: Vm, wanted: Wanted, cx: Context): Promise<(BackupDisk & { usedMib: number })[]> {
  const storlink = cx.view.needStorlink(wanted.storlink)
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
