import { isGood } from '../../../model/backup.ts'
import { toPengxError } from '../../../model/error.ts'
import type { ChangingStep } from '../../jobs/operation.ts'
import type { GuestMoment } from '../disk/moment.ts'
import { findDomain } from '../vm/domain.ts'
import type { BackupFacts } from './facts.ts'
import { bitmapOf, type LiveBackup } from './live.ts'
import { isReadBack } from './steps.ts'

/** What a backup of a VM that runs is made from: a moment that notes what is written from then on. */
export type LiveFacts = BackupFacts & { readonly live: LiveBackup }

export function momentOf(
  backup: string,
  rateMib: number,
  { vm, vmPm: pm, live, parent, disks }: LiveFacts,
): GuestMoment {
  const { domid, way, scratch } = live
  return {
    vm,
    pm,
    domid,
    name: bitmapOf(backup),
    way,
    rateMib,
    note: bitmapOf(backup),
    ...(parent ? { since: bitmapOf(parent.uuid) } : {}),
    disks: disks.map(({ vdev, source, sizeMib }, index) => ({ vdev, source, sizeMib, scratch: scratch[index]! })),
    isRead: (cx) => disks.every(({ vdev }) => isReadBack(cx, vdev)),
  }
}

/** What notes the writes since older backups is of no use any more, except since the newest good one of each storlink. */
export function forgetBitmapsStep({ vmPm: pm, live, vm }: LiveFacts): ChangingStep {
  return {
    name: 'forget older notes',
    async do(cx) {
      const all = cx.view.backupsOf(vm)
      const newest = new Map(
        [...all].reverse().flatMap((one) => (isGood(one, all) ? [[one.storlink, bitmapOf(one.uuid)] as const] : [])),
      )
      const kept = new Set(newest.values())
      try {
        if ((await findDomain(cx, { uuid: vm, pm }))?.domid !== live.domid) return null
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
