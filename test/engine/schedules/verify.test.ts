import { expect, test } from 'bun:test'
import { createScheduler } from '../../../src/engine/schedules.ts'
import type { Job } from '../../../src/model/job.ts'
import { aBackup } from '../../support/sites/backups.ts'
import { DAY_MS, furnish } from '../../support/sites/schedulePlace.ts'
import { newPlace } from '../store/samples.ts'

test('the good ones are read back, the longest unchecked first, each once, and what is found is told', async () => {
  await using place = newPlace()
  const { store, clock, vm, storlink, schedule } = await furnish(place, { what: 'verify' })
  const of = { vm, vmName: 'web01', storlink }
  const base = aBackup({ ...of, name: 'base', createdAt: 1, checkedAt: 300 })
  const above = aBackup({ ...of, name: 'above', createdAt: 2, checkedAt: 200, parent: base.uuid, depth: 1 })
  const old = aBackup({ ...of, name: 'old', createdAt: 3, checkedAt: 100 })
  const bad = aBackup({ ...of, name: 'bad', createdAt: 4, checkedAt: 50, state: 'failed' })
  for (const backup of [base, above, old, bad]) await store.inventory.putBackup(backup)
  const read: string[] = []
  const scheduler = createScheduler({
    store,
    clock,
    async run(operation, { backup }) {
      const { uuid, name } = store.view.needBackup(String(backup))
      read.push(`${operation} ${name}`)
      if (uuid === old.uuid) return { state: 'undone', message: 'it is not what it was' } as Job
      for (const one of [above, base]) await store.inventory.putBackup({ ...one, checkedAt: clock.now() })
      return { state: 'done', message: '' } as Job
    },
  })
  clock.turn(DAY_MS)
  await scheduler.tick()
  expect(read).toEqual(['backup.verify old', 'backup.verify above'])
  expect(store.view.needSchedule(schedule.uuid).problem).toBe('web01/old: it is not what it was')
})
