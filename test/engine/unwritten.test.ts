import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EngineConfig } from '../../src/engine/engine.ts'
import type { Host } from '../../src/engine/host/host.ts'
import { run } from '../../src/engine/host/run.ts'
import { withRecord } from '../../src/engine/jobs/recorded.ts'
import type { JobRows } from '../../src/engine/store/jobs/jobRows.ts'
import { openStore } from '../../src/engine/store/store.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { newUuid } from '../../src/lib/ids.ts'
import { PengxError } from '../../src/model/error.ts'
import { type HeldStore, holdStore } from '../support/heldStore.ts'
import { adoptRunning, makeStorlink, makeVm, NEW_VM } from '../support/sites/acts.ts'
import { openWorld, type World, type WorldPlace } from '../support/sites/world.ts'
import { until } from '../support/until.ts'
import { TEMPLATE_CASES } from './operations/cases/templateCases.ts'

/** A store that cannot be written for a while: what is at work waits for it, and everybody else is told. */

let place: WorldPlace
let dir: string
let world: World | undefined
let held: HeldStore | undefined

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pengx-unwritten-'))
  place = { db: join(dir, 'pengx.db'), state: join(dir, 'site.json') }
})
afterEach(async () => {
  held?.release()
  await world?.close().catch(() => undefined)
  world = undefined
  rmSync(dir, { recursive: true, force: true })
})

async function open(more: Partial<EngineConfig> = {}): Promise<World> {
  world = await openWorld(more, place)
  return world
}

const hold = async () => {
  held = await holdStore(place.db)
}

async function failureOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'it did not fail',
    (error: PengxError) => `${error.code}: ${error.message}`,
  )
}

/** What is on disk of a job, as another process sees it. */
async function onDisk(id: string) {
  const store = await openStore({ at: { path: place.db }, clock: systemClock })
  try {
    const { job, events } = await store.jobs.load(id)
    return { state: job.state, events: events.map(({ name, kind }) => `${kind} ${name}`) }
  } finally {
    await store.close()
  }
}

test('a job whose journal cannot be written goes no further, says so, and is done when it can be', async () => {
  let isArmed = false
  const { engine, site } = await open({
    intercept: async ({ operation, phase, step }) => {
      if (!isArmed || operation !== 'vm.create' || phase !== 'after' || step !== 1) return
      isArmed = false
      await hold()
    },
  })
  const params = engine.decode('vm.create', { ...NEW_VM, storlink: await makeStorlink(world!) })
  isArmed = true
  const { id, number } = await engine.start('vm.create', params, 'cli')
  const waiting = failureOf(engine.finished(id))
  await until(() => engine.view.storeTrouble, 'that the store is in trouble')
  expect(engine.view.storeTrouble).toMatchObject({ code: 'busy', why: 'another process holds it' })
  await until(() => engine.view.needJob(id).step === 'waits for the store: another process holds it')
  const before = Object.keys(site.filesOn('xen1'))
  expect(await waiting).toMatch(
    new RegExp(
      `^busy: job ${number} \\(vm\\.create fresh\\) waits for the store, which cannot be written since ..:..:..: another process ` +
        'holds it\\. It goes on as soon as that is over, here or at the next start of pengx; `pengx jobs` shows it$',
    ),
  )
  // One that asks only now is not kept waiting either, and nothing was done meanwhile that the journal does not announce.
  expect(await failureOf(engine.finished(id))).toStartWith('busy: job ')
  expect(engine.view.needJob(id).state).toBe('running')
  expect(Object.keys(site.filesOn('xen1'))).toEqual(before)
  held?.release()
  await until(() => engine.view.storeTrouble === undefined)
  const { job } = await engine.finished(id)
  expect(job.state).toBe('done')
  expect(job.step).not.toContain('waits')
  expect(engine.view.storeTrouble).toBeUndefined()
  const { state, events } = await onDisk(id)
  expect(state).toBe('done')
  const begun = events.filter((event) => event.startsWith('started')).map((event) => event.slice('started '.length))
  expect(begun.length).toBeGreaterThan(3)
  expect(events).toEqual(begun.flatMap((name) => [`started ${name}`, `succeeded ${name}`]))
})

