import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine, type Engine } from '../../src/engine/engine.ts'
import type { Moment } from '../../src/engine/jobs/context.ts'
import { adoptRunning, makeStorlink, makeVm, pmNamed } from '../support/sites/acts.ts'
import { openWorld, type World } from '../support/sites/world.ts'
import { until } from '../support/until.ts'
import { makeSharedVm } from './operations/cases/migrateCases.ts'

/** Two that live on one store and one site, and jobs that meet. */

let dir: string
let world: World
let other: Engine
/** What is done when a job of the first comes by; to hold it there. */
let atMoment: (moment: Moment) => Promise<void> | void

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'pengx-two-'))
  atMoment = () => undefined
  world = await openWorld(
    { intercept: (moment) => atMoment(moment) },
    { db: join(dir, 'pengx.db'), state: join(dir, 'site.json') },
  )
  other = await openBeside()
})

afterEach(async () => {
  await other.close()
  await world.close()
  rmSync(dir, { recursive: true, force: true })
})

/** Another process's engine, which comes to the same store and site, and recovers. */
async function openBeside(): Promise<Engine> {
  return await createEngine({
    store: { path: join(dir, 'pengx.db') },
    destinations: [],
    local: false,
    readOnly: false,
    recovers: true,
    knownHostsPath: '/nonexistent/known_hosts',
    watch: 'never',
    sim: { host: world.site.host, pmNames: world.site.pmNames.slice(0, 2) },
  })
}

async function begin(engine: Engine, operation: string, raw: Readonly<Record<string, unknown>>): Promise<string> {
  return (await engine.start(operation, engine.decode(operation, raw), 'cli')).id
}

/** Holds an operation at a moment, until it is let go. */
function holdAt(operation: string, phase: Moment['phase'], step = 0) {
  const reached = Promise.withResolvers<void>()
  const open = Promise.withResolvers<void>()
  atMoment = async (moment) => {
    if (moment.operation !== operation || moment.phase !== phase || moment.step !== step) return
    reached.resolve()
    await open.promise
  }
  return { reached: reached.promise, letGo: open.resolve }
}

test('a cancel that comes from elsewhere while the pivot is at work ends nothing behind it', async () => {
  const { uuid } = await adoptRunning(world)
  const held = holdAt('vm.reset', 'after')
  const job = await begin(world.engine, 'vm.reset', { vm: uuid })
  await held.reached
  await other.cancel(job)
  // Longer than it takes to be heard.
  await Bun.sleep(1_200)
  held.letGo()
  expect((await world.engine.finished(job)).job).toMatchObject({ state: 'done' })
  await world.engine.look()
  expect(world.engine.view.needVm(uuid).seen.state).toBe('running')
}, 30_000)

test('a cancel that comes from elsewhere before the pivot takes it back', async () => {
  const { uuid } = await makeVm(world)
  const held = holdAt('vm.start', 'before')
  const job = await begin(world.engine, 'vm.start', { vm: uuid })
  await held.reached
  await other.cancel(job)
  await Bun.sleep(1_200)
  held.letGo()
  expect((await world.engine.finished(job)).job).toMatchObject({ state: 'cancelled' })
  expect(world.site.domain('fresh')).toBeUndefined()
}, 30_000)

test('what waits behind a migration locks the PM to which the VM has gone', async () => {
  const { uuid } = await makeSharedVm(world)
  const held = holdAt('vm.migrate', 'before')
  const migration = await begin(world.engine, 'vm.migrate', { vm: uuid, pm: pmNamed(world, 'xen2') })
  await held.reached
  const start = await begin(world.engine, 'vm.start', { vm: uuid })
  held.letGo()
  expect((await world.engine.finished(migration)).job).toMatchObject({ state: 'done' })
  expect((await world.engine.finished(start)).job).toMatchObject({ state: 'done' })
  expect(world.site.domainsOn('xen2').map(({ name }) => name)).toContain('fresh')
}, 30_000)

test('who lives keeps its job, whoever else comes to recover', async () => {
  const { uuid } = await adoptRunning(world)
  const held = holdAt('vm.suspend', 'before')
  const job = await begin(world.engine, 'vm.suspend', { vm: uuid })
  await held.reached
  await other.recovery.over
  const third = await openBeside()
  try {
    await third.recovery.over
    expect(await third.recovery.begun).toEqual([])
    expect(third.view.getJob(job)?.state).toBe('running')
  } finally {
    await third.close()
  }
  held.letGo()
  expect((await world.engine.finished(job)).job).toMatchObject({ state: 'done' })
  const { events } = await world.engine.jobDetail(job)
  expect(events.map(({ kind }) => kind)).toEqual(['started', 'succeeded'])
}, 30_000)

test('of two on one VM the later one waits, and is judged by what the first has left', async () => {
  const { uuid } = await adoptRunning(world)
  const held = holdAt('vm.suspend', 'before')
  const first = await begin(world.engine, 'vm.suspend', { vm: uuid })
  await held.reached
  const second = await begin(other, 'vm.poweroff', { vm: uuid })
  const third = await begin(other, 'vm.suspend', { vm: uuid })
  expect(other.view.getJob(second)).toMatchObject({ state: 'queued', queuePosition: 1 })
  expect(other.view.getJob(third)).toMatchObject({ state: 'queued', queuePosition: 2 })
  held.letGo()
  expect((await world.engine.finished(first)).job.state).toBe('done')
  expect((await other.finished(second)).job.state).toBe('done')
  const last = (await other.finished(third)).job
  expect(last).toMatchObject({ state: 'undone', message: expect.stringContaining('nothing had been done') })
}, 30_000)

test('two on one PM and one storlink do not wait for each other', async () => {
  const storlink = await makeStorlink(world)
  const common = { memory: 256, vcpus: 1, diskSize: 64, bridges: 'xenbr0', storlink }
  const held = holdAt('vm.create', 'before')
  const first = await begin(world.engine, 'vm.create', { ...common, name: 'one' })
  await held.reached
  const second = await begin(other, 'vm.create', { ...common, name: 'two' })
  expect((await other.finished(second)).job.state).toBe('done')
  held.letGo()
  expect((await world.engine.finished(first)).job.state).toBe('done')
  await until(() => world.engine.view.vmsNamed('two').length === 1)
}, 30_000)
