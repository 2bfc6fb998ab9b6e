import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { createScheduler, type Scheduler } from '../../../src/engine/schedules.ts'
import type { Store } from '../../../src/engine/store/store.ts'
import { newUuid } from '../../../src/lib/ids.ts'
import { type Backup, isGood, type Retention } from '../../../src/model/backup.ts'
import { PengxError } from '../../../src/model/error.ts'
import type { Job } from '../../../src/model/job.ts'
import { pruned } from '../../../src/model/schedule/retention.ts'
import { scheduleState } from '../../../src/model/schedule/times.ts'
import { aBackup } from '../../support/sites/backups.ts'
import { anyTimes, cronText, dueTimes, keptOf, type Times } from '../../support/sites/scheduleRules.ts'
import { aPm, aStorlink, aVm, handClock, newPlace } from '../store/samples.ts'

/**
 * A month of schedules in fast motion: any times, any retention, jobs that fail in any way, backups that go bad, and hours
 * and days in which no pengx runs. The scheduler, the store and the rule of retention are the real ones; jobs are played.
 * What has to come of it is worked out beside it from the rules as a person would say them.
 */
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const HOURS = 31 * 24

/** How one time ends: the job of the backup, or the pruning after it. */
type Fate = 'good' | 'undone' | 'refused' | 'unverified' | 'unpruned'

interface Wish {
  readonly times: Times
  readonly retention: Retention
  readonly incremental: boolean
  readonly fates: readonly Fate[]
}

interface Month {
  readonly month: number
  readonly wishes: readonly Wish[]
  /** When no pengx runs. */
  readonly gaps: readonly { readonly from: number; readonly hours: number }[]
  /** Backups that are read back and found to be bad, or good again. */
  readonly checks: readonly { readonly hour: number; readonly which: number; readonly good: boolean }[]
  /** After how many increments a full one is made. */
  readonly longest: number
}

const anyWish: fc.Arbitrary<Wish> = fc.record({
  times: anyTimes,
  retention: fc.record({
    keepLast: fc.nat(5),
    keepHourly: fc.nat(6),
    keepDaily: fc.nat(8),
    keepWeekly: fc.nat(5),
    keepMonthly: fc.nat(3),
  }),
  incremental: fc.boolean(),
  fates: fc.array(
    fc.constantFrom<Fate>('good', 'good', 'good', 'good', 'undone', 'refused', 'unverified', 'unpruned'),
    {
      minLength: 1,
      maxLength: 9,
    },
  ),
})
const anyMonth: fc.Arbitrary<Month> = fc.record({
  month: fc.nat(11),
  wishes: fc.array(anyWish, { minLength: 1, maxLength: 3 }),
  gaps: fc.array(fc.record({ from: fc.nat(HOURS), hours: fc.integer({ min: 1, max: 120 }) }), { maxLength: 5 }),
  checks: fc.array(fc.record({ hour: fc.nat(HOURS), which: fc.nat(20), good: fc.boolean() }), { maxLength: 8 }),
  longest: fc.integer({ min: 1, max: 6 }),
})

/** One schedule: what it does, and what of it has to be. */
interface Line {
  readonly uuid: string
  readonly vm: string
  readonly storlink: number
  readonly wish: Wish
  readonly dues: readonly number[]
  readonly begins: number
  takenAt: number | undefined
  /** How often it has come to something, and what is told of it now. */
  runs: number
  problem: string | undefined
  /** What has to be there, by the rules alone. */
  due: Backup[]
}

const fateOf = ({ wish, runs }: Line) => wish.fates[runs % wish.fates.length]!
const there = (store: Store, { vm, storlink }: Line) =>
  store.view.backupsOf(vm).filter((backup) => backup.storlink === storlink)
const byUuid = (backups: readonly Backup[]) => backups.map(({ uuid }) => uuid).sort()

