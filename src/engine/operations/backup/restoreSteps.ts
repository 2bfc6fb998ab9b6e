import { newUuid } from '../../../lib/ids.ts'
import type { Backup, BackupVolume } from '../../../model/backup.ts'
import type { DiskFormat } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Level } from '../../../model/storlink.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import { keptFormat } from '../../volumes/volumeDriver.ts'
import type { Owner } from '../storlink/madeVolume.ts'
import { copySteps, type VolumeCopy } from '../volume/copies.ts'
import { type BackupLocation, imageOf, nameOf } from './target.ts'

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

export type RestoreFacts = {
  readonly backup: Backup & Json
  /** Where the backup lies, and the PM that the restored disks are for. */
  readonly location: BackupLocation
  readonly pm: string
  readonly restored: readonly Restored[]
}

/** `owner`: the VM that they become disks of, unless nobody but the job knows of it. */
export function restoreSteps({ location, pm, restored }: RestoreFacts, owner: Owner | undefined): Step[] {
  const copies = restored.map(({ vdev, sizeMib, from, path, format, level }): VolumeCopy => {
    const source = { ...imageOf({ path: from }), ...location }
    return { vdev, sizeMib, source, target: { path, format, pm, level } }
  })
  return copySteps('restore', copies, { owner, anew: true })
}
