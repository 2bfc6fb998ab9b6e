import type { Backup } from '../../../model/backup.ts'
import type { Json } from '../../../model/json.ts'
import type { Level } from '../../../model/storlink.ts'
import type { ChangingStep, Context, ReadingStep } from '../../jobs/operation.ts'
import { laidOn } from '../../tools/qemuPack.ts'
import { needSame } from '../../volumes/pack.ts'
import type { Digest, Image, PackTarget } from '../../volumes/volumeDriver.ts'
import { madeVolume } from '../storlink/madeVolume.ts'
import type { BackupLocation } from './target.ts'

/** The steps that every way of making a backup has: write a disk's volume, read it back, write it down. */

export interface Pack extends BackupLocation {
  readonly vdev: string
  readonly sizeMib: number
  /** Of the disk, for whoever reads the plan. */
  readonly from: string
  /** What it is written from, and compared with. */
  source(cx: Context): Image
  /** Of the disk, where it may sleep. */
  readonly sourceLevel?: Level
  readonly target: PackTarget
}

/**
 * One a disk; behind the last, all of one moment is written, and a job that was cut off reads it back rather than throws it
 * away. Before that nothing is finished after a gap: what the next disk holds by then may be of another moment.
 */
export function packSteps(packs: readonly Pack[]): ChangingStep[] {
  return packs.map((pack, index) => ({
    ...packStep(pack),
    ...(index === packs.length - 1 ? { onward: true as const } : {}),
  }))
}

function packStep({ vdev, sizeMib, from: path, source, sourceLevel, target, pm, level }: Pack): ChangingStep {
  const from = target.backing ? laidOn(path, target.backing) : path
  return {
    name: `write ${vdev}`,
    weight: 20,
    shows: [`qemu-img convert -c -O qcow2 ${from} ${target.path}`],
    async do(cx) {
      const say = (done: number) => cx.progress(done, `${Math.floor(done * sizeMib)} of ${sizeMib} MiB`)
      const image = source(cx)
      if (sourceLevel) await cx.volumes(sourceLevel).activate(cx.host(pm), image, cx.tag)
      await cx.volumes(level).pack(cx.host(pm), image, target, cx.tag, say, cx.signal)
      return null
    },
    ...madeVolume(pm, { path: target.path, level, format: 'qcow2' }),
  }
}

/** Output: the digest, taken of what was found to be right. */
export function readBackStep({ vdev, sizeMib, from, source, target, pm, level }: Pack): ReadingStep {
  return {
    name: readBack(vdev),
    weight: 10,
    onlyReads: true,
    shows: [`qemu-img compare ${from} ${target.path}`, `sha256sum ${target.path}`],
    async do(cx) {
      const say = (done: number) => cx.progress(done * 0.8, `compared ${Math.floor(done * sizeMib)} of ${sizeMib} MiB`)
      await needSame(cx.host(pm), source(cx), target, say, cx.signal)
      return (await cx.volumes(level).digest(cx.host(pm), target.path, cx.signal)) as Digest & Json
    },
  }
}

function readBack(vdev: string): string {
  return `read ${vdev} back`
}

/** It has been read back, and found to be right. */
export function isReadBack(cx: Context, vdev: string): boolean {
  return cx.output(readBack(vdev)) !== undefined
}

/** What reading a disk's volume back has told. */
export function digestIn(cx: Context, vdev: string): Digest {
  return cx.output(readBack(vdev)) as unknown as Digest
}

/** From here on there is a backup. */
export function recordBackupStep(uuid: string, backup: (cx: Context) => Backup): ChangingStep {
  return {
    name: 'record',
    pivot: true,
    async do(cx) {
      if (!cx.view.getBackup(uuid)) await cx.inventory.putBackup(backup(cx))
      return null
    },
    isApplied: async (cx) => cx.view.getBackup(uuid) !== undefined || 'again',
    undo: (cx) => cx.inventory.dropBackup(uuid),
  }
}
