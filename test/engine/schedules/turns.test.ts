import { describe, expect, test } from 'bun:test'
import { createScheduler } from '../../../src/engine/schedules.ts'
import { newUuid } from '../../../src/lib/ids.ts'
import { PengxError } from '../../../src/model/error.ts'
import type { Job } from '../../../src/model/job.ts'
import { DAY_MS, furnish } from '../../support/sites/schedulePlace.ts'
import { until } from '../../support/until.ts'
import { aStorlink, aVm, newPlace } from '../store/samples.ts'

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
    const vms = [site.vm]
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
      expect(taken.map((one) => one.vm ?? '')).toEqual(site.vms.slice(0, index + 1))
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
