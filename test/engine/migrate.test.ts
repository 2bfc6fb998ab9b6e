import { afterAll, afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../../src/engine/host/run.ts'
import type { Job } from '../../src/model/job.ts'
import { act, NEW_VM, pmNamed } from '../support/sites/acts.ts'
import { openWorld, type World } from '../support/sites/world.ts'
import { expectAt, startSharedVm } from './operations/cases/migrateCases.ts'

/** Migrations that end badly: the VM is on exactly one PM, and pengx says on which. */

let world: World
beforeEach(async () => {
  world = await openWorld()
})
afterEach(async () => await world.close())

const VM = NEW_VM.uuid

async function begin(more: Readonly<Record<string, unknown>> = {}): Promise<Job> {
  const raw = { vm: VM, pm: pmNamed(world, 'xen2'), ...more }
  return await world.engine.start('vm.migrate', world.engine.decode('vm.migrate', raw), 'cli')
}

async function migrate(): Promise<Job> {
  return (await world.engine.finished((await begin()).id)).job
}

function find(pm: 'xen1' | 'xen2') {
  return world.site.state.pms.find((one) => one.name === pm)!.domains.find((one) => one.uuid === VM)
}

/** As soon as something is so; far finer than what is waited for lasts. */
async function when(is: () => boolean | undefined): Promise<void> {
  while (!is()) await Bun.sleep(1)
}

const arriving = () => find('xen2')?.name?.endsWith('--incoming')
const suspended = () => find('xen1')?.shutdownReason === 2
const sentAway = () => find('xen1')?.name?.endsWith('--migratedaway')
const whole = () => sentAway() && find('xen2')?.name === 'fresh'

describe('xl says one thing, and another is so', () => {
  beforeEach(async () => void (await startSharedVm(world)))

  test('it fails, and the guest has gone', async () => {
    world.site.faults.add({ match: 'xl migrate', effect: { kind: 'failAfter' } })
    expect(await migrate()).toMatchObject({ state: 'done' })
    expectAt(world, 'xen2', 'running')
  })

  test('its answer is lost, and the guest has gone', async () => {
    world.site.faults.add({ match: 'xl migrate', effect: { kind: 'lostAfter' } })
    expect(await migrate()).toMatchObject({ state: 'done' })
    expectAt(world, 'xen2', 'running')
  })

  test('all is well, and the guest is still here', async () => {
    world.site.faults.add({ match: 'xl migrate', effect: { kind: 'lie' } })
    expect(await migrate()).toMatchObject({ state: 'undone', message: expect.stringContaining('and it has not') })
    expectAt(world, 'xen1', 'running')
  })

  test('the guest has ended by itself meanwhile', async () => {
    const job = await begin()
    await when(arriving)
    world.site.faults.vanishDomain('fresh')
    const { job: end } = await world.engine.finished(job.id)
    expect(end).toMatchObject({ state: 'undone', message: expect.stringContaining('it is shut down') })
    expectAt(world, 'xen1', 'shutdown')
  })
})

describe('the wire between the two is cut', () => {
  beforeEach(async () => void (await startSharedVm(world)))

  const cutWhen = async (is: () => boolean | undefined): Promise<Job> => {
    const job = await begin()
    await when(is)
    world.site.faults.cutWire('xen1', 'xen2')
    return (await world.engine.finished(job.id)).job
  }

  test('while memory is sent: it goes on here, and what had come is taken away', async () => {
    const job = await cutWhen(arriving)
    expect(job).toMatchObject({ state: 'undone', message: expect.stringContaining('the line between the two broke') })
    expectAt(world, 'xen1', 'running')
  })

  test('while it is suspended: the same', async () => {
    expect(await cutWhen(suspended)).toMatchObject({ state: 'undone' })
    expectAt(world, 'xen1', 'running')
  })

  test('before the other side was told to go on: it is woken here, under its name', async () => {
    const job = await cutWhen(sentAway)
    expect(job).toMatchObject({ state: 'undone', message: expect.stringContaining('while the guest was handed over') })
    expectAt(world, 'xen1', 'running')
  })

  test('after that: it goes on there, and the one here never does', async () => {
    expect(await cutWhen(whole)).toMatchObject({ state: 'done' })
    expectAt(world, 'xen2', 'running')
  })
})

describe('a PM goes away', () => {
  beforeEach(async () => void (await startSharedVm(world)))

  test('the target: stuck, with where the VM is, and settled when it answers', async () => {
    const job = await begin()
    await when(arriving)
    world.site.faults.unreachable('xen2', 3_600_000)
    const { job: stuck } = await world.engine.finished(job.id)
    expect(stuck).toMatchObject({ state: 'stuck', code: 'unreachable' })
    expect(stuck.message).toContain('cannot reach xen2')
    expect(stuck.message).toMatch(/on xen1 fresh is domain \d+, running/)
    expect(world.engine.refuse('vm.poweroff', { vm: VM })).toContain('is stuck on it')
    world.site.faults.unreachable('xen2', 0)
    await world.engine.retry(job.id)
    expect((await world.engine.finished(job.id)).job.state).toBe('undone')
    expectAt(world, 'xen1', 'running')
  })

  test('the source, when all has come: the guest stays paused until it is sure that it is nowhere else', async () => {
    const job = await begin()
    await when(whole)
    world.site.faults.unreachable('xen1', 3_600_000)
    const { job: stuck } = await world.engine.finished(job.id)
    expect(stuck).toMatchObject({ state: 'stuck', code: 'unreachable' })
    await world.engine.look()
    expect(find('xen2')).toMatchObject({ paused: true })
    expect(world.engine.view.needVm(VM).pm).toBe(pmNamed(world, 'xen1'))
    expect(world.engine.view.pms().find((pm) => pm.name === 'xen2')?.seen.strays).toMatchObject([{ uuid: VM }])
    world.site.faults.unreachable('xen1', 0)
    await world.engine.retry(job.id)
    expect((await world.engine.finished(job.id)).job.state).toBe('done')
    expectAt(world, 'xen2', 'running')
  })

  test('a guest that somebody lets go on there too is nobody’s to decide but a person’s', async () => {
    const job = await begin()
    await when(whole)
    world.site.faults.cutWire('xen1', 'xen2')
    const [here, there] = [find('xen1')!, find('xen2')!]
    Object.assign(here, { phase: 'up', shutdownReason: undefined })
    Object.assign(there, { paused: false, imagesStale: undefined })
    const { job: stuck } = await world.engine.finished(job.id)
    expect(stuck).toMatchObject({ state: 'stuck', message: expect.stringContaining('fresh runs twice') })
    await run(world.site.host('xen1'), { argv: ['xl', 'destroy', String(here.domid)], effect: 'change' })
    await world.engine.retry(job.id)
    expect((await world.engine.finished(job.id)).job.state).toBe('done')
    expectAt(world, 'xen2', 'running')
  })
})

test('a cancel lets the guest go on where it is', async () => {
  await startSharedVm(world)
  const job = await begin()
  await when(arriving)
  await world.engine.cancel(job.id)
  const { job: end } = await world.engine.finished(job.id)
  expect(end).toMatchObject({ state: 'cancelled' })
  expectAt(world, 'xen1', 'running')
})

test('a cancel while the guest is handed over does not cut the line: nobody would know where it is', async () => {
  await startSharedVm(world)
  const job = await begin()
  await when(sentAway)
  await world.engine.cancel(job.id).catch(() => undefined)
  const { job: end } = await world.engine.finished(job.id)
  expect(end).toMatchObject({ state: 'done' })
  expectAt(world, 'xen2', 'running')
  const { commands } = await world.engine.jobDetail(job.id)
  expect(commands.find(({ line }) => line.startsWith('xl migrate'))).toMatchObject({ exit: 0 })
  expect(commands.some(({ line }) => line.includes('pengx-end'))).toBe(false)
})

test('there and back, and its configuration goes with it', async () => {
  await startSharedVm(world)
  expect(await migrate()).toMatchObject({ state: 'done' })
  expectAt(world, 'xen2', 'running')
  await act(world, 'vm.migrate', { vm: VM, pm: pmNamed(world, 'xen1') })
  expectAt(world, 'xen1', 'running')
})

describe('pengx is killed in the middle', () => {
  const root = mkdtempSync(join(tmpdir(), 'pengx-migrate-'))
  afterAll(() => rmSync(root, { recursive: true, force: true }))

  for (const [moment, pm] of [
    ['arriving', 'xen1'],
    ['suspended', 'xen1'],
    ['sentAway', 'xen1'],
    ['whole', 'xen2'],
  ] as const) {
    test(`when the guest is ${moment}`, async () => {
      const place = { db: join(root, `${moment}.db`), state: join(root, `${moment}.json`) }
      const prepared = await openWorld({}, place)
      await startSharedVm(prepared)
      await prepared.close()
      const child = Bun.spawn(
        [
          process.execPath,
          new URL('../support/children/migrateCrashChild.ts', import.meta.url).pathname,
          JSON.stringify({ place, moment, vm: VM }),
        ],
        { stdout: 'pipe', stderr: 'pipe' },
      )
      await child.exited
      expect([child.signalCode, await new Response(child.stderr).text()]).toEqual(['SIGKILL', ''])
      await world.close()
      world = await openWorld({}, place)
      const job = world.engine.view.jobs().find((one) => one.operation === 'vm.migrate')!
      const { job: end } = await world.engine.finished(job.id)
      expect([end.state, end.message]).toEqual([pm === 'xen1' ? 'cancelled' : 'done', expect.any(String)])
      expectAt(world, pm, 'running')
    })
  }
})
