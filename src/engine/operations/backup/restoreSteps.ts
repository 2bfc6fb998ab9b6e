import { newUuid } from '../../../lib/ids.ts'
import type { Backup, BackupVolume } from '../../../model/backup.ts'
import type { Disk, DiskFormat } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Level } from '../../../model/storlink.ts'
import type { ChangingStep, Context, ReadingStep, Step } from '../../jobs/operation.ts'
import { copyVolume } from '../../volumes/copy.ts'
import { keptFormat, VOLUME_BACKEND } from '../../volumes/volumeDriver.ts'
import { madeVolume, type Owner } from '../storlink/madeVolume.ts'
import { activateVolumes, type BackupLocation, imageOf, nameOf } from './target.ts'

/** What every way of restoring has: new volumes with what a backup holds, read back and compared with it. */
export type Restored = {
  /** The disk's UUID and its name in the guest. */
  readonly disk: string
  readonly vdev: string
  readonly format: DiskFormat
  readonly sizeMib: number
  readonly path: string
  readonly storlink: number
  readonly level: Level
  /** The backup's volume. */
  readonly from: string
}

/** Picks where the volume of a disk will lie. */
export function locateRestored(volume: BackupVolume, storlink: number, cx: Context, disk = volume.disk): Restored {
  const row = cx.view.needStorlink(storlink)
  const driver = cx.volumes(row.level)
  const format = keptFormat(volume.format)
  const path = driver.locate({ storlink: row, uuid: newUuid(), format })
  const { vdev, sizeMib, path: from } = volume
  return { disk, vdev, format, sizeMib, path, storlink, level: row.level, from }
}

/** Fails where what is to be restored cannot fit. */
export async function needRoomFor(restored: readonly Restored[], backup: Backup, pm: string, cx: Context) {
  for (const id of new Set(restored.map((one) => one.storlink))) {
    const { name, link, level } = cx.view.needStorlink(id)
    const { freeMib } = await cx.volumes(level).inspect(cx.host(pm), link)
    const own = restored.filter((one) => one.storlink === id)
    const least = own.reduce((sum, one) => sum + leastMib(one, backup), 0)
    if (freeMib >= least) continue
    const where = `${name} (${link} on ${cx.view.needPm(pm).name})`
    throw new PengxError(
      'noSpace',
      `cannot restore ${nameOf(backup)} to ${where}: ${freeMib} MiB free, ${least} needed`,
    )
  }
}

/** It takes at least what it takes compressed. */
function leastMib({ from }: Restored, { volumes }: Backup): number {
  return Math.floor((volumes.find((volume) => volume.path === from)?.bytes ?? 0) / (1024 * 1024))
}

/** The disk as it is when it lies there: what it was for the guest, and where its bytes are now. */
export function restoredDisk(disk: Disk, { path, format, storlink, sizeMib }: Restored): Disk {
  const { base: _base, ...rest } = disk
  return { ...rest, path, format, storlink, sizeMib, owned: true, backend: VOLUME_BACKEND }
}

export type RestoreFacts = {
  readonly backup: Backup & Json
  /** Where the backup lies, and the PM that the restored disks are for. */
  readonly location: BackupLocation
  readonly pm: string
  readonly restored: readonly Restored[]
}

/** `owner`: the VM that they become disks of, unless nobody but the job knows of it. */
export function restoreSteps(facts: RestoreFacts, owner: Owner | undefined): Step[] {
  const { location, pm, restored } = facts
  return [
    ...restored.map((one) => restoreStep(one, facts, owner)),
    // From another PM each byte is compared while it is carried over (copy.ts).
    ...(location.pm === pm ? restored.map((one) => compareStep(one, location)) : []),
  ]
}

function restoreStep(one: Restored, { backup, location, pm }: RestoreFacts, owner: Owner | undefined): ChangingStep {
  const { vdev, from, path, format, level, sizeMib } = one
  return {
    name: `restore ${vdev}`,
    weight: 20,
    shows: [`qemu-img convert -O ${format} ${from} ${path}`],
    async do(cx) {
      await activateVolumes({ volumes: backup.volumes.filter((volume) => volume.path === from) }, location, cx)
      const source = { ...imageOf({ path: from }), host: cx.host(location.pm) }
      const target = { path, format, host: cx.host(pm), driver: cx.volumes(level) }
      const onProgress = (done: number) => cx.progress(done, `${Math.floor(done * sizeMib)} of ${sizeMib} MiB`)
      await copyVolume(source, target, { tag: cx.tag, onProgress, signal: cx.signal, anew: true })
      return null
    },
    ...madeVolume(pm, { path, level, format }, owner),
  }
}

function compareStep({ vdev, from, path, format, level, sizeMib }: Restored, { pm }: BackupLocation): ReadingStep {
  return {
    name: `read ${vdev} back`,
    weight: 10,
    onlyReads: true,
    shows: [`qemu-img compare ${from} ${path}`],
    async do(cx) {
      const say = (done: number) => cx.progress(done, `compared ${Math.floor(done * sizeMib)} of ${sizeMib} MiB`)
      const same = await cx
        .volumes(level)
        .compare(cx.host(pm), imageOf({ path: from }), { path, format }, say, cx.signal)
      if (!same) throw new PengxError('commandFailed', `${path}, read back, is not what ${from} holds`)
      return null
    },
  }
}
