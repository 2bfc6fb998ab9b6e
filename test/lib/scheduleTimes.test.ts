import { expect, test } from 'bun:test'
import { countCron } from '../../src/lib/cron.ts'
import { newUuid } from '../../src/lib/ids.ts'
import type { Schedule } from '../../src/model/backup.ts'
import { dueAt, lastRun } from '../../src/model/schedule/times.ts'

/** Of this machine's time zone, as schedules are. */
const at = (day: number, hour: number, minute = 0) => new Date(2026, 10, day, hour, minute).getTime()

function scheduleOf(change: Partial<Schedule>): Schedule {
  const retention = { keepLast: 7, keepHourly: 0, keepDaily: 7, keepWeekly: 4, keepMonthly: 0 }
  const of = { uuid: newUuid(), vm: newUuid(), vmName: 'web01', storlink: 1, cron: '30 2 * * *' }
  return { ...of, incremental: true, rateMib: 50, retention, enabled: true, createdAt: at(1, 12), ...change }
}

test('it is due from its time on, until somebody takes that on', () => {
  const schedule = scheduleOf({})
  expect(dueAt(schedule, at(2, 2, 29))).toBeUndefined()
  expect(dueAt(schedule, at(2, 2, 30))).toBe(at(2, 2, 30))
  expect(dueAt(schedule, at(4, 1))).toBe(at(3, 2, 30))
  expect(dueAt({ ...schedule, takenAt: at(3, 2, 30) }, at(4, 1))).toBeUndefined()
  expect(dueAt({ ...schedule, enabled: false }, at(4, 1))).toBeUndefined()
})

test('what it made is told from a change, which settles what went by too', () => {
  expect(lastRun(scheduleOf({}))).toBeUndefined()
  expect(lastRun(scheduleOf({ takenAt: at(3, 2, 30) }))).toBe(at(3, 2, 30))
  expect(lastRun(scheduleOf({ takenAt: at(3, 2, 30) + 417 }))).toBeUndefined()
  expect(lastRun(scheduleOf({ takenAt: at(3, 9) }))).toBeUndefined()
})

test('times between two moments are counted, the later one with them', () => {
  expect(countCron('30 2 * * *', at(1, 2, 30), at(4, 2, 30), 100)).toBe(3)
  expect(countCron('30 2 * * *', at(1, 2, 30), at(4, 2, 29), 100)).toBe(2)
  expect(countCron('* * * * *', at(1, 0), at(4, 0), 100)).toBe(100)
})
