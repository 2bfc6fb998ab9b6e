import { afterEach, expect, test } from 'bun:test'
import { batch } from '../../../src/engine/host/batch.ts'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { run, runBatch } from '../../../src/engine/host/run.ts'
import type { Moment } from '../../../src/engine/jobs/context.ts'
import { countChanges, createEffects } from '../../../src/engine/jobs/effects.ts'
import { PengxError } from '../../../src/model/error.ts'
import type { SimSite } from '../../../src/sim/site.ts'
import { act, makeStorlink, makeVm, NEW_VM } from '../../support/sites/acts.ts'
import { openWorld, pictureOf, type World } from '../../support/sites/world.ts'
import { wanted } from '../operations/cases/backupCases.ts'

/** `conflict` promises that a step has changed nothing, and then it is not undone; that is believed only where it can be true. */
const worlds: World[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close()
})

async function open(intercept: (moment: Moment) => Promise<void> | void): Promise<World> {
  const world = await openWorld({ intercept })
  worlds.push(world)
  return world
}

async function endOf(world: World, operation: string, raw: Readonly<Record<string, unknown>>) {
  const { id } = await world.engine.start(operation, world.engine.decode(operation, raw), 'cli')
  const { job } = await world.engine.finished(id)
  return { job, events: (await world.engine.jobDetail(id)).events }
}

const sh = (site: SimSite, ...argv: [string, ...string[]]) => run(site.host('xen1'), { argv, effect: 'change' })

test('a step that has changed something and then says conflict is undone', async () => {
  const world = await open(({ name, phase }) => {
    if (name === 'make the cloud-init seed' && phase === 'after')
      throw new PengxError('conflict', 'somebody was faster')
  })
  const storlink = await makeStorlink(world)
  const before = await pictureOf(world)
  const { job, events } = await endOf(world, 'vm.create', { ...NEW_VM, storlink, seedUser: 'admin' })
  expect(job).toMatchObject({ state: 'undone', code: 'conflict', message: 'somebody was faster' })
  expect(events.filter(({ kind }) => kind === 'undone').map(({ name }) => name)).toContain('make the cloud-init seed')
  expect(await pictureOf(world)).toEqual(before)
})

test('a guard that ends a batch before its first change has done nothing', async () => {
  let armed = false
  const world: World = await open(async ({ name, phase }) => {
    if (!armed || name !== 'create the domain' || phase !== 'before') return
    const text = `name = "${NEW_VM.name}"\ntype = "pvh"\nmemory = 64\nkernel = "/boot/vmlinuz-guest"\n`
    const host = world.site.host('xen1')
    await run(host, { argv: ['tee', '/root/other.cfg'], effect: 'change', stdin: text })
    await sh(world.site, 'xl', 'create', '/root/other.cfg')
  })
  const { uuid } = await makeVm(world)
  armed = true
  const { job, events } = await endOf(world, 'vm.start', { vm: uuid })
  expect(job).toMatchObject({ state: 'undone', code: 'conflict' })
  expect(events.map(({ kind }) => kind)).toEqual(['started', 'failed'])
  expect(world.site.domainsOn('xen1').filter(({ name }) => name === NEW_VM.name)).toHaveLength(1)
})

test('what lies where a volume was to be set aside stays, and what had been set aside comes back', async () => {
  const [backup] = ['99999999-2222-4333-8444-555555555555']
  let aside = ''
  const world: World = await open(async ({ operation, name, phase }) => {
    if (operation !== 'backup.delete' || name !== 'set xvda of monday aside' || phase !== 'before') return
    aside = `${world.engine.view.needBackup(backup!).volumes[1]!.path}.aside`
    await sh(world.site, 'touch', aside)
  })
  await act(world, 'backup.create', await wanted()(world))
  const before = world.site.filesOn('xen1')
  const { job, events } = await endOf(world, 'backup.delete', { backup })
  expect(job).toMatchObject({ state: 'undone', code: 'conflict' })
  expect(job.message).toContain('both are there')
  expect(events.filter(({ kind }) => kind === 'undone').map(({ name }) => name)).toEqual(['set xvda of monday aside'])
  const { [aside]: there, ...rest } = world.site.filesOn('xen1')
  expect(there).toBeDefined()
  expect(rest).toEqual(before)
  expect(world.engine.view.getBackup(backup!)).toMatchObject({ state: 'verified' })
})

test('a change counts once it has succeeded, and as long as nobody can tell; a failure does not', async () => {
  const host = openLocalHost('here')
  try {
    const after = async (work: (counted: typeof host) => Promise<unknown>) => {
      const effects = createEffects()
      await work(countChanges(host, effects)).catch(() => undefined)
      return effects.has()
    }
    const change = (...argv: [string, ...string[]]) => ({ argv, effect: 'change' as const })
    const guard = { argv: ['false'], effect: 'read' } as const
    expect(await after((one) => run(one, change('true')))).toBe(true)
    expect(await after((one) => run(one, change('false')))).toBe(false)
    expect(await after((one) => run(one, { ...change('true'), effect: 'read' }))).toBe(false)
    expect(await after((one) => run(one, change('no-such-program-there')))).toBe(false)
    const guarded = batch([guard, change('true')], { stopOnFailure: true })
    expect(await after((one) => runBatch(one, guarded))).toBe(false)
    const passed = batch([{ ...guard, okExits: [1] }, change('true'), change('false')], { stopOnFailure: true })
    expect(await after((one) => runBatch(one, passed))).toBe(true)
    expect(await after((one) => one.open(change('sleep', '0.2')))).toBe(true)
  } finally {
    await host.close()
  }
})
