import { describe, expect, test } from 'bun:test'
import { createReviver } from '../../src/engine/jobs/revive.ts'
import type { Store } from '../../src/engine/store/store.ts'
import { PengxError } from '../../src/model/error.ts'
import { makeVm, pmNamed } from '../support/sites/acts.ts'
import { openWorld, type World } from '../support/sites/world.ts'
import { until } from '../support/until.ts'
import { aJob, aPm, aVm, handClock, newPlace, type Place } from './store/samples.ts'

/** When a job that is stuck because a PM was away is tried again, of which PM, and by whom. */
const LOOK_MS = 2_000
const HOUR_MS = 3_600_000

type HandClock = ReturnType<typeof handClock>

/** A process that looks at PMs; its tries of a job end as before. */
function reviverOn(store: Store, clock: HandClock, tried: number[]) {
  const { view, jobs } = store
  const { looked, atWork } = createReviver({
    view,
    jobs,
    clock,
    onRetry: () => undefined,
    runner: {
      async retry(id) {
        const taken = await jobs.update(id, { state: 'running', finishedAt: undefined }, ['stuck'])
        if (!taken) throw new PengxError('refused', 'it is not stuck')
        tried.push(clock.now())
      },
      async finished(id) {
        await jobs.update(id, { state: 'stuck', code: 'unreachable', finishedAt: clock.now() })
        return { job: view.needJob(id) }
      },
    },
  })
  return async () => {
    await view.refresh()
    looked()
    await atWork().over
  }
}

async function furnish(place: Place) {
  const clock = handClock()
  const store = await place.open(clock)
  const begun = clock.now()
  const up = { reach: 'up', since: begun, at: begun } as const
  const here = aPm({ seen: up })
  const there = aPm({ seen: up })
  await store.inventory.putPm(here)
  await store.inventory.putPm(there)
  const vm = aVm(here.uuid)
  await store.inventory.putVm(vm)
  const { id } = await store.jobs.create(aJob(vm.uuid))
  const get = async (code: 'unreachable' | 'commandFailed', away?: string) =>
    await store.jobs.update(id, { state: 'stuck', code, finishedAt: clock.now(), away })
  /** A look at it, `down` or up. */
  const look = async ({ uuid }: { uuid: string }, reach: 'up' | 'down' = 'up') => {
    const { seen } = store.view.needPm(uuid)
    const since = seen.reach === reach ? seen.since : clock.now()
    const at = reach === 'up' ? clock.now() : seen.at
    await store.inventory.recordSeen({ pms: [{ uuid, seen: { ...seen, reach, since, at } }] })
  }
  return { clock, store, here, there, id, get, look }
}

describe('a stuck job', () => {
  test('is tried again when the PM that was away has come up, and not for another', async () => {
    await using place = newPlace()
    const { clock, store, here, there, get, look } = await furnish(place)
    const tried: number[] = []
    const revive = reviverOn(store, clock, tried)
    await look(there, 'down')
    await get('unreachable', there.uuid)
    for (let round = 0; round < 10; round++) {
      clock.turn(LOOK_MS)
      await look(here)
      await look(there, 'down')
      await revive()
    }
    expect(tried).toEqual([])
    await look(there)
    await revive()
    expect(tried).toEqual([clock.now()])
  })

  test('for another reason, or on a PM that is gone, waits for a person', async () => {
    await using place = newPlace()
    const { clock, store, there, get, look } = await furnish(place)
    const tried: number[] = []
    const revive = reviverOn(store, clock, tried)
    await get('commandFailed', there.uuid)
    clock.turn(HOUR_MS)
    await look(there)
    await revive()
    await get('unreachable', 'of one that was removed')
    clock.turn(HOUR_MS)
    await look(there)
    await revive()
    expect(tried).toEqual([])
  })

  test('while the PM is up: with pauses that double up to ten minutes, by one of all that are open', async () => {
    await using place = newPlace()
    const { clock, store, there, id, get, look } = await furnish(place)
    const other = await place.open(clock)
    const tried: number[] = []
    const all = [reviverOn(store, clock, tried), reviverOn(other, clock, tried)]
    const begun = clock.now()
    await get('unreachable', there.uuid)
    const passAnHour = async () => {
      for (const until = clock.now() + HOUR_MS; clock.now() < until; ) {
        clock.turn(LOOK_MS)
        await look(there)
        await Promise.all(all.map((revive) => revive()))
      }
    }
    await passAnHour()
    const pauses = tried.map((at, index) => (at - (tried[index - 1] ?? begun)) / 1000)
    // A look comes every two seconds.
    expect(pauses).toEqual([6, 10, 20, 40, 80, 160, 320, 600, 600, 600, 600])
    expect(store.view.needJob(id).retries).toBe(11)

    await look(there, 'down')
    clock.turn(LOOK_MS)
    await look(there)
    tried.length = 0
    const back = clock.now()
    await Promise.all(all.map((revive) => revive()))
    await passAnHour()
    expect(tried.slice(0, 4).map((at) => (at - back) / 1000)).toEqual([0, 10, 30, 70])
  }, 60_000)
})

describe('a job that loses a PM', () => {
  async function getStuck(world: World) {
    const { uuid: vm } = await makeVm(world)
    world.site.faults.add({ pm: 'xen1', match: 'xl create', effect: { kind: 'unreachable', ms: HOUR_MS } })
    const job = await world.engine.start('vm.start', { vm }, 'cli')
    const end = await world.engine.finished(job.id)
    expect(end.job).toMatchObject({ state: 'stuck', code: 'unreachable', away: pmNamed(world) })
    return job.id
  }

  const stateOf = (world: World, id: string) => world.engine.view.needJob(id).state

  test('knows which, and goes on when it is back', async () => {
    const world = await openWorld()
    try {
      const id = await getStuck(world)
      await world.engine.look()
      expect(stateOf(world, id)).toBe('stuck')
      world.site.faults.unreachable('xen1', 0)
      await world.engine.look()
      await until(() => stateOf(world, id) === 'undone')
    } finally {
      await world.close()
    }
  })

  test('stays stuck where nobody recovers', async () => {
    const world = await openWorld({ recovers: false })
    try {
      const id = await getStuck(world)
      world.site.faults.unreachable('xen1', 0)
      for (let round = 0; round < 3; round++) await world.engine.look()
      await new Promise((resolve) => setTimeout(resolve, 100))
      expect(stateOf(world, id)).toBe('stuck')
    } finally {
      await world.close()
    }
  })
})
