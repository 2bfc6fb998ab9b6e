import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { isDead } from '../../../src/engine/store/jobs/processes.ts'
import { newUuid } from '../../../src/lib/ids.ts'
import { isOver } from '../../../src/model/job.ts'
import { until } from '../../support/until.ts'
import { aJob, failureOf, newPlace } from './samples.ts'

const STEPS = [
  { name: 'make disk', pivot: false, undoable: true },
  { name: 'start', pivot: true, undoable: false },
]

test('a job comes back whole after the next opening', async () => {
  await using place = newPlace()
  const store = await place.open()
  const subject = newUuid()
  const job = await store.jobs.create(aJob(subject, { secrets: { vncPassword: 'abcdefgh' } }))
  expect(job).toMatchObject({ number: 1, state: 'queued', progress: 0, acknowledged: false })
  await store.jobs.update(job.id, { state: 'running', startedAt: 5 })
  await store.jobs.recordPlan(job.id, { facts: { uuid: 'x' }, steps: STEPS, secrets: { token: 't' } })
  await store.jobs.appendEvent(job.id, { step: 0, name: 'make disk', kind: 'started' })
  await store.jobs.appendEvent(job.id, { step: 0, name: 'make disk', kind: 'succeeded', output: { path: '/srv/x' } })
  const seq = await store.jobs.appendCommand(job.id, { host: 'xen1', line: 'xl create', at: 7, output: '' })
  await store.jobs.finishCommand(job.id, seq, { tookMs: 12.5, exit: 1, output: 'no memory' })
  await store.close()

  const { jobs, view } = await place.open()
  const stored = await jobs.load(job.id)
  expect(stored.job).toEqual(view.needJob(job.id))
  expect(stored.job).toMatchObject({ state: 'running', startedAt: 5, stepCount: 2, pivotIndex: 1 })
  expect(stored).toMatchObject({
    params: { vm: subject },
    facts: { uuid: 'x' },
    plan: STEPS,
    locks: [{ key: `vm:${subject}`, mode: 'exclusive' }],
    cancelRequested: false,
  })
  expect(stored.owner).toBeUndefined()
  expect(stored.events.map(({ seq, kind, output }) => [seq, kind, output as unknown])).toEqual([
    [1, 'started', undefined],
    [2, 'succeeded', { path: '/srv/x' }],
  ])
  expect(await jobs.secrets(job.id)).toEqual({ vncPassword: 'abcdefgh', token: 't' })
  const detail = await jobs.detail(job.id)
  expect(detail.commands).toEqual([
    { seq: 1, host: 'xen1', line: 'xl create', at: 7, tookMs: 12.5, exit: 1, output: 'no memory' },
  ])
  expect(detail.steps).toEqual(STEPS)
  expect(await failureOf(jobs.load(newUuid()))).toContain('notFound:')
})

test('with the end of a job its locks go, and its secrets leave no trace in the file', async () => {
  await using place = newPlace()
  const store = await place.open()
  const secret = 'Zq7-unmistakable'
  const job = await store.jobs.create(aJob(newUuid(), { secrets: { vncPassword: secret } }))
  await store.locks.acquire(job.id, [{ key: 'vm:a', mode: 'exclusive' }])
  await store.jobs.update(job.id, { state: 'stuck' })
  expect(place.locks()).toHaveLength(1)
  expect(await store.jobs.secrets(job.id)).toEqual({ vncPassword: secret })
  await store.jobs.update(job.id, { state: 'kept', finishedAt: 9, result: { a: 1 } })
  expect(place.locks()).toEqual([])
  expect(await store.jobs.secrets(job.id)).toEqual({})
  expect((await store.jobs.load(job.id)).result).toEqual({ a: 1 })
  await store.close()
  expect(await Bun.file(place.path).text()).not.toContain(secret)
  expect(await Bun.file(`${place.path}-wal`).exists()).toBe(false)
})

