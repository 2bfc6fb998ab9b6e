import { describe, expect, test } from 'bun:test'
import { createScheduler } from '../../../src/engine/schedules.ts'
import type { Store } from '../../../src/engine/store/store.ts'
import { lastCron, nextCron, refuseCron } from '../../../src/lib/cron.ts'
import type { Schedule } from '../../../src/model/backup.ts'
import { PengxError } from '../../../src/model/error.ts'
import type { Job } from '../../../src/model/job.ts'
import { DAY_MS, furnish, HOUR_MS, MIDNIGHT } from '../../support/sites/schedulePlace.ts'
import { until } from '../../support/until.ts'
import { newPlace } from '../store/samples.ts'

/** A scheduler whose jobs end as told. */
function schedulerOn({ store, clock }: Awaited<ReturnType<typeof furnish>>, end: (operation: string) => Partial<Job>) {
  const ran: { operation: string; params: unknown }[] = []
  const scheduler = createScheduler({
    store,
    clock,
    async run(operation, params) {
      ran.push({ operation, params })
      return { state: 'done', message: '', ...end(operation) } as Job
    },
  })
  return { scheduler, ran }
}

test('a backup is made when it is due, once, and then what need not be kept goes', async () => {
  await using place = newPlace()
  const site = await furnish(place)
  const { scheduler, ran } = schedulerOn(site, () => ({}))
  await scheduler.tick()
  site.clock.turn(2.5 * HOUR_MS - 1)
  await scheduler.tick()
  expect(ran).toEqual([])
  site.clock.turn(1)
  await Promise.all([scheduler.tick(), scheduler.tick()])
  await scheduler.tick()
  const { vm, storlink } = site
  expect(ran).toEqual([
    { operation: 'backup.create', params: { vm, storlink, incremental: 'auto', rate: 50 } },
    { operation: 'backup.prune', params: { vm, storlink, ...site.schedule.retention } },
  ])
})

test('what went by while nobody ran is made up for once, by one of all who are there', async () => {
  await using place = newPlace()
  const site = await furnish(place)
  const other = { ...site, store: await place.open(site.clock) }
  site.clock.turn(5 * DAY_MS)
  const both = [schedulerOn(site, () => ({})), schedulerOn(other, () => ({}))]
  await Promise.all(both.map(({ scheduler }) => scheduler.tick()))
  await Promise.all(both.map(({ scheduler }) => scheduler.tick()))
  const created = both.flatMap(({ ran }) => ran.filter((one) => one.operation === 'backup.create'))
  expect(created).toHaveLength(1)
})

test('why it did not come to a backup is kept until it does; nothing is pruned then', async () => {
  await using place = newPlace()
  const site = await furnish(place)
  let end: Partial<Job> = { state: 'undone', message: 'no space left' }
  const { scheduler, ran } = schedulerOn(site, () => end)
  const problem = () => site.store.view.needSchedule(site.schedule.uuid).problem
  site.clock.turn(DAY_MS)
  await scheduler.tick()
  expect([problem(), ran.map((one) => one.operation)]).toEqual(['no space left', ['backup.create']])
  end = {}
  site.clock.turn(DAY_MS)
  await scheduler.tick()
  expect(problem()).toBeUndefined()
  const refusing = createScheduler({
    store: site.store,
    clock: site.clock,
    run: () => Promise.reject(new PengxError('refused', 'its PM is read-only')),
  })
  site.clock.turn(DAY_MS)
  await refusing.tick()
  expect(problem()).toBe('its PM is read-only')
  await site.store.inventory.dropVm(site.vm)
  site.clock.turn(DAY_MS)
  await scheduler.tick()
  expect(problem()).toBe('its VM is gone')
})

test('what is switched off makes nothing, and one that still works is not overtaken', async () => {
  await using place = newPlace()
  const site = await furnish(place, { enabled: false })
  const work = Promise.withResolvers<void>()
  let started = 0
  const scheduler = createScheduler({
    store: site.store,
    clock: site.clock,
    async run() {
      started++
      await work.promise
      return { state: 'done', message: '' } as Job
    },
  })
  site.clock.turn(DAY_MS)
  await scheduler.tick()
  expect(started).toBe(0)
  await site.store.inventory.putSchedule({ ...site.schedule, enabled: true })
  const first = scheduler.tick()
  await until(() => started === 1)
  site.clock.turn(DAY_MS)
  await scheduler.tick()
  expect(started).toBe(1)
  work.resolve()
  await first
  await scheduler.tick()
  expect(started).toBe(4)
})

describe('what another process does while a time is at work', () => {
  async function whileAtWork(meanwhile: (other: Store, schedule: Schedule) => Promise<void>) {
    const place = newPlace()
    const site = await furnish(place)
    const other = await place.open(site.clock)
    const work = Promise.withResolvers<void>()
    let begun = false
    const scheduler = createScheduler({
      store: site.store,
      clock: site.clock,
      async run() {
        begun = true
        await work.promise
        return { state: 'undone', message: 'no space left' } as Job
      },
    })
    site.clock.turn(DAY_MS)
    const at = scheduler.tick()
    await until(() => begun)
    await other.view.refresh()
    await meanwhile(other, other.view.needSchedule(site.schedule.uuid))
    work.resolve()
    await at
    await other.view.refresh()
    const left = other.view.getSchedule(site.schedule.uuid)
    await place[Symbol.asyncDispose]()
    return left
  }

  test('it is deleted, and stays so', async () => {
    expect(await whileAtWork((other, { uuid }) => other.inventory.dropSchedule(uuid))).toBeUndefined()
  })

  test('it is changed and taken on anew, and that stays beside how this time ended', async () => {
    const left = await whileAtWork(async (other, schedule) => {
      await other.inventory.putSchedule({ ...schedule, cron: '0 4 * * *', rateMib: 7 })
      expect(await other.inventory.takeSchedule(schedule.uuid, MIDNIGHT + 3 * DAY_MS)).toBe(true)
    })
    const takenAt = MIDNIGHT + 3 * DAY_MS
    expect(left).toMatchObject({ cron: '0 4 * * *', rateMib: 7, takenAt, problem: 'no space left' })
  })
})

test('times are cron’s, and what is none is named', () => {
  expect(new Date(nextCron('30 2 * * *', MIDNIGHT)!).getHours()).toBe(2)
  const due = MIDNIGHT + 2.5 * HOUR_MS
  expect([lastCron('30 2 * * *', due), lastCron('30 2 * * *', due - 1)]).toEqual([due, due - DAY_MS])
  expect(refuseCron('*/15 8-18 * * 1-5')).toBeUndefined()
  for (const wrong of ['', 'daily', '30 2 * *', '61 2 * * *', '0 0 30 2 *', '* * * * * *'])
    expect(refuseCron(wrong)).toContain(`"${wrong}"`)
})
