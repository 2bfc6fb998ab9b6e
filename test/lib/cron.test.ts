import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { lastCron, nextCron } from '../../src/lib/cron.ts'
import { anyTimes, cronText, dueTimes } from '../support/sites/scheduleRules.ts'

const DAY_MS = 86_400_000

test('the next and the last time are those that a calendar shows, at the ends of months too', () => {
  fc.assert(
    fc.property(anyTimes, fc.integer({ min: 0, max: 47 }), fc.nat(31 * 1440), (times, month, minute) => {
      const at = new Date(2026, month, 1).getTime() + minute * 60_000
      const around = dueTimes(times, at - 63 * DAY_MS, at + 63 * DAY_MS)
      const pattern = cronText(times)
      expect([pattern, lastCron(pattern, at)]).toEqual([pattern, around.findLast((due) => due <= at)])
      expect([pattern, nextCron(pattern, at)]).toEqual([pattern, around.find((due) => due > at)])
    }),
    { numRuns: 200 },
  )
})

test('the first of March is not passed by for a day that February has not', () => {
  const march = new Date(2027, 2, 1).getTime()
  for (const pattern of ['0 0 1,30 * *', '0 0 1,31 * *', '0 0 1 * 2', '0 0 1 * 3'])
    expect([pattern, nextCron(pattern, new Date(2027, 1, 27).getTime())]).toEqual([pattern, march])
})
