import { describe, expect, test } from 'bun:test'
import { createScheduler } from '../../../src/engine/schedules.ts'
import type { Store } from '../../../src/engine/store/store.ts'
import { lastCron, nextCron, refuseCron } from '../../../src/lib/cron.ts'
import { newUuid } from '../../../src/lib/ids.ts'
import type { Schedule } from '../../../src/model/backup.ts'
import { PengxError } from '../../../src/model/error.ts'
import type { Job } from '../../../src/model/job.ts'
import { until } from '../../support/until.ts'
import { aPm, aStorlink, aVm, handClock, newPlace, type Place } from '../store/samples.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const MIDNIGHT = new Date(2026, 10, 23).getTime()

async function furnish(place: Place, more: Partial<Schedule> = {}) {
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

/** Jobs that end one by one, when told. */
function heldJobs() {
  const held: { readonly vm: string; readonly end: () => void }[] = []
  let most = 0
  let now = 0
  async function run(operation: string, { vm }: Readonly<Record<string, unknown>>): Promise<Job> {
    if (operation === 'backup.create') {
      most = Math.max(most, ++now)
      const job = Promise.withResolvers<void>()
      held.push({ vm: String(vm), end: job.resolve })
      await job.promise
      now--
    }
    return { state: 'done', message: '' } as Job
  }
  return { held, run, most: () => most }
}

describe('several that are due at once', () => {
  async function due(storages: readonly (string | undefined)[]) {
    const place = newPlace()
    const site = await furnish(place)
    const { store, schedule } = site
    const vms = [schedule.vm]
    for (const [index, storage] of storages.entries()) {
      const { pm } = store.view.vms()[0]!
      const vm = aVm(pm, { name: `web${index + 2}` })
      await store.inventory.putVm(vm)
      const name = `link${index}`
      const storlink =
        storage === undefined
          ? site.storlink
          : await store.inventory.putStorlink(aStorlink(pm, { name, link: `/${name}` }))
      if (storage !== undefined) await store.inventory.recordSeen({ storlinks: [{ id: storlink, uuid: storage }] })
      await store.inventory.putSchedule({ ...schedule, uuid: newUuid(), vm: vm.uuid, vmName: vm.name, storlink })
      vms.push(vm.uuid)
    }
    const jobs = heldJobs()
    const scheduler = createScheduler({ store, clock: site.clock, run: jobs.run })
    site.clock.turn(DAY_MS)
    return { ...site, ...jobs, vms, scheduler, [Symbol.asyncDispose]: () => place[Symbol.asyncDispose]() }
  }

  test('onto one storlink go one after the other, and what waits is not taken on yet', async () => {
    await using site = await due([undefined, undefined])
    const over = site.scheduler.tick()
    for (const [index, vm] of site.vms.entries()) {
      await until(() => site.held.length === index + 1)
      expect(site.held[index]!.vm).toBe(vm)
      // Looking again meanwhile asks for no second turn.
      void site.scheduler.tick()
      const taken = site.store.view.schedules().filter(({ takenAt }) => takenAt !== undefined)
      expect(taken.map((one) => one.vm)).toEqual(site.vms.slice(0, index + 1))
      site.held[index]!.end()
    }
    await over
    expect(site.most()).toBe(1)
  })

  test('onto several go side by side; two rows of one storage are one', async () => {
    const [one, other] = [newUuid(), newUuid()]
    await using site = await due([one, other, one])
    const over = site.scheduler.tick()
    await until(() => site.held.length === 3)
    expect(site.held.map(({ vm }) => vm).sort()).toEqual(site.vms.slice(0, 3).sort())
    for (const { end } of site.held) end()
    await until(() => site.held.length === 4)
    site.held[3]!.end()
    await over
    expect([site.most(), site.held[3]!.vm]).toEqual([3, site.vms[3]!])
  })

  test('one that is refused keeps nobody from its turn, and one that was deleted meanwhile makes nothing', async () => {
    await using site = await due([undefined, undefined])
    const ran: unknown[] = []
    const scheduler = createScheduler({
      store: site.store,
      clock: site.clock,
      async run(operation, { vm }) {
        if (operation === 'backup.create') ran.push(vm)
        if (vm === site.vms[0]) {
          const last = site.store.view.schedules().find((one) => one.vm === site.vms[1])!
          await site.store.inventory.dropSchedule(last.uuid)
          throw new PengxError('refused', 'its PM is away')
        }
        return { state: 'done', message: '' } as Job
      },
    })
    await scheduler.tick()
    expect(ran).toEqual([site.vms[0], site.vms[2]])
    expect(site.store.view.schedules().map(({ problem }) => problem)).toEqual(['its PM is away', undefined])
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
