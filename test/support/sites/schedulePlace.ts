import { newUuid } from '../../../src/lib/ids.ts'
import type { Schedule } from '../../../src/model/backup.ts'
import { aPm, aStorlink, aVm, handClock, type Place } from '../../engine/store/samples.ts'

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS
export const MIDNIGHT = new Date(2026, 10, 23).getTime()

/** A site with one VM, and a schedule for it. */
export async function furnish(place: Place, more: Partial<Schedule> = {}) {
  const clock = handClock(MIDNIGHT)
  const store = await place.open(clock)
  const pm = aPm()
  await store.inventory.putPm(pm)
  const storlink = await store.inventory.putStorlink(aStorlink(pm.uuid))
  const vm = aVm(pm.uuid, { name: 'web01' })
  await store.inventory.putVm(vm)
  const schedule: Schedule = {
    uuid: newUuid(),
    vm: vm.uuid,
    vmName: 'web01',
    storlink,
    cron: '30 2 * * *',
    incremental: true,
    rateMib: 50,
    retention: { keepLast: 3, keepHourly: 0, keepDaily: 7, keepWeekly: 4, keepMonthly: 0 },
    enabled: true,
    createdAt: MIDNIGHT,
    ...more,
  }
  await store.inventory.putSchedule(schedule)
  return { clock, store, schedule, storlink, vm: vm.uuid }
}
