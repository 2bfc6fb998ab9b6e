import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { toPengxError } from '../../src/model/error.ts'
import { act, adoptRunning } from '../support/sites/acts.ts'
import { openWorld, type World } from '../support/sites/world.ts'
import { until } from '../support/until.ts'

/** A domain that an xl has left half built or half torn down, or whose QEMU is gone: pengx says so, and helps. */

let world: World
beforeEach(async () => {
  world = await openWorld()
})
afterEach(() => world.close())

type Fault = 'leaveHalfBuilt' | 'leaveHalfTorn' | 'killQemu'
const FAULTS: readonly Fault[] = ['leaveHalfBuilt', 'leaveHalfTorn', 'killQemu']

/** A VM under care whose domain was left so. */
async function breakOne(fault: Fault) {
  const vm = await adoptRunning(world)
  world.site.faults[fault](vm.domainName)
  await world.engine.look()
  return world.engine.view.needVm(vm.uuid)
}

describe.each(FAULTS)('%s', (fault) => {
  test('is broken, in its row as on its PM', async () => {
    const vm = await breakOne(fault)
    expect(vm.seen.state).toBe('broken')
    expect(vm.seen.drift).toEqual([])
  })

  test('power off alone is offered, and clears it', async () => {
    const vm = await breakOne(fault)
    const { engine } = world
    const offered: string[] = []
    for (const name of ['start', 'shutdown', 'reboot', 'reset', 'suspend', 'resume', 'poweroff', 'delete']) {
      const raw = { vm: vm.uuid, ...(name === 'delete' ? { confirm: vm.name } : {}) }
      const refusal = engine.refuse(`vm.${name}`, engine.decode(`vm.${name}`, raw))
      if (refusal === undefined) offered.push(name)
      else expect([name, refusal]).toEqual([name, 'its domain is half built or half torn down: power it off'])
    }
    expect(offered).toEqual(['poweroff'])
    await act(world, 'vm.poweroff', { vm: vm.uuid })
    await engine.look()
    expect(engine.view.needVm(vm.uuid).seen).toMatchObject({ state: 'shutdown', drift: [] })
    expect(world.site.domain(vm.domainName)).toBeUndefined()
    await act(world, 'vm.start', { vm: vm.uuid })
    expect(engine.view.needVm(vm.uuid).seen.state).toBe('running')
  })

  test('an operation that was allowed a moment ago finds it broken when it looks', async () => {
    const vm = await adoptRunning(world)
    world.site.faults[fault](vm.domainName)
    const { engine } = world
    const started = engine.start('vm.suspend', engine.decode('vm.suspend', { vm: vm.uuid }), 'cli')
    const said = await started.then(
      async ({ id }) => (await engine.finished(id)).job.message,
      (error) => toPengxError(error).message,
    )
    expect(said).toContain('half built or half torn down: power it off')
  })
})

test('one that somebody clears is shut down, and nothing worth a word', async () => {
  const vm = await breakOne('leaveHalfTorn')
  world.site.faults.vanishDomain(vm.domainName)
  const seen = () => world.engine.view.needVm(vm.uuid).seen
  await until(async () => {
    await world.engine.look()
    return seen().state === 'shutdown'
  })
  expect(seen().drift).toEqual([])
})
