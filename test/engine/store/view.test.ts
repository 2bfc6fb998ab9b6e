import { expect, test } from 'bun:test'
import type { Change } from '../../../src/engine/store/view.ts'
import { newUuid } from '../../../src/lib/ids.ts'
import { until } from '../../support/until.ts'
import { aJob, aPm, aStorlink, aVm, failureOf, handClock, newPlace } from './samples.ts'

test('lists are in the order of names, and the same array until something in them changes', async () => {
  await using place = newPlace()
  const { inventory, view } = await place.open()
  const pm = aPm()
  const other = aPm()
  await inventory.putPm(pm)
  await inventory.putPm(other)
  const vms = ['c', 'a', 'b'].map((name) => aVm(pm.uuid, { name }))
  await inventory.putVms(vms)
  const namesOf = (list: readonly { name: string }[]) => list.map((row) => row.name)
  const list = view.vms()
  const onPm = view.vmsOn(pm.uuid)
  expect(namesOf(list)).toEqual(['a', 'b', 'c'])
  expect(namesOf(onPm)).toEqual(['a', 'b', 'c'])
  await inventory.putStorlink(aStorlink(pm.uuid))
  expect(view.vms()).toBe(list)
  expect(view.vmsOn(pm.uuid)).toBe(onPm)
  expect(view.vmsOn(other.uuid)).toEqual([])

  await inventory.putVm({ ...vms[0]!, name: 'Z', pm: other.uuid })
  expect(view.vms()).not.toBe(list)
  expect(namesOf(view.vms())).toEqual(['Z', 'a', 'b'])
  expect(namesOf(view.vmsOn(pm.uuid))).toEqual(['a', 'b'])
  expect(namesOf(view.vmsOn(other.uuid))).toEqual(['Z'])
  expect(view.vmsNamed('c')).toEqual([])
  expect(view.vmsNamed('Z')[0]!.uuid).toBe(vms[0]!.uuid)
  expect(namesOf(list)).toEqual(['a', 'b', 'c'])
})

test('what another has written comes with a refresh: rows, changes, and what is gone', async () => {
  await using place = newPlace()
  const here = await place.open()
  const there = await place.open()
  const pm = aPm()
  await there.inventory.putPm(pm)
  const [kept, gone] = [aVm(pm.uuid), aVm(pm.uuid)]
  await there.inventory.putVms([kept, gone])
  const storlink = await there.inventory.putStorlink(aStorlink(pm.uuid))
  expect(here.view.pms()).toEqual([])
  await here.view.refresh()
  expect(here.view.vms()).toEqual(there.view.vms() as never)
  expect(here.view.pms()).toEqual([pm])

  await here.inventory.putSetting('mine', '1')
  await there.inventory.dropVm(gone.uuid)
  await there.inventory.dropStorlink(storlink)
  await there.inventory.putVm({ ...kept, desc: 'changed there' })
  await there.inventory.putSetting('site', 'north')
  await here.inventory.putSetting('mine', '2')
  await here.view.refresh()
  expect(here.view.vms().map((vm) => vm.desc)).toEqual(['changed there'])
  expect(here.view.storlinks()).toEqual([])
  expect([here.view.setting('site'), here.view.setting('mine')]).toEqual(['north', '2'])
  expect(await failureOf(Promise.resolve().then(() => here.view.needVm(gone.uuid)))).toContain('notFound:')
})

test('of what is dropped there and put again here, the later one counts', async () => {
  await using place = newPlace()
  const here = await place.open()
  const there = await place.open()
  const pm = aPm()
  const vm = aVm(pm.uuid)
  await here.inventory.putPm(pm)
  await here.inventory.putVm(vm)
  await there.inventory.dropVm(vm.uuid)
  await here.inventory.putVm({ ...vm, desc: 'again' })
  await here.view.refresh()
  await there.view.refresh()
  expect(here.view.needVm(vm.uuid).desc).toBe('again')
  expect(there.view.needVm(vm.uuid).desc).toBe('again')
})

test('an own write needs no refresh and a refresh without news changes nothing', async () => {
  await using place = newPlace()
  const { inventory, view } = await place.open()
  await inventory.putPm(aPm())
  const { revision } = view
  const list = view.pms()
  await view.refresh()
  expect(view.revision).toBe(revision)
  expect(view.pms()).toBe(list)
})

test('who has slept for longer than tombstones are kept still learns what is gone', async () => {
  await using place = newPlace()
  const clock = handClock()
  const here = await place.open(clock)
  const there = await place.open(clock)
  const pm = aPm()
  const [kept, gone] = [aVm(pm.uuid), aVm(pm.uuid)]
  await here.inventory.putPm(pm)
  await here.inventory.putVms([kept, gone])
  await there.view.refresh()
  await here.inventory.dropVm(gone.uuid)
  clock.turn(3 * 24 * 3_600_000)
  // Whoever opens the store forgets old tombstones.
  await place.open(clock)
  await there.view.refresh()
  expect(there.view.vms().map((vm) => vm.uuid)).toEqual([kept.uuid])
})

test('listeners get what changed together, once each, and nothing after they stop', async () => {
  await using place = newPlace()
  const { inventory, view, perf } = await place.open()
  const told: (readonly Change[])[] = []
  const stop = view.onChange((changes) => told.push(changes))
  const pm = aPm()
  await inventory.putPm(pm)
  await until(() => told.length > 0)
  told.length = 0
  perf.add(pm.uuid, { at: 1, cpuPercent: 1 })
  perf.add(pm.uuid, { at: 2, cpuPercent: 2 })
  perf.add('other', { at: 2, cpuPercent: 2 })
  await until(() => told.length > 0)
  expect(told).toEqual([
    [
      { kind: 'perf', id: pm.uuid },
      { kind: 'perf', id: 'other' },
    ],
  ])
  stop()
  await inventory.dropPm(pm.uuid)
  await new Promise((resolve) => setImmediate(resolve))
  expect(told).toHaveLength(1)
})

test('jobs: newest first, and on a subject the latest that is not over', async () => {
  await using place = newPlace()
  const { jobs, view } = await place.open()
  const subject = newUuid()
  const first = await jobs.create(aJob(subject))
  const second = await jobs.create(aJob(subject))
  const elsewhere = await jobs.create(aJob())
  expect(view.jobs().map((job) => job.id)).toEqual([elsewhere.id, second.id, first.id])
  expect(view.jobOn('vm', subject)?.id).toBe(second.id)
  await jobs.update(second.id, { state: 'stuck' })
  expect(view.jobOn('vm', subject)?.id).toBe(second.id)
  await jobs.update(second.id, { state: 'kept' })
  expect(view.jobOn('vm', subject)?.id).toBe(first.id)
  await jobs.update(first.id, { state: 'undone' })
  expect(view.jobOn('vm', subject)).toBeUndefined()
  expect(view.jobOn('pm', subject)).toBeUndefined()
})
