import { PengxError, toPengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import { type MomentOptions, momentUrl } from '../../hypervisor/moment/export.ts'
import type { MomentDisk } from '../../hypervisor/moment/moment.ts'
import type { Applied, ChangingStep, Context, ReadingStep } from '../../jobs/operation.ts'
import type { Image } from '../../volumes/volumeDriver.ts'
import { isThere } from '../storlink/madeVolume.ts'
import { findDomain } from '../vm/domain.ts'
import type { ScratchVolume } from './scratch.ts'

/**
 * A moment of all disks of a guest that runs, as the steps around what is made from it: room beside its disks, the moment,
 * and letting go of both.
 */
export interface GuestMoment {
  readonly vm: string
  readonly pm: string
  readonly domid: number
  /** Of jobs, nodes and socket; at most 20 characters. */
  readonly name: string
  /** QEMU shows it while it is read, or copies it aside at once. */
  readonly way: 'held' | 'copied'
  /** At most so many MiB a second are read of each disk; 0: no limit. */
  readonly rateMib: number
  /** The dirty bitmap that notes what is written from then on; none: nobody wants to know. */
  readonly note?: string
  /** Only what was written since that dirty bitmap was begun is copied. */
  readonly since?: string
  readonly disks: readonly {
    readonly vdev: string
    readonly source: Image
    readonly sizeMib: number
    readonly scratch: ScratchVolume
  }[]
  /** All that the moment was for has been read from it: whatever of it goes then is not missed. Asked of a later moment, too. */
  isRead(cx: Context): boolean
}

const MOMENT = 'take the moment'
const CHECK = 'see that it was held'

function socketOf({ name }: GuestMoment): string {
  return `/run/${name}.sock`
}

/** What a disk reads as at the moment, by its place among the disks. */
export function sourceIn(moment: GuestMoment, index: number): Image {
  const { vdev, scratch } = moment.disks[index]!
  if (moment.way === 'copied') return { path: scratch.path, format: 'qcow2' }
  const path = momentUrl(socketOf(moment), vdev)
  return { path, format: 'raw', bytesPerSecond: moment.rateMib * 1024 * 1024 }
}

function disksOf({ disks }: GuestMoment): MomentDisk[] {
  return disks.map(({ vdev, source, scratch }) => ({ vdev, path: source.path, scratch: scratch.path }))
}

function blockJobOptions(moment: GuestMoment, cx: Context): MomentOptions {
  return {
    name: moment.name,
    socket: socketOf(moment),
    bytesPerSecond: moment.rateMib * 1024 * 1024,
    clock: cx.clock,
    signal: cx.signal,
    onProgress: (done) => cx.progress(done, `${Math.floor(done * 100)} %`),
  }
}

/** Of one that is held it has been seen to the end that it was. */
function isUsed(cx: Context, moment: GuestMoment): boolean {
  return moment.isRead(cx) && (moment.way === 'copied' || cx.output(CHECK) !== undefined)
}

async function isSameGuest(cx: Context, { vm, pm, domid }: GuestMoment): Promise<boolean> {
  return (await findDomain(cx, { uuid: vm, pm }))?.domid === domid
}

export function scratchSteps(moment: GuestMoment): ChangingStep[] {
  const { pm, disks } = moment
  return disks.map(({ vdev, sizeMib, scratch }): ChangingStep => {
    const { path, level, bytes } = scratch
    const mib = Math.ceil(bytes / (1024 * 1024))
    return {
      name: `make room beside ${vdev}`,
      shows: [`qemu-img create -f qcow2 ${path} ${sizeMib}M`, `fallocate -n -l ${bytes} ${path}`],
      async do(cx) {
        await cx.volumes(level).create(cx.host(pm), path, 'qcow2', sizeMib, cx.tag)
        if (!(await cx.volumes(level).reserve(cx.host(pm), path, bytes, cx.tag)))
          cx.notice(`${mib} MiB must stay free beside ${vdev} until it is done, and nobody there can promise that`)
        return null
      },
      /** That the room stays free cannot be seen. */
      isApplied: async (cx) => isUsed(cx, moment) || ((await isThere(cx, pm, { path, level })) && 'again'),
      undo: (cx) => cx.volumes(level).remove(cx.host(pm), path, cx.tag),
    }
  })
}

/** Output: when it was. */
export function momentStep(moment: GuestMoment): ChangingStep {
  const { pm, domid, way, since, note, disks } = moment
  const sync = way === 'held' ? 'none' : since === undefined ? 'full' : 'bitmap'
  return {
    name: MOMENT,
    weight: way === 'held' ? 1 : 10 * disks.length,
    shows: [`QMP transaction of ${disks.length} blockdev-backup sync=${sync}`],
    async do(cx) {
      if (!(await isSameGuest(cx, moment)))
        throw new PengxError('refused', `domain ${domid} is no more: its guest was rebooted or shut down`)
      const at = cx.clock.now()
      const options = blockJobOptions(moment, cx)
      if (way === 'held') await cx.hypervisor.holdMoment(cx.host(pm), domid, disksOf(moment), options, note)
      else {
        const slower = await cx.hypervisor.copyMoment(cx.host(pm), domid, disksOf(moment), options, note, since)
        if (slower !== undefined && slower > 1)
          cx.notice(`while it was copied, a write of its guest took ${slower.toFixed(2)} times as long as before`)
      }
      return { at } as Json
    },
    /** When it was is known only of one that was taken to its end. */
    async isApplied(cx) {
      if (cx.output(MOMENT) === undefined) return false
      return isUsed(cx, moment) || (way === 'held' ? await isHeld(cx, moment) : await isCopied(cx, moment))
    },
    undo: (cx) => cx.hypervisor.releaseMoment(cx.host(pm), domid, blockJobOptions(moment, cx), note),
  }
}

export function momentIn(cx: Context): number {
  return (cx.output(MOMENT) as { readonly at: number }).at
}

async function isHeld(cx: Context, moment: GuestMoment): Promise<boolean> {
  try {
    await cx.hypervisor.needMoment(cx.host(moment.pm), moment.domid, disksOf(moment), moment)
    return true
  } catch (error) {
    const { code } = toPengxError(error)
    if (code === 'commandFailed' || code === 'unsupported') return false
    throw error
  }
}

async function isCopied(cx: Context, { pm, disks }: GuestMoment): Promise<boolean> {
  for (const { scratch } of disks) if (!(await isThere(cx, pm, scratch))) return false
  return true
}

/** Before it is let go: what was read is only what it should be if it was held to the end. */
export function checkMomentSteps(moment: GuestMoment): ReadingStep[] {
  if (moment.way !== 'held') return []
  return [
    {
      name: CHECK,
      onlyReads: true,
      async do(cx) {
        await cx.hypervisor.needMoment(cx.host(moment.pm), moment.domid, disksOf(moment), moment)
        return null
      },
    },
  ]
}

export function releaseMomentStep(moment: GuestMoment): ChangingStep {
  const { pm, domid, disks } = moment
  return {
    name: 'let go of the moment',
    shows: disks.map(({ scratch }) => `remove ${scratch.path}`),
    async do(cx) {
      await cx.hypervisor.releaseMoment(cx.host(pm), domid, blockJobOptions(moment, cx))
      for (const { scratch } of disks) await cx.volumes(scratch.level).remove(cx.host(pm), scratch.path, cx.tag)
      return null
    },
    async isApplied(cx): Promise<Applied> {
      for (const { scratch } of disks) if (await isThere(cx, pm, scratch)) return 'again'
      return true
    },
    /** The steps before it let go of the same. */
    undo: async () => undefined,
  }
}
