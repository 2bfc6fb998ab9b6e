import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Backup, goodBackups, isGood } from '../../src/model/backup.ts'
import { pruned } from '../../src/model/schedule/retention.ts'
import { aBackup } from '../support/sites/backups.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const utcDay = (at: number) => Math.floor(at / DAY_MS)
const NONE = { keepLast: 0, keepHourly: 0, keepDaily: 0, keepWeekly: 0, keepMonthly: 0 }
const START = Date.UTC(2026, 10, 2, 2)

/** Any set of backups of one VM: full ones and increments on any of the earlier, good and not, at any hours. */
const anyBackups = fc
  .array(
    fc.record({
      hours: fc.integer({ min: 0, max: 24 * 60 }),
      state: fc.constantFrom('verified' as const, 'verified' as const, 'failed' as const, 'unverified' as const),
      on: fc.option(fc.nat(30), { nil: undefined }),
    }),
    { maxLength: 30 },
  )
  .map((rows) => {
    const made: Backup[] = []
    for (const { hours, state, on } of rows.sort((a, b) => a.hours - b.hours)) {
      const parent = on === undefined ? undefined : made[on % Math.max(1, made.length)]
      const below = parent ? { parent: parent.uuid, depth: parent.depth + 1 } : {}
      made.push(aBackup({ createdAt: START + hours * HOUR_MS, state, ...below }))
    }
    return made
  })
const anyRetention = fc.record({
  keepLast: fc.integer({ min: 0, max: 8 }),
  keepHourly: fc.integer({ min: 0, max: 8 }),
  keepDaily: fc.integer({ min: 0, max: 8 }),
  keepWeekly: fc.integer({ min: 0, max: 8 }),
  keepMonthly: fc.integer({ min: 0, max: 3 }),
})
const newestFirst = (backups: readonly Backup[]) => [...backups].sort((a, b) => b.createdAt - a.createdAt)

test('what goes: never the last good one, never what a kept one lies on, children before parents', () => {
  fc.assert(
    fc.property(anyBackups, anyRetention, (backups, retention) => {
      const gone = pruned(backups, retention, utcDay)
      const kept = backups.filter((backup) => !gone.includes(backup))
      const goodBefore = backups.filter((backup) => isGood(backup, backups))
      if (goodBefore.length === 0) return gone.length === 0
      const newest = Math.max(...goodBefore.map((backup) => backup.createdAt))
      // What is good stays good: all of its chain is there.
      for (const backup of kept)
        if (backup.parent !== undefined && kept.every((other) => other.uuid !== backup.parent)) return false
      const order = gone.every((backup, index) => gone.slice(index + 1).every((later) => later.parent !== backup.uuid))
      return order && kept.some((backup) => isGood(backup, kept) && backup.createdAt === newest)
    }),
  )
})

test('what stays: the newest good ones, the newest good one of each day and week that counts', () => {
  fc.assert(
    fc.property(anyBackups, anyRetention, (backups, retention) => {
      const gone = pruned(backups, retention, utcDay)
      const good = newestFirst(backups.filter((backup) => isGood(backup, backups)))
      for (const backup of good.slice(0, retention.keepLast)) if (gone.includes(backup)) return false
      const days = [...new Set(good.map((backup) => utcDay(backup.createdAt)))].slice(0, retention.keepDaily)
      for (const day of days) {
        const ofDay = good.filter((backup) => utcDay(backup.createdAt) === day)
        if (ofDay.every((backup) => gone.includes(backup))) return false
        if (ofDay.every((backup) => backup.createdAt < ofDay[0]!.createdAt || gone.includes(backup))) return false
      }
      return true
    }),
  )
})

