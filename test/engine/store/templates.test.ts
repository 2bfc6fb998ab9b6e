import { expect, test } from 'bun:test'
import { newUuid } from '../../../src/lib/ids.ts'
import type { Template } from '../../../src/model/template.ts'
import { aDisk, aPm, aStorlink, aVm, failureOf, newPlace, type Place } from './samples.ts'

function aTemplate(pm: string, storlink: number, more: Partial<Template> = {}): Template {
  const disk = (order: number) => ({
    uuid: newUuid(),
    format: 'qcow2' as const,
    sizeMib: 1_024 * (order + 1),
    path: `/srv/images/${order}`,
    storlink,
    desc: '',
    createdAt: 1_000,
  })
  return {
    uuid: newUuid(),
    name: 'debian12',
    pm,
    os: 'DEBIAN',
    osArch: 'X64',
    desc: '',
    type: 'pvh',
    boot: { kernel: '/boot/vmlinuz' },
    disks: [disk(0), disk(1)],
    createdAt: 1_000,
    ...more,
  }
}

async function furnish(place: Place) {
  const store = await place.open()
  const pm = aPm()
  await store.inventory.putPm(pm)
  const storlink = await store.inventory.putStorlink(aStorlink(pm.uuid))
  return { store, pm: pm.uuid, storlink }
}

test('a template comes back with its disks in their order, here, in another process and after an opening', async () => {
  await using place = newPlace()
  const { store, pm, storlink } = await furnish(place)
  const other = await place.open()
  const template = aTemplate(pm, storlink, { bootedAt: 88 })
  await store.inventory.putTemplate(template)
  expect(store.view.templates()).toEqual([template])
  await other.view.refresh()
  expect(other.view.needTemplate(template.uuid)).toEqual(template)
  const changed = { ...template, name: 'debian13', bootedAt: undefined, disks: [...template.disks].reverse() }
  await other.inventory.putTemplate(changed)
  await store.view.refresh()
  expect(store.view.needTemplate(template.uuid)).toEqual(changed)
  expect((await place.open()).view.templates()).toEqual([changed])
  await store.inventory.dropTemplate(template.uuid)
  await store.inventory.dropTemplate(template.uuid)
  await other.view.refresh()
  expect(other.view.templates()).toEqual([])
})

test('a name is one template’s, and a disk is', async () => {
  await using place = newPlace()
  const { store, pm, storlink } = await furnish(place)
  const first = aTemplate(pm, storlink)
  await store.inventory.putTemplate(first)
  expect(await failureOf(store.inventory.putTemplate(aTemplate(pm, storlink)))).toBe(
    `conflict: cannot keep template debian12: template ${first.uuid} has that name`,
  )
  const thief = aTemplate(pm, storlink, { name: 'thief', disks: first.disks })
  expect(await failureOf(store.inventory.putTemplate(thief))).toContain('is a disk of template debian12 already')
  expect(await failureOf(store.inventory.putTemplate(aTemplate(pm, 99, { name: 'lost' })))).toContain('storlink 99')
  expect(store.view.templates()).toEqual([first])
})

test('what VMs were made from or lie on stays, and so does its storlink', async () => {
  await using place = newPlace()
  const { store, pm, storlink } = await furnish(place)
  const template = aTemplate(pm, storlink)
  await store.inventory.putTemplate(template)
  const overlay = aDisk('xvda', { base: template.disks[0]!.uuid, storlink })
  const vm = aVm(pm, { name: 'web01', template: template.uuid, disks: [overlay] })
  await store.inventory.putVm(vm)
  expect((await place.open()).view.needVm(vm.uuid)).toEqual(vm)
  const dropped = `conflict: cannot drop template ${template.uuid}: VM web01 was made from it`
  expect(await failureOf(store.inventory.dropTemplate(template.uuid))).toBe(dropped)
  const less = { ...template, disks: template.disks.slice(1) }
  expect(await failureOf(store.inventory.putTemplate(less))).toStartWith('conflict: ')
  await store.inventory.putTemplate({ ...template, desc: 'kept' })
  expect(store.view.needVm(vm.uuid).disks[0]!.base).toBe(template.disks[0]!.uuid)
  await store.inventory.dropVm(vm.uuid)
  expect(await failureOf(store.inventory.dropStorlink(storlink))).toBe(
    `conflict: cannot drop storlink ${storlink}: a disk of template debian12 lies on it`,
  )
  await store.inventory.dropTemplate(template.uuid)
  expect(await failureOf(store.inventory.putVm(vm))).toContain(`no template ${template.uuid} is known`)
  await store.inventory.dropStorlink(storlink)
})
