import { expect } from 'bun:test'
import type { OperationCase } from '../../../contract/operationCase.ts'
import { act } from '../../../support/sites/acts.ts'
import type { World } from '../../../support/sites/world.ts'
import { wanted } from './backupCases.ts'

/** Backups by themselves, at set times. */
const SCHEDULE = '77777777-5555-4333-8444-555555555555'
const scheduled = async (world: World) => {
  const { vm, storlink } = await wanted()(world)
  const raw = { vm, storlink, cron: '30 2 * * *', keepDaily: 3, schedule: SCHEDULE }
  await act(world, 'schedule.create', raw)
  return raw
}
const schedule = (world: World) => world.engine.view.needSchedule(SCHEDULE)

export const SCHEDULE_CASES: readonly OperationCase[] = [
  {
    operation: 'schedule.create',
    async prepare(world) {
      const { vm, storlink } = await wanted()(world)
      return { vm, storlink, cron: '30 2 * * *', keepHourly: 6, keepDaily: 3, schedule: SCHEDULE }
    },
    check(world) {
      const retention = { keepLast: 7, keepHourly: 6, keepDaily: 3, keepWeekly: 4, keepMonthly: 0 }
      expect(schedule(world)).toMatchObject({ vmName: 'fresh', cron: '30 2 * * *', retention, enabled: true })
    },
  },
  {
    operation: 'schedule.create',
    variant: 'for a filter',
    async prepare(world) {
      const { storlink } = await wanted()(world)
      return { filter: 'name:fresh', what: 'verify', storlink, cron: '30 2 * * *', schedule: SCHEDULE }
    },
    check(world) {
      expect(schedule(world)).toMatchObject({
        vmName: 'name:fresh',
        filter: 'name:fresh',
        what: 'verify',
        enabled: true,
      })
      expect(schedule(world)).not.toContainKey('vm')
    },
  },
  {
    operation: 'schedule.update',
    async prepare(world) {
      await scheduled(world)
      return { schedule: SCHEDULE, cron: '0 4 * * 0', keepWeekly: 9, keepMonthly: 12, enabled: false }
    },
    check(world) {
      const retention = { keepLast: 7, keepHourly: 0, keepDaily: 3, keepWeekly: 9, keepMonthly: 12 }
      expect(schedule(world)).toMatchObject({ cron: '0 4 * * 0', retention, enabled: false })
    },
  },
  {
    operation: 'schedule.delete',
    async prepare(world) {
      await scheduled(world)
      return { schedule: SCHEDULE }
    },
    check: (world) => expect(world.engine.view.schedules()).toEqual([]),
  },
]