test('pruning what has been pruned takes nothing more, and a damaged one never counts for a good one', () => {
  fc.assert(
    fc.property(anyBackups, anyRetention, (backups, retention) => {
      const gone = pruned(backups, retention, utcDay)
      const kept = backups.filter((backup) => !gone.includes(backup))
      if (pruned(kept, retention, utcDay).length > 0) return false
      // With the bad ones that nothing lies on left out beforehand, the good ones fare the same.
      const solid = backups.filter((backup) => isGood(backup, backups))
      const goneOfSolid = pruned(solid, retention, utcDay)
      return solid.every((backup) => gone.includes(backup) || !goneOfSolid.includes(backup) || carries(backup, kept))
    }),
  )
})

/** It stays because one that is not good, and is kept, lies on it. */
function carries(backup: Backup, kept: readonly Backup[]): boolean {
  return kept.some((other) => other.parent === backup.uuid)
}

test('the good ones of a list are those of which each is good', () => {
  fc.assert(
    fc.property(anyBackups, (backups) => {
      const good = goodBackups(backups)
      return backups.every((backup) => good.has(backup.uuid) === isGood(backup, backups))
    }),
  )
})

test('a fortnight of daily backups: three days and two weeks are kept', () => {
  // From Monday the 2nd to Sunday the 15th of November 2026.
  const daily = Array.from({ length: 14 }, (_, day) =>
    aBackup({ name: String(day + 2), createdAt: START + day * DAY_MS }),
  )
  const gone = pruned(daily, { ...NONE, keepLast: 1, keepDaily: 3, keepWeekly: 2 }, utcDay).map((backup) => backup.name)
  expect(daily.map((backup) => backup.name).filter((name) => !gone.includes(name))).toEqual(['8', '13', '14', '15'])
})

test('with nothing good, nothing goes; a damaged one goes when a newer good one is there', () => {
  const bad = aBackup({ state: 'failed', createdAt: START })
  expect(pruned([bad], { ...NONE, keepLast: 0, keepDaily: 0, keepWeekly: 0 })).toEqual([])
  const good = aBackup({ createdAt: START + DAY_MS })
  expect(pruned([bad, good], { ...NONE, keepLast: 7, keepDaily: 0, keepWeekly: 0 })).toEqual([bad])
  const newer = aBackup({ state: 'unverified', createdAt: START + 2 * DAY_MS })
  expect(pruned([newer, good], { ...NONE, keepLast: 0, keepDaily: 0, keepWeekly: 0 })).toEqual([])
})

test('a day is this machine’s, from midnight to midnight', () => {
  const midnight = new Date(2026, 2, 29).getTime()
  const backups = [-1, 0, 22 * HOUR_MS].map((after) => aBackup({ createdAt: midnight + after }))
  expect(pruned(backups, { ...NONE, keepLast: 0, keepDaily: 2, keepWeekly: 0 })).toEqual([backups[1]!])
})

test('of hours and of months the newest is kept, for so many that have one', () => {
  const at = (...date: readonly [number, number, number, number?]) => new Date(2026, ...date).getTime()
  const named = (name: string, createdAt: number) => aBackup({ name, createdAt })
  const backups = [
    named('aug', at(7, 31, 23)),
    named('oct early', at(9, 1, 0)),
    named('oct late', at(9, 31, 23, 59)),
    named('nov', at(10, 1, 0)),
    named('nine', at(10, 2, 9, 5)),
    named('nine too', at(10, 2, 9, 55)),
    named('ten', at(10, 2, 10)),
    named('eleven', at(10, 2, 11)),
  ]
  const keptBy = (retention: Partial<typeof NONE>) => {
    const gone = pruned(backups, { ...NONE, ...retention })
    return backups.filter((backup) => !gone.includes(backup)).map(({ name }) => name)
  }
  expect(keptBy({ keepHourly: 3 })).toEqual(['nine too', 'ten', 'eleven'])
  expect(keptBy({ keepMonthly: 3 })).toEqual(['aug', 'oct late', 'eleven'])
  expect(keptBy({ keepHourly: 2, keepMonthly: 2 })).toEqual(['oct late', 'ten', 'eleven'])
})
