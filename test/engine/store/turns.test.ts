import { expect, test } from 'bun:test'
import { openStore } from '../../../src/engine/store/store.ts'
import { systemClock } from '../../../src/lib/clock.ts'

/** SQLite works within its calls: transactions behind each other were one piece of work, and nobody else had a turn. */
test('200 jobs that begin and end at once leave others their turn, and each keeps its order', async () => {
  const store = await openStore({ at: 'memory', clock: systemClock })
  let rounds = 0
  let isOver = false
  const count = () => {
    rounds++
    if (!isOver) setTimeout(count, 0)
  }
  const live = async () => {
    const subject = { kind: 'vm', id: 'vm1', name: 'web01' } as const
    const { id } = await store.jobs.create({ operation: 'vm.start', subject, by: 'http', params: null, locks: [] })
    await store.jobs.update(id, { state: 'running' })
    for (const kind of ['started', 'succeeded'] as const) await store.jobs.appendEvent(id, { step: 0, name: 'a', kind })
    await store.jobs.update(id, { state: 'done' })
    return id
  }
  try {
    setTimeout(count, 0)
    const ids = await Promise.all(Array.from({ length: 200 }, live))
    // More than a thousand transactions do not fit into so few slices on any machine.
    expect(rounds).toBeGreaterThan(3)
    for (const id of ids) {
      const { job, events } = await store.jobs.load(id)
      expect([job.state, ...events.map(({ kind }) => kind)]).toEqual(['done', 'started', 'succeeded'])
    }
  } finally {
    isOver = true
    await store.close()
  }
})
