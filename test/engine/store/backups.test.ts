import { expect, test } from 'bun:test'
import { newUuid } from '../../../src/lib/ids.ts'
import type { Schedule } from '../../../src/model/backup.ts'
import { aBackup } from '../../support/sites/backups.ts'
import { aPm, aStorlink, failureOf, newPlace, type Place } from './samples.ts'

async function furnish(place: Place) {
  const store = await place.open()
  const pm = aPm()
  await store.inventory.putPm(pm)
  const storlink = await store.inventory.putStorlink(aStorlink(pm.uuid))
  return { store, storlink }
}

function aSchedule(storlink: number, more: Partial<Schedule> = {}): Schedule {
  return {
    uuid: newUuid(),
    vm: newUuid(),
    vmName: 'web01',
    storlink,
    cron: '30 2 * * *',
    incremental: true,
    rateMib: 50,
    retention: { keepLast: 3, keepHourly: 0, keepDaily: 7, keepWeekly: 4, keepMonthly: 0 },
    enabled: true,
    createdAt: 1_000,
    ...more,
  }
}

test('backups come back with their volumes, here, in another process and after an opening, newest first', async () => {
  await using place = newPlace()
  const { store, storlink } = await furnish(place)
  const other = await place.open()
  const full = aBackup({ storlink, createdAt: 5_000, fullBecause: 'it is the first' })
  const increment = aBackup({ storlink, vm: full.vm, parent: full.uuid, depth: 1, createdAt: 6_000 })
  await store.inventory.putBackup(full)
  await store.inventory.putBackup(increment)
  expect(store.view.backups()).toEqual([increment, full])
  await other.view.refresh()
  expect(other.view.backupsOf(full.vm)).toEqual([increment, full])
  const checked = { ...increment, state: 'failed' as const, checkedAt: 7_000, problem: 'its digest is another' }
  await other.inventory.putBackup(checked)
  await store.view.refresh()
  expect(store.view.needBackup(increment.uuid)).toEqual(checked)
  expect((await place.open()).view.backups()).toEqual([checked, full])
  for (const uuid of [increment.uuid, increment.uuid, full.uuid]) await store.inventory.dropBackup(uuid)
  await other.view.refresh()
  expect(other.view.backups()).toEqual([])
  expect(other.view.backupsOf(full.vm)).toEqual([])
})

test('a schedule for a filter comes back as one, in another process too', async () => {
  await using place = newPlace()
  const { store, storlink } = await furnish(place)
  const other = await place.open()
  const { vm: _none, ...rest } = aSchedule(storlink)
  const schedule: Schedule = { ...rest, filter: 'os:debian', what: 'verify', vmName: 'os:debian' }
  await store.inventory.putSchedule(schedule)
  await other.view.refresh()
  expect(store.view.schedules()).toEqual([schedule])
  expect(other.view.schedules()).toMatchObject([{ filter: 'os:debian', what: 'verify', vmName: 'os:debian' }])
  expect(other.view.schedules()[0]).not.toContainKey('vm')
  expect((await place.open()).view.needSchedule(schedule.uuid)).not.toContainKey('vm')
})

test('a backup cannot lie on itself, on another VM’s, or on what is gone', async () => {
  await using place = newPlace()
  const { store, storlink } = await furnish(place)
  const full = aBackup({ storlink })
  await store.inventory.putBackup(full)
  const above = { storlink, vm: full.vm, parent: full.uuid, depth: 1 }
  const bad = [
    aBackup({ ...above, depth: 2 }),
    aBackup({ ...above, vm: newUuid() }),
    aBackup({ ...above, parent: newUuid() }),
    { ...full, kind: 'incremental' as const, parent: full.uuid, depth: 1 },
    aBackup({ ...above, checkedAt: undefined }),
  ]
  for (const backup of bad) expect(await failureOf(store.inventory.putBackup(backup))).toMatch(/constraint|conflict/i)
  const increment = aBackup(above)
  await store.inventory.putBackup(increment)
  expect(await failureOf(store.inventory.dropBackup(full.uuid))).toBe(
    `conflict: cannot drop backup ${full.uuid}: backup ${increment.name} lies on it`,
  )
  expect(await failureOf(store.inventory.putBackup(aBackup({ ...above, name: full.name })))).toStartWith(
    `conflict: cannot keep backup ${full.name}: ${full.uuid} of web01 is called so`,
  )
  expect(store.view.backups()).toHaveLength(2)
})

test('a storlink with a backup on it, or that a schedule names, is not dropped', async () => {
  await using place = newPlace()
  const { store, storlink } = await furnish(place)
  const backup = aBackup({ storlink, name: 'monday' })
  await store.inventory.putBackup(backup)
  expect(await failureOf(store.inventory.dropStorlink(storlink))).toBe(
    `conflict: cannot drop storlink ${storlink}: backup monday of web01 lies on it`,
  )
  await store.inventory.dropBackup(backup.uuid)
  const schedule = aSchedule(storlink)
  await store.inventory.putSchedule(schedule)
  expect(await failureOf(store.inventory.dropStorlink(storlink))).toContain('web01 is backed up to it by a schedule')
  await store.inventory.dropSchedule(schedule.uuid)
  await store.inventory.dropStorlink(storlink)
  expect(await failureOf(store.inventory.putBackup(backup))).toContain(`no storlink ${storlink} is known`)
})

test('what a schedule is due for is taken on once, by one of all processes', async () => {
  await using place = newPlace()
  const { store, storlink } = await furnish(place)
  const other = await place.open()
  const schedule = aSchedule(storlink)
  await store.inventory.putSchedule(schedule)
  await other.view.refresh()
  const answers = await Promise.all([
    store.inventory.takeSchedule(schedule.uuid, 9_000),
    other.inventory.takeSchedule(schedule.uuid, 9_000),
    store.inventory.takeSchedule(schedule.uuid, 9_000),
  ])
  expect(answers.filter(Boolean)).toHaveLength(1)
  expect(await other.inventory.takeSchedule(schedule.uuid, 8_000)).toBe(false)
  expect(await other.inventory.takeSchedule(newUuid(), 8_000)).toBe(false)
  await store.view.refresh()
  expect(store.view.schedules()).toEqual([{ ...schedule, takenAt: 9_000 }])
  expect(await other.inventory.takeSchedule(schedule.uuid, 10_000)).toBe(true)
  await store.view.refresh()
  await store.inventory.putSchedule({ ...store.view.needSchedule(schedule.uuid), enabled: false })
  expect((await place.open()).view.needSchedule(schedule.uuid)).toMatchObject({ takenAt: 10_000, enabled: false })
})