test('a patch changes what it names, clears what it names as undefined, and leaves the rest', async () => {
  await using place = newPlace()
  const { jobs, view } = await place.open()
  const { id } = await jobs.create(aJob())
  await jobs.update(id, { queuePosition: 3, message: 'waits', code: 'busy' })
  await jobs.update(id, { queuePosition: undefined, code: undefined, acknowledged: true })
  expect(view.needJob(id)).toMatchObject({ message: 'waits', acknowledged: true, state: 'queued' })
  expect(view.needJob(id).queuePosition).toBeUndefined()
  expect(view.needJob(id).code).toBeUndefined()
  expect(await failureOf(jobs.update(newUuid(), { message: '' }))).toContain('notFound:')
})

test('of two that take up one stuck job, one does', async () => {
  await using place = newPlace()
  const here = await place.open()
  const there = await place.open()
  const { id } = await here.jobs.create(aJob())
  await here.jobs.update(id, { state: 'stuck' })
  const won = await Promise.all([here, there].map((store) => store.jobs.update(id, { state: 'running' }, ['stuck'])))
  expect(won.filter(Boolean)).toHaveLength(1)
  const winner = won[0] ? here : there
  expect((await here.jobs.load(id)).owner).toEqual(winner.controller)
})

test('progress is seen here at once and by others soon', async () => {
  await using place = newPlace()
  const here = await place.open()
  const there = await place.open()
  const { id } = await here.jobs.create(aJob())
  for (let done = 0; done <= 100; done++) here.jobs.progress(id, { progress: done / 100, step: `copy: ${done} %` })
  expect(here.view.needJob(id)).toMatchObject({ progress: 1, step: 'copy: 100 %' })
  await until(async () => {
    await there.view.refresh()
    return there.view.getJob(id)?.progress === 1
  }, 'progress in the other')
  here.jobs.progress(id, { step: 'nearly' })
  await here.jobs.update(id, { state: 'done' })
  expect(here.view.needJob(id)).toMatchObject({ progress: 1, step: 'nearly', state: 'done' })
})

test('a cancel reaches the owner in another process, and is answered by the end', async () => {
  await using place = newPlace()
  const owner = await place.open()
  const { id } = await owner.jobs.create(aJob())
  const other = await place.open()
  await other.jobs.requestCancel(id)
  expect(owner.jobs.cancelRequested(id)).toBe(false)
  await owner.view.refresh()
  expect(owner.jobs.cancelRequested(id)).toBe(true)
  await owner.jobs.update(id, { state: 'running' })
  expect(owner.jobs.cancelRequested(id)).toBe(true)
  await owner.jobs.update(id, { state: 'stuck' })
  expect(owner.jobs.cancelRequested(id)).toBe(false)
})

test('what a closed store leaves unfinished is taken by one other; what a living one does is not', async () => {
  await using place = newPlace()
  const first = await place.open()
  const left = await first.jobs.create(aJob())
  await first.locks.acquire(left.id, left ? [{ key: 'vm:a', mode: 'exclusive' }] : [])
  await first.close()
  const second = await place.open()
  const busy = await second.jobs.create(aJob())
  const third = await place.open()
  const claims = await Promise.all([second.jobs.claimJobs(), third.jobs.claimJobs()])
  expect(claims.flat().map((stored) => stored.job.id)).toEqual([left.id])
  const claimer = claims[0]!.length > 0 ? second : third
  expect((await claimer.jobs.load(left.id)).owner).toEqual(claimer.controller)
  expect((await third.jobs.load(busy.id)).owner).toEqual(second.controller)
  expect(await claimer.locks.acquire(left.id, [{ key: 'vm:a', mode: 'exclusive' }])).toEqual({ granted: true })
  expect(await third.jobs.claimJobs()).toEqual([])
})