async function live({ month, wishes, gaps, checks, longest }: Month): Promise<number> {
  await using place = newPlace()
  const begins = new Date(2027, month, 1).getTime()
  const clock = handClock(begins)
  const store = await place.open(clock)
  const pm = aPm()
  await store.inventory.putPm(pm)
  const lines: Line[] = []
  for (const [index, wish] of wishes.entries()) {
    // The third is another one of the first's VM, to another storlink.
    const vm = lines[index - 2]?.vm ?? newUuid()
    const name = `vm${index % 2}`
    if (index < 2) await store.inventory.putVm(aVm(pm.uuid, { uuid: vm, name }))
    const link = { name: `link${index}`, link: `/link${index}` }
    const storlink = await store.inventory.putStorlink(aStorlink(pm.uuid, link))
    const { retention, incremental, times } = wish
    const uuid = newUuid()
    const how = { cron: cronText(times), incremental, rateMib: 0, retention, enabled: true, createdAt: begins }
    await store.inventory.putSchedule({ uuid, vm, vmName: name, storlink, ...how })
    const dues = dueTimes(times, begins, begins + HOURS * HOUR_MS)
    lines.push({ uuid, vm, storlink, wish, dues, begins, takenAt: undefined, runs: 0, problem: undefined, due: [] })
  }
  const lineOf = (params: Readonly<Record<string, unknown>>) =>
    lines.find(({ vm, storlink }) => vm === params.vm && storlink === params.storlink)!

  async function backUp(line: Line): Promise<Partial<Job>> {
    const fate = fateOf(line)
    if (fate === 'refused') throw new PengxError('refused', 'its PM is away')
    if (fate === 'undone') return { state: 'undone', message: 'no space left' }
    const all = there(store, line)
    const newest = all.filter((one) => isGood(one, all)).sort((a, b) => b.createdAt - a.createdAt)[0]
    const below = line.wish.incremental && newest && newest.depth < longest ? newest : undefined
    const backup = aBackup({
      ...{ vm: line.vm, vmName: 'x', storlink: line.storlink, createdAt: clock.now() },
      ...{ state: fate === 'unverified' ? 'unverified' : 'verified', depth: below ? below.depth + 1 : 0 },
      ...(below ? { parent: below.uuid } : {}),
    })
    await store.inventory.putBackup(backup)
    line.due.push(backup)
    return {}
  }

  async function prune(line: Line): Promise<Partial<Job>> {
    if (fateOf(line) === 'unpruned') return { state: 'undone', message: 'the storlink is read-only' }
    for (const { uuid } of pruned(there(store, line), line.wish.retention)) await store.inventory.dropBackup(uuid)
    return {}
  }

  const begin = (): Scheduler =>
    createScheduler({
      store,
      clock,
      async run(operation, params) {
        const line = lineOf(params)
        const end = operation === 'backup.create' ? await backUp(line) : await prune(line)
        return { state: 'done', message: '', ...end } as Job
      },
    })

  /** What has to come of a look at that time. */
  function expected(line: Line, now: number): () => void {
    const due = line.dues.findLast((at) => at <= now && at > (line.takenAt ?? line.begins))
    if (due === undefined) return () => undefined
    const fate = fateOf(line)
    return () => {
      line.takenAt = due
      line.runs++
      line.problem =
        fate === 'refused'
          ? 'its PM is away'
          : fate === 'undone'
            ? 'no space left'
            : fate === 'unpruned'
              ? 'backed up, and not pruned: the storlink is read-only'
              : undefined
      if (line.problem === undefined) line.due = keptOf(line.due, line.wish.retention)
    }
  }

  /** What is told, while pengx runs or not, and what is there. */
  function agree(line: Line): void {
    const row = store.view.needSchedule(line.uuid)
    const now = clock.now()
    expect([row.takenAt, row.problem]).toEqual([line.takenAt, line.problem])
    const isMissed = line.dues.some((at) => at > (line.takenAt ?? line.begins) && now - at > 2 * MINUTE_MS)
    expect(scheduleState(row, now)).toBe(isMissed ? 'overdue' : 'on')
    const kept = there(store, line)
    expect(byUuid(kept)).toEqual(byUuid(line.due))
    for (const { parent } of kept) if (parent !== undefined) expect(byUuid(kept)).toContain(parent)
  }

  const over = begins + HOURS * HOUR_MS
  const isOff = (at: number) =>
    gaps.some(({ from, hours }) => at >= begins + from * HOUR_MS && at < begins + (from + hours) * HOUR_MS)
  const ends = gaps.map(({ from, hours }) => begins + (from + hours) * HOUR_MS)
  const looks = lines.flatMap(({ dues }) => dues.flatMap((at) => [at - 1, at, at + 5 * MINUTE_MS]))
  const read = checks.map(({ hour }) => begins + hour * HOUR_MS)
  const moments = [...new Set([...looks, ...ends, ...read])]
    .filter((at) => at > begins && at <= over)
    .sort((a, b) => a - b)
  let scheduler = begin()
  for (const at of moments) {
    clock.turn(at - clock.now())
    for (const { which, good } of checks.filter(({ hour }) => begins + hour * HOUR_MS === at)) {
      const all = store.view.backups()
      const one = all[which % Math.max(1, all.length)]
      if (!one) continue
      const checked = { ...one, state: good ? ('verified' as const) : ('failed' as const), checkedAt: at }
      await store.inventory.putBackup(checked)
      for (const line of lines) line.due = line.due.map((other) => (other.uuid === one.uuid ? checked : other))
    }
    for (const line of lines) agree(line)
    if (isOff(at)) continue
    if (ends.includes(at)) scheduler = begin()
    const newestGood = lines.map((line) => {
      const all = there(store, line)
      return all.filter((one) => isGood(one, all)).sort((a, b) => b.createdAt - a.createdAt)[0]
    })
    const outcomes = lines.map((line) => expected(line, at))
    await scheduler.tick()
    for (const outcome of outcomes) outcome()
    for (const [index, line] of lines.entries()) {
      agree(line)
      const good = there(store, line).filter((one) => isGood(one, there(store, line)))
      if (newestGood[index]) expect(good.length).toBeGreaterThan(0)
    }
  }
  return lines.reduce((sum, { runs }) => sum + runs, 0)
}

test('a month of any schedules: what is kept is what the rules say, and what was missed is told and made up for once', async () => {
  let runs = 0
  await fc.assert(
    fc.asyncProperty(anyMonth, async (month) => {
      runs += await live(month)
    }),
    { numRuns: 12, interruptAfterTimeLimit: 90_000 },
  )
  expect(runs).toBeGreaterThan(100)
}, 120_000)
