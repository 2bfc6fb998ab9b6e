import { afterEach, beforeEach, expect, test } from 'bun:test'
import { dateName } from '../../src/lib/age.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { snapshotsOf } from '../../src/model/layer.ts'
import { act, makeVm } from '../support/sites/acts.ts'
import { openWorld, type World } from '../support/sites/world.ts'

/** What a snapshot is called that nobody has named. */

const NOON = new Date(2026, 10, 23, 12, 0, 9).getTime()

let world: World
beforeEach(async () => {
  world = await openWorld({ clock: { ...systemClock, now: () => NOON } })
})
afterEach(async () => await world.close())

const namesOf = (vm: string) => snapshotsOf(world.engine.view.needVm(vm)).map((one) => one.name)

test('its moment, and two at one moment are told apart, also where one waits for the other', async () => {
  const { uuid: vm } = await makeVm(world)
  const params = world.engine.decode('snapshot.create', { vm })
  const started = await Promise.all([1, 2].map(() => world.engine.start('snapshot.create', params, 'cli')))
  const ends = await Promise.all(started.map(({ id }) => world.engine.finished(id)))
  expect(ends.map(({ job }) => job.state)).toEqual(['done', 'done'])
  const name = '2026-11-23 12:00:09'
  expect(namesOf(vm)).toEqual([name, `${name} (2)`])
  expect(ends.map(({ result }) => (result as { name: string }).name).sort()).toEqual(namesOf(vm))
  expect(dateName(NOON)).toBe(name)
})

test('a name that is given stays as it is given', async () => {
  const { uuid: vm } = await makeVm(world)
  await act(world, 'snapshot.create', { vm, name: 'before 2.0' })
  await act(world, 'snapshot.create', { vm, name: ' ' })
  expect(namesOf(vm)).toEqual(['before 2.0', dateName(NOON)])
})