test('what is undone waits for the store too, and so does who waits for its turn; closing waits for neither', async () => {
  const gate = Promise.withResolvers<void>()
  let isArmed = false
  const { engine } = await open({
    intercept: async ({ operation, phase, step }) => {
      if (!isArmed || operation !== 'vm.create' || phase !== 'before' || step !== 2) return
      isArmed = false
      await gate.promise
      await hold()
      throw new PengxError('commandFailed', 'the disk is worn out')
    },
  })
  const storlink = await makeStorlink(world!)
  isArmed = true
  const params = engine.decode('vm.create', { ...NEW_VM, storlink })
  const failing = await engine.start('vm.create', params, 'cli')
  const queued = await engine.start(
    'vm.create',
    engine.decode('vm.create', { ...NEW_VM, storlink, uuid: newUuid() }),
    'cli',
  )
  expect(queued.state).toBe('queued')
  gate.resolve()
  const waits = 'waits for the store: another process holds it'
  await until(() => [failing, queued].every(({ id }) => engine.view.needJob(id).step === waits))
  held?.release()
  await until(() => engine.view.storeTrouble === undefined)
  expect((await engine.finished(failing.id)).job).toMatchObject({ state: 'undone', message: 'the disk is worn out' })
  expect((await engine.finished(queued.id)).job).toMatchObject({ state: 'done', subject: { name: 'fresh' } })
  expect(engine.view.vmsNamed('fresh')).toHaveLength(1)

  isArmed = true
  const last = await engine.start('vm.create', engine.decode('vm.create', { ...NEW_VM, name: 'last', storlink }), 'cli')
  await until(() => engine.view.needJob(last.id).step === waits)
  const before = performance.now()
  await engine.close()
  expect(performance.now() - before).toBeLessThan(2_000)
})

test('what has waited for long is not taken away where it may have been used since', async () => {
  const { engine, site } = await open({
    intercept: async ({ operation, phase, name }) => {
      if (operation === 'template.start' && phase === 'after' && name === 'create the domain') await hold()
    },
  })
  const given = await TEMPLATE_CASES.find(({ operation }) => operation === 'template.start')!.prepare(world!)
  const { id } = await engine.start('template.start', engine.decode('template.start', given), 'cli')
  expect(await failureOf(engine.finished(id))).toStartWith('busy: job ')
  const domains = site.domainsOn('xen1')
  await engine.cancel(id)
  held?.release()
  await until(() => engine.view.storeTrouble === undefined)
  const { job } = await engine.finished(id)
  expect(job.state).toBe('stuck')
  expect(job.message).toMatch(/is there \(running\), and may have been used since: trying again takes it away/)
  expect(site.domainsOn('xen1')).toEqual(domains)
})

test('what cannot be taken on is refused, and leaves no job', async () => {
  const { engine } = await open()
  const vm = await makeVm(world!)
  const count = engine.view.jobs().length
  await hold()
  const start = () => engine.start('vm.start', engine.decode('vm.start', { vm: vm.uuid }), 'cli')
  expect(await failureOf(start())).toBe(`busy: store ${place.db} has been held by another process for too long`)
  // That it is held is known by now, and nobody waits for what will not be.
  const before = performance.now()
  for (let round = 0; round < 10; round++) await failureOf(start())
  expect(performance.now() - before).toBeLessThan(5_000)
  expect(engine.view.jobs()).toHaveLength(count)
  held?.release()
  await until(() => engine.view.storeTrouble === undefined)
  const { job } = await engine.finished((await start()).id)
  expect(job.state).toBe('done')
})

