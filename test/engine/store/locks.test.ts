import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { LockRequest, LockRows } from '../../../src/engine/store/jobs/locks.ts'
import { openStore } from '../../../src/engine/store/store.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { aJob, failureOf, newPlace } from './samples.ts'

const exclusive = (key: string): LockRequest => ({ key, mode: 'exclusive' })
const shared = (key: string): LockRequest => ({ key, mode: 'shared' })

test('shared ones go together, exclusive ones alone, and all or nothing', async () => {
  await using place = newPlace()
  const here = await place.open()
  const there = await place.open()
  const a = (await here.jobs.create(aJob())).id
  const b = (await there.jobs.create(aJob())).id
  const c = (await here.jobs.create(aJob())).id
  expect(await here.locks.acquire(a, [shared('pm:1'), exclusive('vm:1')])).toEqual({ granted: true })
  expect(await there.locks.acquire(b, [shared('pm:1'), exclusive('vm:2')])).toEqual({ granted: true })
  expect(await here.locks.acquire(c, [exclusive('pm:1'), exclusive('vm:3')])).toEqual({
    granted: false,
    position: 1,
    waitsFor: [a, b],
  })
  const held = place.locks().filter((lock) => lock.state === 'held')
  expect(held.map((lock) => lock.key).sort()).toEqual(['pm:1', 'pm:1', 'vm:1', 'vm:2'])
  await here.locks.release(a)
  await there.locks.release(b)
  expect(await here.locks.acquire(c, [exclusive('pm:1'), exclusive('vm:3')])).toEqual({ granted: true })
})

test('a waiting exclusive lock is not overtaken by later shared ones', async () => {
  await using place = newPlace()
  const { jobs, locks } = await place.open()
  const [reader, writer, late, elsewhere] = await Promise.all(
    [1, 2, 3, 4].map(async () => (await jobs.create(aJob())).id),
  )
  await locks.acquire(reader!, [shared('pm:1')])
  await locks.acquire(writer!, [exclusive('pm:1')])
  expect(await locks.acquire(late!, [shared('pm:1')])).toEqual({ granted: false, position: 2, waitsFor: [writer!] })
  expect(await locks.acquire(elsewhere!, [shared('pm:2')])).toEqual({ granted: true })
  await locks.release(reader!)
  expect((await locks.acquire(late!, [shared('pm:1')])).granted).toBe(false)
  expect((await locks.acquire(writer!, [exclusive('pm:1')])).granted).toBe(true)
  expect(await locks.acquire(late!, [shared('pm:1')])).toEqual({ granted: false, position: 1, waitsFor: [writer!] })
  await locks.release(writer!)
  expect((await locks.acquire(late!, [shared('pm:1')])).granted).toBe(true)
})

test('asking again for what is held is granted, for more it is refused', async () => {
  await using place = newPlace()
  const { jobs, locks } = await place.open()
  const { id } = await jobs.create(aJob())
  await locks.acquire(id, [exclusive('a'), shared('b'), exclusive('b')])
  expect(await locks.acquire(id, [shared('a'), exclusive('b')])).toEqual({ granted: true })
  expect(await failureOf(locks.acquire(id, [exclusive('c')]))).toContain('internal:')
  await jobs.update(id, { state: 'done' })
  expect(await failureOf(locks.acquire(id, [exclusive('a')]))).toContain('is over')
})

/** What a run of the property does: a job asks (again), or gives back. */
type Move = { readonly job: number; readonly act: 'ask' | 'release' }

test('whatever is asked and given back in whatever order: never two that conflict, none overtaken, none for ever', async () => {
  const requests = fc.uniqueArray(
    fc.record({ key: fc.constantFrom('a', 'b', 'c'), mode: fc.constantFrom('exclusive' as const, 'shared' as const) }),
    { minLength: 1, maxLength: 3, selector: (request) => request.key },
  )
  const moves = fc.array(fc.record({ job: fc.nat(4), act: fc.constantFrom('ask' as const, 'release' as const) }), {
    maxLength: 40,
  })
  await fc.assert(
    fc.asyncProperty(fc.array(requests, { minLength: 5, maxLength: 5 }), moves, async (wanted, course) => {
      const store = await openStore({ at: 'memory', clock: systemClock })
      try {
        await runCourse(store, wanted, course)
      } finally {
        await store.close()
      }
    }),
    { numRuns: 60 },
  )
})

async function runCourse(
  { jobs, locks }: Awaited<ReturnType<typeof openStore>>,
  wanted: readonly LockRequest[][],
  course: readonly Move[],
): Promise<void> {
  const ids: string[] = []
  for (const _ of wanted) ids.push((await jobs.create(aJob())).id)
  const state = new Map<number, 'waiting' | 'held' | 'gone'>()
  const conflict = (one: number, other: number) =>
    wanted[one]!.some((a) =>
      wanted[other]!.some((b) => a.key === b.key && (a.mode === 'exclusive' || b.mode === 'exclusive')),
    )
  const inState = (wantedState: string) => [...state].filter(([, now]) => now === wantedState).map(([job]) => job)

  async function ask(job: number): ReturnType<LockRows['acquire']> {
    const inTheWay = [
      ...inState('held').filter((other) => other !== job && conflict(job, other)),
      ...inState('waiting').filter((other) => other < job && conflict(job, other)),
    ]
    const answer = await locks.acquire(ids[job]!, wanted[job]!)
    if (state.get(job) === 'held') expect(answer.granted).toBe(true)
    else if (answer.granted) expect(inTheWay).toEqual([])
    else expect([...answer.waitsFor].sort()).toEqual(inTheWay.map((other) => ids[other]!).sort())
    state.set(job, answer.granted ? 'held' : 'waiting')
    return answer
  }

  async function release(job: number): Promise<void> {
    await locks.release(ids[job]!)
    state.set(job, 'gone')
  }

  for (const { job, act } of course) {
    if (state.get(job) === 'gone') continue
    if (act === 'ask') await ask(job)
    else if (state.get(job) === 'held') await release(job)
  }
  // Let it run out: who holds gives back, who waits asks again; everybody must get his turn.
  for (let round = 0; inState('held').length + inState('waiting').length > 0; round++) {
    expect(round).toBeLessThan(wanted.length + 1)
    for (const job of inState('held')) await release(job)
    for (const job of inState('waiting').sort()) await ask(job)
  }
  const last = await jobs.create(aJob())
  expect(await locks.acquire(last.id, ['a', 'b', 'c'].map(exclusive))).toEqual({ granted: true })
}
