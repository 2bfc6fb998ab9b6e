import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createSimSite } from '../../src/sim/site.ts'
import { act, pmNamed } from '../support/sites/acts.ts'
import { openWorld, type World } from '../support/sites/world.ts'
import { createSkippingClock } from '../support/skippingClock.ts'
import { until } from '../support/until.ts'

/** What is kept of a PM that is removed. */
let world: World
const closed: string[] = []
beforeAll(async () => {
  const clock = createSkippingClock()
  const site = createSimSite({ clock, vmCount: 4, pmCount: 2, pace: 0.2 })
  const host = (name: string) => ({ ...site.host(name), close: async () => void closed.push(name) })
  world = await openWorld({ clock, sim: { host, pmNames: site.pmNames } })
})
afterAll(() => world.close())

test('its connection is closed, the others stay, and it can be added again', async () => {
  // A simulated site needs no time: what came and what goes would be told in one.
  await new Promise(setImmediate)
  expect(closed).toEqual([])
  await act(world, 'pm.remove', { pm: pmNamed(world, 'xen2') })
  await until(() => closed.length > 0)
  expect(new Set(closed)).toEqual(new Set(['xen2']))
  await world.engine.look()
  await act(world, 'pm.add', { destination: 'sim:xen2' })
  await world.engine.look()
  expect(world.engine.view.pms().map((pm) => [pm.name, pm.seen.reach])).toEqual([
    ['xen1', 'up'],
    ['xen2', 'up'],
  ])
})
