import { afterAll, beforeAll, expect, test } from 'bun:test'
import { PengxError } from '../../../src/model/error.ts'
import { createSimSite } from '../../../src/sim/site.ts'
import { act, pmNamed } from '../../support/sites/acts.ts'
import { openWorld, type World } from '../../support/sites/world.ts'
import { createSkippingClock } from '../../support/skippingClock.ts'
import { until } from '../../support/until.ts'

/** What is kept of a PM that is removed. */
let world: World
const closed: string[] = []
beforeAll(async () => {
  const clock = createSkippingClock()
  const site = createSimSite({ clock, vmCount: 4, pmCount: 2, pace: 0.2 })
  const closeOf = (name: string) => async () => void closed.push(name)
  const host = (name: string) => ({ ...site.host(name), close: closeOf(name) })
  const ghost = () => Promise.reject(new PengxError('unreachable', 'no route to host'))
  const hostOf = (name: string) =>
    name === 'ghost' ? { ...host('xen1'), name, open: ghost, close: closeOf(name) } : host(name)
  world = await openWorld({ clock, sim: { host: hostOf, pmNames: [...site.pmNames, 'ghost'] } })
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
    ['ghost', 'down'],
    ['xen1', 'up'],
    ['xen2', 'up'],
  ])
})

test('so is that of one that has never answered', async () => {
  closed.length = 0
  await act(world, 'pm.remove', { pm: pmNamed(world, 'ghost') })
  await until(() => closed.length > 0)
  expect(new Set(closed)).toEqual(new Set(['ghost']))
})
