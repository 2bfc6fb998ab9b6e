import { isGood } from '../../../model/backup.ts'
import { PengxError, toPengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { MomentDisk } from '../../hypervisor/moment.ts'
import { type MomentOptions, momentUrl } from '../../hypervisor/momentExport.ts'
import type { Applied, ChangingStep, Context, ReadingStep } from '../../jobs/operation.ts'
import type { Image } from '../../volumes/volumeDriver.ts'
import { isThere } from '../storlink/madeVolume.ts'
import { findDomain } from '../vm/domain.ts'
import type { BackupFacts } from './facts.ts'
import { bitmapOf, type LiveBackup } from './live.ts'
import { isReadBack } from './steps.ts'

/** The steps around a backup of a VM that runs: room beside its disks, the moment, and letting go of both. */
type LiveFacts = BackupFacts & { readonly live: LiveBackup }

const MOMENT = 'take the moment'
const CHECK = 'see that it was held'

function socketOf(backup: string): string {
  return `/run/${bitmapOf(backup)}.sock`
}

/** What a disk's volume is written from. */
export function sourceOf(backup: string, rateMib: number, { live, disks }: LiveFacts, index: number): Image {
  if (live.way === 'copied') return { path: live.scratch[index]!.path, format: 'qcow2' }
  const path = momentUrl(socketOf(backup), disks[index]!.vdev)
  return { path, format: 'raw', bytesPerSecond: rateMib * 1024 * 1024 }
}

function disksOf({ disks, live }: LiveFacts): MomentDisk[] {
  return disks.map(({ vdev, source }, index) => ({ vdev, path: source.path, scratch: live.scratch[index]!.path }))
}

function blockJobOptions(backup: string, rateMib: number, cx: Context): MomentOptions {
  return {
    name: bitmapOf(backup),
    socket: socketOf(backup),
    bytesPerSecond: rateMib * 1024 * 1024,
    clock: cx.clock,
    signal: cx.signal,
    onProgress: (done) => cx.progress(done, `${Math.floor(done * 100)} %`),
  }
}

/** All that the moment was for has been read from it: whatever of it goes then is not missed. */
function isRead(cx: Context, { disks, live }: LiveFacts): boolean {
  return disks.every(({ vdev }) => isReadBack(cx, vdev)) && (live.way === 'copied' || cx.output(CHECK) !== undefined)
}

async function isSameGuest(cx: Context, { vm, pm, live }: LiveFacts): Promise<boolean> {
  return (await findDomain(cx, { uuid: vm, pm }))?.domid === live.domid
}

export function scratchSteps(facts: LiveFacts): ChangingStep[] {
  const { pm, disks, live } = facts
  return disks.map(({ vdev, sizeMib }, index): ChangingStep => {
    const { path, level, bytes } = live.scratch[index]!
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
      isApplied: async (cx) => isRead(cx, facts) || ((await isThere(cx, pm, { path, level })) && 'again'),
      undo: (cx) => cx.volumes(level).remove(cx.host(pm), path, cx.tag),
    }
  })
}

/** Output: when it was. */
export function momentStep(backup: string, rateMib: number, facts: LiveFacts): ChangingStep {
  const { pm, live, parent, disks } = facts
  const sync = live.way === 'held' ? 'none' : parent ? 'bitmap' : 'full'
  return {
    name: MOMENT,
    weight: live.way === 'held' ? 1 : 10 * disks.length,
    shows: [`QMP transaction of ${disks.length} blockdev-backup sync=${sync}`],
    async do(cx) {
      if (!(await isSameGuest(cx, facts)))
        throw new PengxError('refused', `domain ${live.domid} is no more: its guest was rebooted or shut down`)
      const at = cx.clock.now()
      const options = blockJobOptions(backup, rateMib, cx)
      const bitmap = bitmapOf(backup)
      if (live.way === 'held') await cx.hypervisor.holdMoment(cx.host(pm), live.domid, disksOf(facts), options, bitmap)
      else {
        const since = parent ? bitmapOf(parent.uuid) : undefined
        await cx.hypervisor.copyMoment(cx.host(pm), live.domid, disksOf(facts), options, bitmap, since)
      }
      return { at } as Json
    },
    /** When it was is known only of one that was taken to its end. */
    async isApplied(cx) {
      if (cx.output(MOMENT) === undefined) return false
      return isRead(cx, facts) || (live.way === 'held' ? await isHeld(cx, backup, facts) : await isCopied(cx, facts))
    },
    undo: (cx) =>
      cx.hypervisor.releaseMoment(cx.host(pm), live.domid, blockJobOptions(backup, rateMib, cx), bitmapOf(backup)),
  }
}

export function momentIn(cx: Context): number {
  return (cx.output(MOMENT) as { readonly at: number }).at
}

async function isHeld(cx: Context, backup: string, facts: LiveFacts): Promise<boolean> {
  try {
    const name = bitmapOf(backup)
    await cx.hypervisor.needMoment(cx.host(facts.pm), facts.live.domid, disksOf(facts), { name })
    return true
  } catch (error) {
    const { code } = toPengxError(error)
    if (code === 'commandFailed' || code === 'unsupported') return false
    throw error
  }
}

async function isCopied(cx: Context, { pm, live }: LiveFacts): Promise<boolean> {
  for (const scratch of live.scratch) if (!(await isThere(cx, pm, scratch))) return false
  return true
}

/** Before it is let go: what was read is only what it should be if it was held to the end. */
export function checkMomentSteps(backup: string, facts: LiveFacts): ReadingStep[] {
  if (facts.live.way !== 'held') return []
  return [
    {
      name: CHECK,
      onlyReads: true,
      async do(cx) {
        const name = bitmapOf(backup)
        await cx.hypervisor.needMoment(cx.host(facts.pm), facts.live.domid, disksOf(facts), { name })
        return null
      },
    },
  ]
}

export function releaseMomentStep(backup: string, { pm, live }: LiveFacts): ChangingStep {
  return {
    name: 'let go of the moment',
    shows: live.scratch.map(({ path }) => `remove ${path}`),
    async do(cx) {
      await cx.hypervisor.releaseMoment(cx.host(pm), live.domid, blockJobOptions(backup, 0, cx))
      for (const { path, level } of live.scratch) await cx.volumes(level).remove(cx.host(pm), path, cx.tag)
      return null
    },
    async isApplied(cx): Promise<Applied> {
      for (const scratch of live.scratch) if (await isThere(cx, pm, scratch)) return 'again'
      return true
    },
    /** The steps before it let go of the same. */
    undo: async () => undefined,
  }
}

/** What notes the writes since older backups is of no use any more, except since the newest good one of each storlink. */
export function forgetBitmapsStep(facts: LiveFacts): ChangingStep {
  const { pm, live, vm } = facts
  return {
    name: 'forget older notes',
    async do(cx) {
      const all = cx.view.backupsOf(vm)
      const newest = new Map(
        [...all].reverse().flatMap((one) => (isGood(one, all) ? [[one.storlink, bitmapOf(one.uuid)] as const] : [])),
      )
      const kept = new Set(newest.values())
      try {
        if (!(await isSameGuest(cx, facts))) return null
        await cx.hypervisor.forgetBitmaps(cx.host(pm), live.domid, (name) => !kept.has(name))
      } catch (error) {
        // Notes too many cost a little memory, and go with the domain.
        cx.notice(`older notes of what was written stay until it is shut down: ${toPengxError(error).message}`)
      }
      return null
    },
    /** Which notes there are is seen when they are taken away. */
    isApplied: async () => 'again',
  }
}