test('an owner is dead when its process is gone, its number is another now, or the machine was started again', async () => {
  await using place = newPlace()
  const { controller } = await place.open()
  const child = Bun.spawn(['true'])
  await child.exited
  expect(isDead(controller)).toBe(false)
  expect(isDead({ ...controller, pid: child.pid })).toBe(true)
  expect(isDead({ ...controller, startTicks: controller.startTicks - 1 })).toBe(true)
  expect(isDead({ ...controller, machineBootId: newUuid() })).toBe(true)
  expect(isDead({ ...controller, pid: child.pid, pidNamespace: 'pid:[1]' })).toBe(false)
})

test('the oldest jobs that are over are forgotten, numbers and unfinished ones never', async () => {
  await using place = newPlace()
  const store = await place.open()
  const ids: string[] = []
  for (let count = 0; count < 30; count++) {
    const { id } = await store.jobs.create(aJob())
    await store.jobs.appendEvent(id, { step: 0, name: 'x', kind: 'started' })
    if (count !== 3) await store.jobs.update(id, { state: 'done' })
    ids.push(id)
  }
  const other = await place.open()
  await store.jobs.prune(10)
  await other.view.refresh()
  for (const { view } of [store, other]) {
    expect(view.jobs().map((job) => job.number)).toEqual([30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 4])
  }
  const file = new Database(place.path, { readonly: true })
  expect(file.query('select count(*) as n from jobEvents').get()).toEqual({ n: 11 })
  file.close()
  await store.jobs.discard(ids[29]!)
  expect((await store.jobs.create(aJob())).number).toBe(31)
  expect(store.view.getJob(ids[29]!)).toBeUndefined()
})

test('memory holds the newest thousand jobs and all that are not over', async () => {
  await using place = newPlace()
  const store = await place.open()
  const oldest = await store.jobs.create(aJob())
  await store.close()
  const file = new Database(place.path)
  const { columns } = file
    .query(
      "select group_concat(name) as columns from pragma_table_info('jobs') where name not in ('id', 'number', 'state')",
    )
    .get() as { columns: string }
  const quoted = columns
    .split(',')
    .map((column) => `"${column}"`)
    .join(',')
  file.run(
    `with recursive n(i) as (select 2 union all select i + 1 from n where i < 1500)
     insert into jobs (id, number, state, ${quoted}) select 'job' || i, i, 'done', ${quoted} from n, jobs where number = 1`,
  )
  file.run("update counters set value = 1500 where name = 'job'")
  file.close()
  const { view, jobs } = await place.open()
  expect(view.jobs()).toHaveLength(1_001)
  expect(view.jobs().at(-1)?.id).toBe(oldest.id)
  for (let count = 0; count < 150; count++) {
    const { id } = await jobs.create(aJob())
    await jobs.update(id, { state: 'done' })
  }
  expect(view.jobs().length).toBeLessThanOrEqual(1_101)
  expect(view.jobs()[0]!.number).toBe(1_650)
  expect(
    view
      .jobs()
      .filter((job) => !isOver(job.state))
      .map((job) => job.id),
  ).toEqual([oldest.id])
})

test('what is asked again and again stands there once, as it was asked last; what changes something each time', async () => {
  await using place = newPlace()
  const { jobs } = await place.open()
  const { id } = await jobs.create(aJob())
  const ran = async (line: string, end: { exit?: number; polls?: boolean }) => {
    const seq = await jobs.appendCommand(id, { host: 'xen1', line, at: 7, output: '' })
    await jobs.finishCommand(id, seq, { tookMs: 1, output: '', ...end })
  }
  const lines = async () => (await jobs.detail(id)).commands.map(({ line, exit }) => `${line} ${exit}`)
  await ran('xl list', { exit: 0, polls: true })
  for (const _ of [1, 2]) await ran('xl create', { exit: 1 })
  for (let round = 0; round < 200; round++) {
    await ran('xl list', { exit: 0, polls: true })
    await ran('xenstore-read', { exit: round < 150 ? 1 : 0, polls: true })
  }
  expect(await lines()).toEqual(['xl create 1', 'xl create 1', 'xenstore-read 1', 'xl list 0', 'xenstore-read 0'])
})
