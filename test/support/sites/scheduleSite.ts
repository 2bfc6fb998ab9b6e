import type { Schedule } from '../../../src/model/backup.ts'
import type { FakeEngine } from './fakeEngine.ts'

/** Schedules: one that is kept to, one that is switched off, and one of a VM that is gone, which nobody sees to. */
export const NIGHTLY = '0a700000-0000-4000-8000-000000000001'
export const OFF = '0a700000-0000-4000-8000-000000000002'
export const OF_GONE_VM = '0a700000-0000-4000-8000-000000000003'
const MADE_SCHEDULE = '0a700000-0000-4000-8000-0000000000ff'
const GONE = '0b000000-0000-4000-8000-0000000000ee'

const HOUR_MS = 3_600_000

/** When they are looked at: a Monday at nine. */
export const AT = Date.UTC(2026, 10, 23, 9)

/** Gives the site its schedules, and jobs that make, change or delete one the effect of the real ones. */
export function laySchedules(engine: FakeEngine, nightly: string, off: string): void {
  const schedule = (uuid: string, vm: string, more: Partial<Schedule> = {}): Schedule => {
    const vmName = engine.view.getVm(vm)?.name ?? 'old'
    const retention = { keepLast: 7, keepHourly: 0, keepDaily: 7, keepWeekly: 4, keepMonthly: 0 }
    const how = { storlink: 1, cron: '30 2 * * *', incremental: true, rateMib: 50, retention, enabled: true }
    return { uuid, vm, vmName, ...how, createdAt: AT - 48 * HOUR_MS, takenAt: AT - 6.5 * HOUR_MS, ...more }
  }
  const put = (schedules: readonly Schedule[], uuid: string) =>
    engine.set({ schedules }, [{ kind: 'schedule', id: uuid }])
  const others = (uuid: string) => engine.view.schedules().filter((one) => one.uuid !== uuid)
  put(
    [
      schedule(NIGHTLY, nightly),
      schedule(OFF, off, {
        enabled: false,
        incremental: false,
        takenAt: AT - 1,
        problem: 'store1 has 3 MiB free, 9 needed',
      }),
      schedule(OF_GONE_VM, GONE, { cron: '0 */2 * * *', takenAt: undefined, rateMib: 0 }),
    ],
    NIGHTLY,
  )
  engine.onRun('schedule.create', async (params) => {
    const { vm, filter, what, storlink, cron, incremental, rate, ...given } = params as Record<string, never>
    const { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly } = given
    const retention = { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly } as unknown as Schedule['retention']
    const made = { storlink, cron, incremental, rateMib: rate, retention, createdAt: AT, takenAt: undefined }
    const { vm: _own, ...old } = schedule(MADE_SCHEDULE, String(vm), made)
    const rest = what === 'verify' ? { ...old, what } : old
    const one: Schedule = filter === undefined ? { ...rest, vm } : { ...rest, filter, vmName: filter }
    put([...others(MADE_SCHEDULE), one], MADE_SCHEDULE)
    return { result: { uuid: MADE_SCHEDULE } }
  })
  engine.onRun('schedule.update', async (params) => {
    const { schedule: uuid, cron, enabled } = params as { schedule: string; cron?: string; enabled?: boolean }
    const before = engine.view.needSchedule(uuid)
    const change = { ...(cron === undefined ? {} : { cron }), ...(enabled === undefined ? {} : { enabled }) }
    put([...others(uuid), { ...before, ...change, takenAt: AT }], uuid)
    return {}
  })
  engine.onRun('schedule.delete', async (params) => {
    const { schedule: uuid } = params as { schedule: string }
    put(others(uuid), uuid)
    return {}
  })
}
