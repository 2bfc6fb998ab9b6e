import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import type { PmSeen } from '../../../src/model/pm.ts'
import { aPm, aStorlink, aVm, handClock, newPlace, type Place } from './samples.ts'

/** How many transactions have written something that others read. */
function revisionOn({ path }: Place): number {
  const file = new Database(path, { readonly: true })
  try {
    return (file.query("select value from counters where name = 'revision'").get() as { value: number }).value
  } finally {
    file.close()
  }
}

test('a look that sees nothing new writes nothing; one that does writes once', async () => {
  await using place = newPlace()
  const clock = handClock()
  const { inventory, view } = await place.open(clock)
  const seen: PmSeen = { reach: 'up', since: 5, at: clock.now(), bridges: ['xenbr0'], freeMib: 9 }
  const pm = aPm({ seen })
  const vm = aVm(pm.uuid)
  await inventory.putPm(pm)
  await inventory.putVm(vm)
  const before = revisionOn(place)
  clock.turn(2_000)
  const later = { ...seen, bridges: ['xenbr0'], at: clock.now(), load: 0.7 }
  await inventory.recordSeen({
    pms: [{ uuid: pm.uuid, seen: later, cpuCount: 8 }],
    vms: [{ uuid: vm.uuid, seen: { ...vm.seen, drift: [] } }],
  })
  expect(revisionOn(place)).toBe(before)
  expect(view.needPm(pm.uuid).seen).toEqual(later)

  const running = { state: 'running', since: 9, domid: 4, drift: [] } as const
  await inventory.recordSeen({
    pms: [{ uuid: pm.uuid, seen: { ...later, freeMib: 8 } }],
    vms: [
      { uuid: vm.uuid, seen: running, bootedAt: 12.7 },
      { uuid: 'gone', seen: running },
    ],
  })
  expect(revisionOn(place)).toBe(before + 1)
  expect(view.needVm(vm.uuid).seen).toEqual(running)
  const other = await place.open(clock)
  expect(other.view.needVm(vm.uuid)).toEqual({ ...vm, seen: running, bootedAt: 13 })
  expect(other.view.needPm(pm.uuid).seen.freeMib).toBe(8)
})

test('when a PM was last seen reaches the disk once a minute', async () => {
  await using place = newPlace()
  const clock = handClock()
  const { inventory } = await place.open(clock)
  const pm = aPm({ seen: { reach: 'up', since: 5, at: clock.now() } })
  await inventory.putPm(pm)
  const before = revisionOn(place)
  for (let look = 0; look < 60; look++) {
    clock.turn(2_000)
    await inventory.recordSeen({ pms: [{ uuid: pm.uuid, seen: { ...pm.seen, at: clock.now() } }] })
  }
  expect(revisionOn(place)).toBe(before + 2)
})

test('bootedAt stays where it is left out and goes where it is undefined', async () => {
  await using place = newPlace()
  const { inventory, view } = await place.open()
  const pm = aPm()
  const vm = aVm(pm.uuid, { bootedAt: 5 })
  await inventory.putPm(pm)
  await inventory.putVm(vm)
  await inventory.recordSeen({ vms: [{ uuid: vm.uuid, seen: { state: 'paused', since: 1, drift: [] } }] })
  expect(view.needVm(vm.uuid).bootedAt).toBe(5)
  await inventory.recordSeen({ vms: [{ uuid: vm.uuid, seen: vm.seen, bootedAt: undefined }] })
  expect(view.needVm(vm.uuid).bootedAt).toBeUndefined()
})

test('what another has dropped does not come back by being seen', async () => {
  await using place = newPlace()
  const here = await place.open()
  const pm = aPm()
  const vm = aVm(pm.uuid)
  await here.inventory.putPm(pm)
  await here.inventory.putVm(vm)
  const there = await place.open()
  await there.inventory.dropVm(vm.uuid)
  await here.inventory.recordSeen({ vms: [{ uuid: vm.uuid, seen: { state: 'running', since: 2, drift: [] } }] })
  await here.view.refresh()
  expect(here.view.vms()).toEqual([])
})

test('what another has changed is not hidden by what was seen here after it', async () => {
  await using place = newPlace()
  const here = await place.open()
  const pm = aPm()
  const vm = aVm(pm.uuid)
  await here.inventory.putPm(pm)
  await here.inventory.putVm(vm)
  const there = await place.open()
  await there.inventory.putVm({ ...vm, desc: 'changed there' })
  await there.inventory.putPm({ ...pm, readOnly: true })
  const seen = { state: 'running', since: 2, drift: [] } as const
  await here.inventory.recordSeen({
    vms: [{ uuid: vm.uuid, seen }],
    pms: [{ uuid: pm.uuid, seen: { ...pm.seen, reach: 'up' } }],
  })
  expect(here.view.needVm(vm.uuid).seen).toEqual(seen)
  await here.view.refresh()
  expect(here.view.needVm(vm.uuid)).toEqual({ ...vm, desc: 'changed there', seen })
  expect(here.view.needPm(pm.uuid)).toEqual({ ...pm, readOnly: true, seen: { ...pm.seen, reach: 'up' } })
})

test('how full a storlink is overwrites nothing else of it, and one that was dropped stays so', async () => {
  await using place = newPlace()
  const here = await place.open()
  const pm = aPm()
  await here.inventory.putPm(pm)
  const id = await here.inventory.putStorlink(aStorlink(pm.uuid, { sizeMib: 100, freeMib: 50 }))
  const there = await place.open()
  const row = there.view.needStorlink(id)
  await there.inventory.putStorlink({ ...row, name: 'renamed there' })
  await here.inventory.recordSeen({ storlinks: [{ id, sizeMib: 200, freeMib: 150 }] })
  await here.view.refresh()
  expect(here.view.needStorlink(id)).toEqual({ ...row, name: 'renamed there', sizeMib: 200, freeMib: 150 })
  const before = revisionOn(place)
  await here.inventory.recordSeen({ storlinks: [{ id, sizeMib: 200, freeMib: 150 }] })
  expect(revisionOn(place)).toBe(before)
  await there.inventory.dropStorlink(id)
  await here.inventory.recordSeen({ storlinks: [{ id, sizeMib: 1, freeMib: 1 }] })
  await here.view.refresh()
  expect(here.view.storlinks()).toEqual([])
})
