import { expect, test } from 'bun:test'
import { moveDomain } from '../../contract/worldMoves.ts'
import { NEW_VM } from '../../support/sites/acts.ts'
import type { World } from '../../support/sites/world.ts'
import { startSharedVm } from '../operations/cases/migrateCases.ts'
import { afterGap, destroyByHand, type Gap } from './gap.ts'

/** A VM whose domain was to be changed when pengx was killed, and that others have had in hand since. */
const reset = {
  operation: 'vm.reset',
  prepare: async (world: World) => ({ vm: (await startSharedVm(world)).uuid }),
} satisfies Partial<Gap>

const domainsOn = (world: World) =>
  ['xen1', 'xen2'].flatMap((pm) =>
    world.site
      .domainsOn(pm)
      .filter((one) => one.uuid === NEW_VM.uuid)
      .map(() => pm),
  )

test('one that goes on on another PM is not built a second time', async () => {
  await afterGap(
    {
      ...reset,
      step: 'destroy',
      phase: 'before',
      meanwhile: (site) => void moveDomain(site, 'xen1', 'xen2', NEW_VM.uuid),
    },
    async (world, job) => {
      expect(job).toMatchObject({ state: 'stuck', message: expect.stringContaining('would run it twice') })
      expect(domainsOn(world)).toEqual(['xen2'])
      await world.engine.keep(job.id)
      expect(domainsOn(world)).toEqual(['xen2'])
    },
  )
}, 60_000)

test('one whose domain is gone since is built again, as it was to be', async () => {
  await afterGap(
    { ...reset, step: 'destroy', phase: 'before', meanwhile: (site) => destroyByHand(site, 'xen1', NEW_VM.uuid) },
    (world, job) => {
      expect(job).toMatchObject({ state: 'done' })
      expect(domainsOn(world)).toEqual(['xen1'])
    },
  )
}, 60_000)

test('one that runs on is not destroyed any more', async () => {
  await afterGap({ ...reset, step: 'destroy', phase: 'before' }, (world, job) => {
    expect(job).toMatchObject({ state: 'cancelled' })
    expect(domainsOn(world)).toEqual(['xen1'])
  })
}, 60_000)
