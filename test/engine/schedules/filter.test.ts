import { describe, expect, test } from 'bun:test'
import { createScheduler } from '../../../src/engine/schedules.ts'
import { PengxError } from '../../../src/model/error.ts'
import type { Job } from '../../../src/model/job.ts'
import { DAY_MS, furnish } from '../../support/sites/schedulePlace.ts'
import { aVm, newPlace } from '../store/samples.ts'

describe('one for a filter', () => {
  async function filtered(filter: string) {
    const place = newPlace()
    const site = await furnish(place)
    const { store, schedule, clock } = site
    const { vm: _own, ...rest } = schedule
    const { pm } = store.view.vms()[0]!
    await store.inventory.dropSchedule(schedule.uuid)
    await store.inventory.putSchedule({ ...rest, filter, vmName: filter })
    const add = async (name: string, os: string) => {
      const vm = aVm(pm, { name, os })
      await store.inventory.putVm(vm)
      return vm.uuid
    }
    const ran: (readonly [string, string])[] = []
    const notes: (string | undefined)[] = []
    const problem = () => store.view.needSchedule(schedule.uuid).problem
    let fails: Readonly<Record<string, string>> = {}
    const scheduler = createScheduler({
      store,
      clock,
      async run(operation, { vm }) {
        const { name } = store.view.needVm(String(vm))
        ran.push([operation, name])
        if (operation === 'backup.create') notes.push(problem())
        const message = fails[name]
        if (message === undefined) return { state: 'done', message: '' } as Job
        if (message === 'thrown') throw new PengxError('refused', 'its PM is away')
        return { state: 'undone', message } as Job
      },
    })
    const nextDay = async () => {
      ran.length = 0
      notes.length = 0
      clock.turn(DAY_MS)
      await scheduler.tick()
    }
    const fail = (names: typeof fails) => {
      fails = names
    }
    return { store, add, ran, notes, problem, nextDay, fail, [Symbol.asyncDispose]: () => place[Symbol.asyncDispose]() }
  }

  test('backs up whom it matches then, each with its own pruning, one after the other', async () => {
    await using site = await filtered('os:debian !test')
    await site.add('db', 'debian 12')
    await site.add('test', 'debian 12')
    await site.add('mail', 'freebsd 14')
    const web = await site.add('web', 'Debian 13')
    await site.nextDay()
    const both = (name: string) => [['backup.create', name] as const, ['backup.prune', name] as const]
    expect([site.ran, site.problem()]).toEqual([[...both('db'), ...both('web')], undefined])
    await site.store.inventory.dropVm(web)
    await site.add('new', 'debian 13')
    await site.nextDay()
    expect(site.ran).toEqual([...both('db'), ...both('new')])
  })

  test('one that fails keeps none of the others from theirs; it is told which, why, and who has none yet', async () => {
    await using site = await filtered('os:debian')
    for (const name of ['a', 'b', 'c']) await site.add(name, 'debian 12')
    site.fail({ a: 'no space left', b: 'thrown' })
    await site.nextDay()
    expect(site.ran.map(([operation, name]) => `${operation} ${name}`)).toEqual([
      ...['backup.create a', 'backup.create b', 'backup.create c', 'backup.prune c'],
    ])
    expect(site.notes).toEqual([
      'not backed up yet: a, b, c',
      'a: no space left; not backed up yet: b, c',
      'a: no space left; b: its PM is away; not backed up yet: c',
    ])
    expect(site.problem()).toBe('a: no space left; b: its PM is away')
    site.fail({})
    await site.nextDay()
    expect(site.problem()).toBeUndefined()
  })

  test('that matches nobody says so', async () => {
    await using site = await filtered('os:plan9')
    await site.nextDay()
    expect([site.ran, site.problem()]).toEqual([[], 'its filter matches no VM'])
  })
})
