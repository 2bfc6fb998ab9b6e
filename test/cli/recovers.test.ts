import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseCommandLine, type RunArgs } from '../../src/args.ts'
import { sayGoneOn, sayLeft, sayTakenOver } from '../../src/cli/leftBehind.ts'
import { runOperation } from '../../src/cli/run.ts'
import { openStore } from '../../src/engine/store/store.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { PengxError } from '../../src/model/error.ts'
import { aJob, aPm, aVm } from '../engine/store/samples.ts'
import { fakeIo } from '../support/fakeIo.ts'
import { PENGX } from '../support/pengx.ts'
import { makeVm } from '../support/sites/acts.ts'
import { openWorld } from '../support/sites/world.ts'
import { until } from '../support/until.ts'

/** Who goes on with what a dead pengx has left at work, and who only looks. */
let home: string
let db: string
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'pengx-recovers-'))
  db = join(home, 'pengx.db')
  const store = await openStore({ at: { path: db }, clock: systemClock })
  const pm = aPm({ destination: 'ssh:127.0.0.1:1', name: 'xen1' })
  await store.inventory.putPm(pm)
  const vm = aVm(pm.uuid, { name: 'web01' })
  await store.inventory.putVm(vm)
  await store.jobs.create(aJob(vm.uuid))
  await store.close()
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

function spawn(...words: string[]) {
  const env = { PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8' }
  return Bun.spawn([...PENGX, ...words], { env, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
}

async function pengx(...words: string[]) {
  const child = spawn(...words)
  const [out, err, exit] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { out, err, exit }
}

async function stateOfJob(): Promise<string | undefined> {
  const store = await openStore({ at: { path: db }, clock: systemClock })
  const state = store.view.jobs()[0]?.state
  await store.close()
  return state
}

test.each([
  ['a list', ['vms', '--db', 'DB']],
  ['the list of jobs', ['jobs', '--db', 'DB']],
  ['the site as one text', ['--db', 'DB']],
  ['completion', ['complete', '--db', 'DB', 'run', 'vm.start', '']],
  ['a plan', ['run', 'vm.start', 'web01', '--plan', '--db', 'DB']],
  ['the help of an operation', ['run', 'vm.start', '--help', '--db', 'DB']],
  ['whoever is read-only', ['--read-only', '--db', 'DB', 'run', 'vm.start', 'web01']],
])(
  '%s leaves it as it is',
  async (_who, words) => {
    const { err } = await pengx(...words.map((word) => (word === 'DB' ? db : word)))
    expect(err).not.toContain('takes over')
    expect(await stateOfJob()).toBe('queued')
  },
  30_000,
)

test('`pengx run` takes it over before it decides anything, and says what became of it', async () => {
  const { err, exit } = await pengx('run', 'vm.start', 'nobody', '--db', db)
  expect([exit, await stateOfJob()]).toEqual([3, 'undone'])
  expect(err.split('\n').slice(0, 2)).toEqual([
    'pengx: takes over a job that another pengx left at work: job 1 (vm.start web01)',
    'pengx: job 1 (vm.start web01) failed and was undone',
  ])
}, 30_000)

test('--serve does, too', async () => {
  const child = spawn('--serve', '--listen', '127.0.0.1:0', '--no-auth', '--db', db)
  const said = new Response(child.stderr).text()
  await until(async () => (await stateOfJob()) === 'undone', 'the end of the job')
  child.kill('SIGTERM')
  await child.exited
  expect(await said).toContain('job 1 (vm.start web01) failed and was undone')
}, 30_000)

test('what is still at work when it ends is named; what was taken over is told until it is over', async () => {
  const reached = Promise.withResolvers<void>()
  const open = Promise.withResolvers<void>()
  let isArmed = false
  const intercept = async () => {
    if (!isArmed) return
    reached.resolve()
    await open.promise
  }
  const world = await openWorld({ intercept })
  try {
    const { uuid: vm } = await makeVm(world)
    const quiet = fakeIo()
    await sayTakenOver(world.engine, quiet.io)
    sayLeft(world.engine, quiet.io)
    expect(quiet.printed).toEqual({ out: '', err: '' })
    isArmed = true
    const job = await world.engine.start('vm.start', { vm }, 'cli')
    await reached.promise
    const { io, printed } = fakeIo()
    sayLeft(world.engine, io)
    expect(printed.err).toStartWith(`pengx: leaves at work: job ${job.number} (vm.start fresh); the next`)
    open.resolve()
    await world.engine.finished(job.id)
    await until(() => world.engine.atWork().length === 0)
  } finally {
    open.resolve()
    await world.close()
  }
})

test('what is gone on with is named, waited for, and told by its end; where there is nothing, nothing is said', async () => {
  const store = await openStore({ at: { path: db }, clock: systemClock })
  try {
    const { view } = store
    const [job] = view.jobs()
    const over = Promise.withResolvers<void>()
    const { io, printed } = fakeIo()
    await sayGoneOn({ view, revival: () => ({ jobs: [], over: over.promise }) }, io)
    expect(printed.err).toBe('')
    const said = sayGoneOn({ view, revival: () => ({ jobs: [job!], over: over.promise }) }, io)
    const begun = 'pengx: goes on with what waited for a PM that answers again: job 1 (vm.start web01)\n'
    expect(printed.err).toBe(begun)
    await store.jobs.update(job!.id, { state: 'undone' })
    expect(printed.err).toBe(begun)
    over.resolve()
    await said
    expect(printed.err).toBe(`${begun}pengx: job 1 (vm.start web01) failed and was undone\n`)
  } finally {
    await store.close()
  }
})

test('what waited for a PM is gone on with before `pengx run` decides anything about its VM', async () => {
  const world = await openWorld()
  try {
    const { name: vm } = await makeVm(world)
    const { faults } = world.site
    faults.add({ pm: 'xen1', match: 'xl create', effect: { kind: 'unreachable', ms: 3_600_000 } })
    const run = async (...words: string[]) => {
      const { subcommand } = parseCommandLine(['run', ...words])
      const { io, printed } = fakeIo()
      const exit = await runOperation(world.engine, subcommand as RunArgs, io).catch(
        ({ code, message }: PengxError) => {
          return `${code}: ${message}`
        },
      )
      return { exit, err: printed.err }
    }
    expect(await run('vm.start', vm)).toMatchObject({ exit: 1, err: expect.stringContaining('is stuck') })
    const refused = 'refused: cannot start fresh: its PM xen1 cannot be reached: cannot reach xen1: no route to host'
    expect(await run('vm.start', vm)).toEqual({ exit: refused, err: '' })
    faults.unreachable('xen1', 0)
    const { exit, err } = await run('vm.start', vm)
    const told = [
      'pengx: goes on with what waited for a PM that answers again: job 3 (vm.start fresh)',
      'pengx: job 3 (vm.start fresh) failed and was undone',
    ]
    // Its look may take long enough for the job to be over when it ends: then there is nothing to wait for, or to say.
    expect([told.join('\n'), '']).toContain(err.trim())
    expect(world.engine.view.jobs().find(({ number }) => number === 3)?.state).toBe('undone')
    expect(exit).toBe(0)
  } finally {
    await world.close()
  }
})
