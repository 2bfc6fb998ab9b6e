import { expect, test } from 'bun:test'
import { run } from '../../../src/engine/host/run.ts'
import type { SimSite } from '../../../src/sim/site.ts'
import { NEW_VM, pmNamed, refusalOf } from '../../support/sites/acts.ts'
import type { World } from '../../support/sites/world.ts'
import { expectAt, makeSharedVm, startSharedVm } from '../operations/cases/migrateCases.ts'
import { afterGap, type Gap, startByHand } from './gap.ts'

/** A VM that was to move when pengx was killed: it is where its guest is, and runs once at most. */
const cold = {
  operation: 'vm.migrate',
  prepare: async (world: World) => ({ vm: (await makeSharedVm(world)).uuid, pm: pmNamed(world, 'xen2') }),
} satisfies Partial<Gap>

const startOn = (pm: string) => (site: SimSite) => startByHand(site, pm, NEW_VM.uuid)
const domainsOn = (world: World, pm: string) => world.site.domainsOn(pm).filter((one) => one.uuid === NEW_VM.uuid)

test('one that is off and has not moved stays, whatever had been prepared', async () => {
  for (const [step, phase] of [
    ['write the configuration', 'after'],
    ['record', 'before'],
  ] as const) {
    await afterGap({ ...cold, step, phase }, (world, job) => {
      expect([step, job.state]).toEqual([step, 'cancelled'])
      expectAt(world, 'xen1', 'shutdown')
    })
  }
}, 60_000)

test('one that was started where it was stays there', async () => {
  await afterGap({ ...cold, step: 'record', phase: 'before', meanwhile: startOn('xen1') }, (world, job) => {
    expect(job).toMatchObject({ state: 'cancelled' })
    expectAt(world, 'xen1', 'running')
  })
}, 60_000)

test('one that was started where it was to go is there', async () => {
  await afterGap({ ...cold, step: 'record', phase: 'before', meanwhile: startOn('xen2') }, (world, job) => {
    expect(job).toMatchObject({ state: 'done' })
    expectAt(world, 'xen2', 'running')
  })
}, 60_000)

test('one that had moved and was started where it had been is not started twice', async () => {
  await afterGap({ ...cold, step: 'record', phase: 'after', meanwhile: startOn('xen1') }, async (world, job) => {
    expect(job).toMatchObject({ state: 'done' })
    expect(job.message).toContain('runs on xen1 again')
    expect([domainsOn(world, 'xen1').length, domainsOn(world, 'xen2').length]).toEqual([1, 0])
    expect(Object.keys(world.site.filesOn('xen1'))).toContain(`/etc/xen/pengx/${NEW_VM.uuid}.cfg`)
    expect(await refusalOf(world, 'vm.start', { vm: NEW_VM.uuid })).toMatch(/^refused: /)
  })
}, 60_000)

test('one that runs is not sent after a gap, and goes on where it was', async () => {
  const prepare = async (world: World) => ({ vm: (await startSharedVm(world)).uuid, pm: pmNamed(world, 'xen2') })
  for (const [step, phase] of [
    ['write the configuration', 'after'],
    ['migrate to', 'before'],
  ] as const) {
    await afterGap({ operation: 'vm.migrate', prepare, step, phase }, (world, job) => {
      expect([step, job.state]).toEqual([step, 'cancelled'])
      expectAt(world, 'xen1', 'running')
    })
  }
}, 60_000)

test('one that has gone over and was taken back by hand is not written down as gone', async () => {
  const prepare = async (world: World) => ({ vm: (await startSharedVm(world)).uuid, pm: pmNamed(world, 'xen2') })
  const meanwhile = async (site: SimSite) => {
    const { domid } = site.pm('xen2').domains.find((one) => one.uuid === NEW_VM.uuid)!
    await run(site.host('xen2'), { argv: ['xl', 'destroy', String(domid)], effect: 'change' })
    await startByHand(site, 'xen1', NEW_VM.uuid)
  }
  await afterGap({ operation: 'vm.migrate', prepare, step: 'record', phase: 'before', meanwhile }, (world, job) => {
    expect(job).toMatchObject({ state: 'stuck' })
    expect(job.message).toContain('runs on xen1')
    expect(world.engine.view.needVm(NEW_VM.uuid).pm).toBe(pmNamed(world, 'xen1'))
    expect([domainsOn(world, 'xen1').length, domainsOn(world, 'xen2').length]).toEqual([1, 0])
  })
}, 60_000)
