import type { Json } from '../../../model/json.ts'
import type { Level } from '../../../model/storlink.ts'
import type { Applied, ChangingStep, Context } from '../../jobs/operation.ts'
import { stageVolume } from '../../volumes/copy.ts'
import type { Image } from '../../volumes/volumeDriver.ts'
import { isThere } from '../storlink/madeVolume.ts'
import { isReadBack } from './steps.ts'
import type { BackupLocation } from './target.ts'

/**
 * A backup onto a storlink of another PM: what a disk holds goes there through one pipe, beside the volume that is then
 * written from it and compared with it, as where the disk itself is at hand. Nothing is written on the disk's own PM.
 */
export interface Sent extends BackupLocation {
  readonly vdev: string
  readonly sizeMib: number
  readonly source: Image
  /** The PM that it is read on. */
  readonly from: string
  /** Of the disk, where it may sleep. */
  readonly sourceLevel?: Level
  /** The backup's volume. */
  readonly path: string
}

function send(vdev: string): string {
  return `send ${vdev}`
}

/** What was sent, as it lies there. */
export function sentImage(cx: Context, vdev: string): Image {
  return cx.output(send(vdev)) as unknown as Image
}

/** Output: what it is read as over there; each byte has been read back there. */
export function sendStep({ vdev, sizeMib, source, from, sourceLevel, path, pm, level }: Sent): ChangingStep {
  return {
    name: send(vdev),
    weight: 20,
    shows: [`dd if=${source.path} | dd of=${path} (what is sent, beside it)`],
    async do(cx) {
      if (sourceLevel) await cx.volumes(sourceLevel).activate(cx.host(from), source, cx.tag)
      const onProgress = (done: number) => cx.progress(done, `${Math.floor(done * sizeMib)} of ${sizeMib} MiB`)
      const target = { path, format: 'qcow2' as const, host: cx.host(pm), driver: cx.volumes(level) }
      const options = { tag: cx.tag, onProgress, signal: cx.signal }
      return (await stageVolume({ ...source, host: cx.host(from) }, target, options)) as Image & Json
    },
    /** That all of it came, and of one moment, only its end tells. */
    async isApplied(cx) {
      const sent = cx.output(send(vdev)) as Image | undefined
      if (!sent) return false
      return isReadBack(cx, vdev) || (await isThere(cx, pm, { path: sent.path, level }))
    },
    undo: (cx) => cx.volumes(level).clearStaged(cx.host(pm), path, cx.tag),
  }
}

/** What was sent is of no use when the volume has been compared with it. */
export function clearSentStep({ vdev, path, pm, level }: Sent): ChangingStep {
  return {
    name: `clear what was sent of ${vdev}`,
    async do(cx) {
      await cx.volumes(level).clearStaged(cx.host(pm), path, cx.tag)
      return null
    },
    async isApplied(cx): Promise<Applied> {
      return !(await isThere(cx, pm, { path: sentImage(cx, vdev).path, level })) || 'again'
    },
    /** The step that sent it clears it, too. */
    undo: async () => undefined,
  }
}