test('one that had not begun when the store failed is refused, and is forgotten as soon as that can be written', async () => {
  const { engine } = await open()
  const vm = await makeVm(world!)
  const count = engine.view.jobs().length
  // The first command is a look, before anything is done: the job is there, and its plan is not.
  const stop = engine.onCommand(() => {
    stop()
    void hold()
  })
  const failure = await failureOf(engine.start('vm.start', engine.decode('vm.start', { vm: vm.uuid }), 'cli'))
  expect(failure).toBe(`busy: store ${place.db} has been held by another process for too long`)
  const [left] = engine.view.jobs()
  expect(left).toMatchObject({ state: 'queued', step: 'waits for the store: another process holds it' })
  held?.release()
  await until(() => engine.view.jobs().length === count)
  expect(await failureOf(onDisk(left!.id))).toStartWith('notFound: ')
})

test('what is seen meanwhile is shown, no PM is called down for it, and it is written afterwards', async () => {
  const { engine, site } = await open()
  const vm = await adoptRunning(world!)
  const pm = engine.view.needPm(vm.pm)
  await hold()
  await run(site.host(pm.name), { argv: ['xl', 'destroy', String(vm.seen.domid)], effect: 'change' })
  await engine.look()
  expect(engine.view.needVm(vm.uuid).seen.state).toBe('shutdown')
  expect(engine.view.storeTrouble?.code).toBe('busy')
  expect(engine.view.pms().map(({ seen }) => seen.reach)).toEqual(engine.view.pms().map(() => 'up'))
  held?.release()
  await until(() => engine.view.storeTrouble === undefined)
  await engine.look()
  const other = await openStore({ at: { path: place.db }, clock: systemClock })
  expect(other.view.needVm(vm.uuid).seen.state).toBe('shutdown')
  await other.close()
})

test('opened while another holds it, it shows what is there, and takes over what was left as soon as it can', async () => {
  const before = await open()
  const vm = await makeVm(before)
  await before.close()
  const store = await openStore({ at: { path: place.db }, clock: systemClock })
  const subject = { kind: 'vm', id: vm.uuid, name: vm.name } as const
  const { id } = await store.jobs.create({ operation: 'vm.start', subject, by: 'cli', params: {}, locks: [] })
  await store.jobs.update(id, { state: 'running' })
  await store.close()
  await hold()
  const { engine } = await open()
  expect(engine.view.needVm(vm.uuid).name).toBe('fresh')
  expect(engine.view.storeTrouble).toMatchObject({ code: 'busy', why: 'another process holds it' })
  const params = engine.decode('vm.start', { vm: vm.uuid })
  expect(await failureOf(engine.start('vm.start', params, 'cli'))).toStartWith('busy: store ')
  held?.release()
  await until(() => engine.view.needJob(id).state === 'undone', 'that the job that was left is taken over')
  expect(engine.view.storeTrouble).toBeUndefined()
  expect((await engine.finished((await engine.start('vm.start', params, 'cli')).id)).job.state).toBe('done')
})

test('a command that is still at work when its record cannot be written troubles nobody', async () => {
  const finished: string[] = []
  const jobs = {
    appendCommand: async () => {
      throw new PengxError('noSpace', 'the disk is full')
    },
    finishCommand: async () => void finished.push('it was finished'),
  } as unknown as JobRows
  const rejections: unknown[] = []
  const note = (reason: unknown) => void rejections.push(reason)
  process.on('unhandledRejection', note)
  try {
    const { site } = await open()
    const opening = Promise.withResolvers<never>()
    const slow: Host = { ...site.host('xen1'), open: () => opening.promise }
    const command = withRecord(slow, jobs, { jobId: 'job-1', lookOnly: false }).open({
      argv: ['xl', 'info'],
      effect: 'read',
    })
    await Bun.sleep(20)
    opening.reject(new PengxError('unreachable', 'it does not answer'))
    expect(await failureOf(command)).toBe('unreachable: it does not answer')
    await Bun.sleep(20)
    expect(finished).toEqual([])
    expect(rejections).toEqual([])
  } finally {
    process.off('unhandledRejection', note)
  }
})
