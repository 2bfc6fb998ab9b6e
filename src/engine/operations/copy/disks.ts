import type { Disk, DiskFormat } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Level } from '../../../model/storlink.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Context } from '../../jobs/operation.ts'
import { type Image, keptFormat } from '../../volumes/volumeDriver.ts'
import { levelOf } from '../disk/target.ts'
import { needGroupChange } from '../storlink/access.ts'
import { type CopyParams, copiedDisks } from './params.ts'

/** The disks whose bytes go into copies of a VM: what they are, where those shall lie, whether there is room. */

/** A disk whose bytes the copies get. */
export type CopiedDisk = {
  /** The disk's UUID. */
  readonly disk: string
  readonly vdev: string
  readonly source: Image & Json
  readonly level: Level
  readonly sizeMib: number
  readonly usedMib: number
  /** The guest may write to it: what it holds is that of the moment. */
  readonly isWritten: boolean
  readonly format: DiskFormat
  /** Where those of the copies lie. */
  readonly storlink: number
  readonly targetLevel: Level
}

/** Looks at each disk on the VM's PM. */
export async function gatherDisks(p: CopyParams, vm: Vm, cx: Context): Promise<CopiedDisk[]> {
  const disks: CopiedDisk[] = []
  for (const disk of copiedDisks(vm)) disks.push(await lookAt(disk, p, vm, cx))
  return disks
}

async function lookAt(disk: Disk, p: CopyParams, vm: Vm, cx: Context): Promise<CopiedDisk> {
  const { uuid, vdev, path, format, readOnly } = disk
  const level = levelOf(disk, cx.view)
  const info = await cx.volumes(level).stat(cx.host(vm.pm), path, format)
  if (!info) throw new PengxError('refused', `${vm.name}: its disk ${vdev} (${path}) is not there`)
  const storlink = cx.view.needStorlink(p.storlink ?? disk.storlink!)
  const place = { format: keptFormat(format), storlink: storlink.id, targetLevel: storlink.level }
  const { sizeMib, usedMib } = info
  return { disk: uuid, vdev, source: { path, format }, level, sizeMib, usedMib, isWritten: !readOnly, ...place }
}

/** Where volumes take only what is written to them, the bytes that are copied count; else all of it. */
export async function needRoom(
  disks: readonly CopiedDisk[],
  count: number,
  target: string,
  cx: Context,
): Promise<void> {
  for (const id of new Set(disks.map(({ storlink }) => storlink))) {
    const storlink = cx.view.needStorlink(id)
    needGroupChange(storlink, target, cx.view)
    const driver = cx.volumes(storlink.level)
    const { freeMib, refusal } = await driver.inspect(cx.host(target), storlink.link)
    if (refusal !== undefined) throw new PengxError('refused', refusal)
    const own = disks.filter((disk) => disk.storlink === id)
    const each = own.reduce((sum, disk) => sum + (driver.traits.sparse ? disk.usedMib : disk.sizeMib), 0)
    if (freeMib >= each * count) continue
    const where = `${storlink.name} (${storlink.link} on ${cx.view.needPm(target).name})`
    const what = count === 1 ? 'a copy' : `${count} copies`
    throw new PengxError(
      'noSpace',
      `cannot make ${what} on ${where}: ${freeMib} MiB free, about ${each * count} needed`,
    )
  }
}
