import { afterEach, describe, expect, test } from 'bun:test'
import { createWaits } from '../../../src/engine/jobs/waits.ts'
import { openStore, type Store } from '../../../src/engine/store/store.ts'
import type { Job } from '../../../src/model/job.ts'
import { createTurnedClock } from '../../support/turnedClock.ts'

/** Who waits for a lock asks when it may be free, and hundreds of them do not ask all the time. */
const opened: Store[] = []
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
})

async function setUp() {
  const clock = createTurnedClock()
  const store = await openStore({ at: 'memory', clock })
  opened.push(store)
  const closing = new AbortController()
  let refreshes = 0
  const view = {
    getJob: store.view.getJob,
    onChange: store.view.onChange,
    refresh: async () => {
      refreshes++
    },
  }
  const waits = createWaits({ clock, store: { view, jobs: store.jobs } }, closing.signal)
  const job = (): Promise<Job> => {
    const subject = { kind: 'vm', id: 'vm1', name: 'web01' } as const
    return store.jobs.create({ operation: 'vm.start', subject, by: 'http', params: null, locks: [] })
  }
  const woken: string[] = []
  const wait = (name: string, blockers: readonly Job[], signal = new AbortController().signal, own = name) => {
    const waited = waits.untilFree(
      own,
      blockers.map(({ id }) => id),
      signal,
    )
    return waited.then(
      () => void woken.push(name),
      (error: Error) => void woken.push(`${name}: ${error.message}`),
    )
  }
  return { clock, store, waits, job, woken, wait, closing, refreshes: () => refreshes }
}

describe('jobs that wait for others', () => {
  test('are woken by the end of the one that they wait for, without any time going by, and others are not', async () => {
    const { clock, store, job, woken, wait } = await setUp()
    const [one, other] = [await job(), await job()]
    void wait('a', [one])
    void wait('b', [other])
    await store.jobs.update(one.id, { state: 'done' })
    await clock.advance(0)
    expect(woken).toEqual(['a'])
    store.jobs.progress(other.id, { progress: 0.5 })
    await clock.advance(0)
    expect(woken).toEqual(['a'])
    await store.jobs.discard(other.id)
    await clock.advance(0)
    expect(woken).toEqual(['a', 'b'])
    await clock.advance(200)
    expect(clock.sleepers).toBe(0)
  })

  test('are told when one of them is stuck, or has let go of what it holds', async () => {
    const { clock, store, waits, job, woken, wait } = await setUp()
    const [one, other] = [await job(), await job()]
    void wait('a', [one])
    void wait('b', [other])
    await store.jobs.update(one.id, { state: 'stuck', message: 'it hangs' })
    waits.released(other.id)
    await clock.advance(0)
    expect(woken.sort()).toEqual(['a', 'b'])
  })

  test('what had ended before they began to wait is not missed', async () => {
    const { clock, store, job, woken, wait } = await setUp()
    const one = await job()
    await store.jobs.update(one.id, { state: 'done' })
    await clock.advance(0)
    void wait('a', [one])
    await clock.advance(0)
    expect(woken).toEqual(['a'])
  })

  test('200 that wait look together at what other processes write, and each asks again after a while all the same', async () => {
    const { clock, job, woken, wait, refreshes } = await setUp()
    const one = await job()
    for (let index = 0; index < 200; index++) void wait(String(index), [one])
    await clock.advance(1_500)
    expect(woken).toEqual([])
    expect(refreshes()).toBe(10)
    await clock.advance(1_000)
    expect(woken).toHaveLength(200)
    expect(refreshes()).toBeLessThanOrEqual(17)
  })

  test('a cancel ends the waiting at once, one by another process with the next look', async () => {
    const { clock, store, job, woken, wait } = await setUp()
    const [one, own] = [await job(), await job()]
    const abort = new AbortController()
    void wait('a', [one], abort.signal)
    void wait('b', [one], undefined, own.id)
    abort.abort(new Error('cancelled'))
    await store.jobs.requestCancel(own.id)
    await clock.advance(150)
    expect(woken).toEqual(['a: cancelled', 'b'])
  })

  test('a job that this process has not heard of yet is asked for with the next look, and not at once again', async () => {
    const { clock, job, woken, wait } = await setUp()
    const one = await job()
    void wait('a', [{ ...one, id: 'elsewhere' }])
    await clock.advance(100)
    expect(woken).toEqual([])
    await clock.advance(50)
    expect(woken).toEqual(['a'])
  })
})
