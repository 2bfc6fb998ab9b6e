import { expect, test } from 'bun:test'
import { newUuid } from '../../../src/lib/ids.ts'
import { childrenOf, depthOf, type Layer, lineOf, snapshotBelow, snapshotsOf } from '../../../src/model/layer.ts'
import { aDisk, aPm, aStorlink, aVm, failureOf, newPlace, type Place } from './samples.ts'

function aLayer(number: number, more: Partial<Layer> = {}): Layer {
  const volume = (vdev: string) => ({
    uuid: newUuid(),
    disk: newUuid(),
    vdev,
    format: 'qcow2' as const,
    sizeMib: 1_024,
    path: `/srv/images/${number}-${vdev}`,
    owned: true,
  })
  return {
    uuid: newUuid(),
    number,
    name: `s${number}`,
    note: '',
    type: 'LIVE',
    createdAt: number,
    volumes: [volume('xvda'), volume('xvdb')],
    ...more,
  }
}

async function furnish(place: Place) {
  const store = await place.open()
  const pm = aPm()
  await store.inventory.putPm(pm)
  return { store, pm: pm.uuid, storlink: await store.inventory.putStorlink(aStorlink(pm.uuid)) }
}

test('a VM comes back with its layers and their volumes, here, in another process and after an opening', async () => {
  await using place = newPlace()
  const { store, pm } = await furnish(place)
  const other = await place.open()
  const first = aLayer(1)
  const second = aLayer(2, { parent: first.uuid, name: undefined, type: 'OFFLINE', note: 'why' })
  const vm = aVm(pm, { disks: [aDisk('xvda')], layer: second.uuid, layers: [first, second] })
  await store.inventory.putVm(vm)
  expect(store.view.needVm(vm.uuid)).toEqual(vm)
  await other.view.refresh()
  expect(other.view.needVm(vm.uuid)).toEqual(vm)
  const merged = { ...vm, layers: [{ ...second, parent: undefined }] }
  await other.inventory.putVm(merged)
  await store.view.refresh()
  expect(store.view.needVm(vm.uuid)).toEqual(merged)
  expect((await place.open()).view.needVm(vm.uuid)).toEqual(merged)
  const plain = { ...vm, layer: undefined, layers: undefined }
  await store.inventory.putVm(plain)
  expect((await place.open()).view.needVm(vm.uuid)).toEqual(plain)
  await store.inventory.dropVm(vm.uuid)
  expect((await place.open()).view.getVm(vm.uuid)).toBeUndefined()
})

test('no layer lies on itself, on a later one, on another VM’s or on none that is known, and nothing half is kept', async () => {
  await using place = newPlace()
  const { store, pm } = await furnish(place)
  const first = aLayer(1)
  const vm = aVm(pm, { layer: first.uuid, layers: [first] })
  await store.inventory.putVm(vm)
  const second = aLayer(2)
  const bad: Layer[][] = [
    [{ ...first, parent: first.uuid }],
    [{ ...first, parent: second.uuid }, second],
    [first, { ...second, number: 1 }],
    [first, { ...second, volumes: [second.volumes[0]!, { ...second.volumes[1]!, vdev: 'xvda' }] }],
  ]
  for (const layers of bad) expect(await failureOf(store.inventory.putVm({ ...vm, layers }))).toMatch(/constraint/i)
  expect(await failureOf(store.inventory.putVm({ ...vm, layer: second.uuid }))).toMatch(/constraint/i)
  const stranger = aVm(pm, { layers: [aLayer(2, { parent: first.uuid })] })
  expect(await failureOf(store.inventory.putVm(stranger))).toMatch(/constraint/i)
  expect((await place.open()).view.vms()).toEqual([vm])
})

test('a storlink with a frozen volume on it stays', async () => {
  await using place = newPlace()
  const { store, pm, storlink } = await furnish(place)
  const layer = aLayer(1)
  const volumes = layer.volumes.map((volume) => ({ ...volume, storlink }))
  await store.inventory.putVm(aVm(pm, { layer: layer.uuid, layers: [{ ...layer, volumes }] }))
  expect(await failureOf(store.inventory.dropStorlink(storlink))).toMatch(/conflict|constraint/i)
  const lost = aVm(pm, { layers: [{ ...aLayer(1), volumes: [{ ...volumes[0]!, uuid: newUuid(), storlink: 99 }] }] })
  expect(await failureOf(store.inventory.putVm(lost))).toContain('storlink 99')
})

test('who lies on whom', () => {
  const [a, b, c, d] = [aLayer(1), aLayer(2), aLayer(3), aLayer(4)]
  const hidden = { ...b!, parent: a!.uuid, name: undefined }
  const vm = { layer: d!.uuid, layers: [a!, hidden, { ...c!, parent: hidden.uuid }, { ...d!, parent: hidden.uuid }] }
  expect(lineOf(vm, vm.layer).map((layer) => layer.number)).toEqual([4, 2, 1])
  expect(depthOf(vm)).toBe(3)
  expect(snapshotsOf(vm).map((one) => one.number)).toEqual([1, 3, 4])
  expect(snapshotBelow(vm, vm.layers[3]!)?.number).toBe(1)
  expect(childrenOf(vm, hidden.uuid).layers.map((layer) => layer.number)).toEqual([3, 4])
  expect(childrenOf(vm, d!.uuid)).toEqual({ layers: [], current: true })
})
