import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '../../src/engine/store/store.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Json } from '../../src/model/json.ts'
import { makeVm } from '../support/sites/acts.ts'
import { openWorld, type WorldPlace } from '../support/sites/world.ts'

/** A job that another version of pengx has left at work: nothing is guessed, and a person is told what it had done. */
async function recoverLeft(operation: string, facts: Json, step: string) {
  const dir = mkdtempSync(join(tmpdir(), 'pengx-other-'))
  const place: WorldPlace = { db: join(dir, 'pengx.db'), state: join(dir, 'site.json') }
  try {
    const before = await openWorld({}, place)
    const { uuid: vm, name } = await makeVm(before)
    await before.close()
    const store = await openStore({ at: { path: place.db }, clock: systemClock })
    const { id } = await store.jobs.create({
      operation,
      subject: { kind: 'vm', id: vm, name },
      by: 'cli',
      params: { vm },
      locks: [],
    })
    await store.jobs.recordPlan(id, { facts, steps: [{ name: step, pivot: false, undoable: true }] })
    await store.jobs.update(id, { state: 'running' })
    await store.jobs.appendEvent(id, { step: 0, name: step, kind: 'succeeded', output: null })
    await store.close()
    const after = await openWorld({}, place)
    await after.engine.finished(id)
    const { state, message } = after.engine.view.needJob(id)
    await after.close()
    return `${state}: ${message}`
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

test('an operation that this version does not have', async () => {
  expect(await recoverLeft('vm.polish', {}, 'polish xvda')).toBe(
    'stuck: this pengx does not know the operation vm.polish; it had done: polish xvda',
  )
})

test('a plan that this version would not make', async () => {
  expect(
    await recoverLeft('vm.reset', { uuid: '', pm: '', name: 'web01', domid: 7, configPath: '' }, 'polish xvda'),
  ).toBe('stuck: another version of pengx planned it otherwise; it had done: polish xvda')
})

test('facts that this version does not know', async () => {
  expect(await recoverLeft('snapshot.delete', { name: 'before' }, 'merge xvda of before')).toBe(
    'stuck: another version of pengx found other facts for it than this one knows; it had done: merge xvda of before',
  )
})
