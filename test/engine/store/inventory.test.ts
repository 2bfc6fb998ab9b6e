import { expect, test } from 'bun:test'
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { newUuid } from '../../../src/lib/ids.ts'
import { emptyPmSeen } from '../../../src/model/pm.ts'
import { aDisk, aNic, aPm, aStorlink, aVm, failureOf, newPlace } from './samples.ts'

test('what is put is there after the next opening, field by field', async () => {
  await using place = newPlace()
  const store = await place.open()
  const pm = aPm({ readOnly: true, seen: { ...emptyPmSeen(5), reach: 'up', bridges: ['xenbr0'], freeMib: 12 } })
  await store.inventory.putPm(pm)
  const storlink = aStorlink(pm.uuid, { shared: true, desc: 'fast' })
  const id = await store.inventory.putStorlink(storlink)
  const vm = aVm(pm.uuid, {
    vnc: { listen: '127.0.0.1', password: 'abcdefgh', display: 3 },
    drives: [{ vdev: 'hdb', cdrom: true, path: '/srv/iso/debian.iso', after: 1, text: 'x' }],
    disks: [
      aDisk('xvda', { storlink: id }),
      aDisk('xvdb', { sizeMib: undefined, backend: 'phy', extra: 'script=block-drbd', format: 'raw' }),
    ],
    nics: [aNic('00:16:3e:00:00:01', { model: 'e1000' }), aNic('00:16:3e:00:00:02', { name: 'eth1', extra: 'rate=1' })],
    extraConfig: 'device_model_version = "x"\n',
    bootedAt: 77,
    configPath: '/etc/xen/web01.cfg',
    configForeign: true,
  })
  await store.inventory.putVm(vm)
  await store.inventory.putSetting('site', 'north')
  const before = store.view
  await store.close()

  const { view } = await place.open()
  expect(view.needPm(pm.uuid)).toEqual(pm)
  expect(view.needStorlink(id)).toEqual({ ...storlink, id })
  const numbers = view.needVm(vm.uuid).nics.map((nic) => nic.id)
  expect(view.needVm(vm.uuid)).toEqual({ ...vm, nics: vm.nics.map((nic, index) => ({ ...nic, id: numbers[index]! })) })
  expect(new Set(numbers).size).toBe(2)
  expect(numbers).not.toContain(0)
  expect(view.vms()).toEqual(before.vms() as never)
  expect(view.setting('site')).toBe('north')
})

test('only the owner can read the file, its companions and its directory', async () => {
  await using place = newPlace()
  const store = await place.open()
  await store.inventory.putPm(aPm())
  const modeOf = (path: string) => statSync(path).mode & 0o777
  expect(modeOf(dirname(place.path))).toBe(0o700)
  expect(modeOf(place.path)).toBe(0o600)
  expect(modeOf(`${place.path}-wal`)).toBe(0o600)
  expect(modeOf(`${place.path}-shm`)).toBe(0o600)
})

test('a name belongs to one managed VM; a found one may share it until it is adopted', async () => {
  await using place = newPlace()
  const { inventory, view } = await place.open()
  const pm = aPm()
  await inventory.putPm(pm)
  const first = aVm(pm.uuid, { name: 'web01' })
  const found = aVm(pm.uuid, { name: 'web01', origin: 'found' })
  await inventory.putVm(first)
  await inventory.putVm(found)
  expect(view.vmsNamed('web01')).toHaveLength(2)
  expect(await failureOf(inventory.putVm({ ...found, origin: 'adopted' }))).toBe(
    `conflict: cannot keep VM web01 (${found.uuid}): VM ${first.uuid} has that name`,
  )
  expect(view.needVm(found.uuid).origin).toBe('found')
  await inventory.dropVm(first.uuid)
  await inventory.putVm({ ...found, origin: 'adopted' })
  expect(view.vmsNamed('web01').map((vm) => vm.origin)).toEqual(['adopted'])
})

test('a network address belongs to one managed VM, however it is written', async () => {
  await using place = newPlace()
  const { inventory } = await place.open()
  const pm = aPm()
  await inventory.putPm(pm)
  const first = aVm(pm.uuid, { name: 'a', nics: [aNic('00:16:3e:aa:00:01')] })
  await inventory.putVm(first)
  const second = aVm(pm.uuid, { name: 'b', nics: [aNic('00:16:3E:AA:00:01')] })
  expect(await failureOf(inventory.putVm(second))).toBe(
    `conflict: cannot keep VM b: VM a (${first.uuid}) has the network address 00:16:3e:aa:00:01 too`,
  )
  await inventory.putVm({ ...second, origin: 'found' })
  await inventory.putVm(aVm(pm.uuid, { nics: [aNic(''), aNic('')] }))
  const twice = aVm(pm.uuid, { name: 'c', nics: [aNic('00:16:3e:aa:00:02'), aNic('00:16:3e:aa:00:02')] })
  expect(await failureOf(inventory.putVm(twice))).toContain('conflict: cannot keep VM c: two of its network interfaces')
})

test('a disk belongs to one VM, under one name there', async () => {
  await using place = newPlace()
  const { inventory, view } = await place.open()
  const pm = aPm()
  await inventory.putPm(pm)
  const disk = aDisk('xvda')
  const vm = aVm(pm.uuid, { name: 'a', disks: [disk] })
  await inventory.putVm(vm)
  expect(await failureOf(inventory.putVm(aVm(pm.uuid, { name: 'b', disks: [disk] })))).toContain(
    `conflict: cannot keep VM b: its disk ${disk.uuid} is a disk of VM a`,
  )
  expect(await failureOf(inventory.putVm({ ...vm, disks: [disk, aDisk('xvda')] }))).toBe(
    'conflict: cannot keep VM a: two of its disks are xvda',
  )
  expect(view.needVm(vm.uuid).disks).toEqual([disk])
})

test('nothing refers to what is not there, and what is referred to stays', async () => {
  await using place = newPlace()
  const { inventory, view } = await place.open()
  const nowhere = newUuid()
  expect(await failureOf(inventory.putVm(aVm(nowhere, { name: 'a' })))).toBe(
    `notFound: cannot keep VM a: no PM ${nowhere} is known`,
  )
  expect(await failureOf(inventory.putStorlink(aStorlink(nowhere)))).toContain('notFound:')
  const pm = aPm()
  await inventory.putPm(pm)
  expect(await failureOf(inventory.putVm(aVm(pm.uuid, { disks: [aDisk('xvda', { storlink: 9 })] })))).toContain(
    'lies on storlink 9, which is not known',
  )
  const storlink = await inventory.putStorlink(aStorlink(pm.uuid))
  const vm = aVm(pm.uuid, { name: 'a', disks: [aDisk('xvda', { storlink })] })
  await inventory.putVm(vm)
  expect(await failureOf(inventory.dropStorlink(storlink))).toBe(
    `conflict: cannot drop storlink ${storlink}: disk xvda of VM a lies on it`,
  )
  expect(await failureOf(inventory.dropPm(pm.uuid))).toBe(`conflict: cannot drop PM ${pm.uuid}: VM a lives there`)
  await inventory.dropVm(vm.uuid)
  expect(await failureOf(inventory.dropPm(pm.uuid))).toContain('storlink images was made there')
  await inventory.dropStorlink(storlink)
  const found = aVm(pm.uuid, { origin: 'found' })
  await inventory.putVm(found)
  await inventory.dropPm(pm.uuid)
  expect([view.pms(), view.vms(), view.storlinks()]).toEqual([[], [], []])
})

test('what the rules of a storlink forbid, the database refuses', async () => {
  await using place = newPlace()
  const { inventory, view } = await place.open()
  const pm = aPm()
  await inventory.putPm(pm)
  expect(await failureOf(inventory.putStorlink(aStorlink(pm.uuid, { type: 'NFS', level: 'BL' })))).toContain(
    'conflict:',
  )
  expect(view.storlinks()).toEqual([])
})

test('putting again and dropping again change nothing', async () => {
  await using place = newPlace()
  const { inventory, view } = await place.open()
  const pm = aPm()
  await inventory.putPm(pm)
  await inventory.putPm(pm)
  const vm = aVm(pm.uuid, { nics: [aNic('00:16:3e:00:00:09')], disks: [aDisk('xvda')] })
  await inventory.putVm(vm)
  const number = view.needVm(vm.uuid).nics[0]!.id
  await inventory.putVm(vm)
  expect(view.needVm(vm.uuid).nics[0]!.id).toBe(number)
  await inventory.dropVm(vm.uuid)
  await inventory.dropVm(vm.uuid)
  expect(view.vms()).toEqual([])
  await inventory.putVm(vm)
  expect(view.needVm(vm.uuid).nics[0]!.id).toBeGreaterThan(number)
})

test('many at once are all there or none', async () => {
  await using place = newPlace()
  const { inventory, view } = await place.open()
  const pm = aPm()
  await inventory.putPm(pm)
  const vms = Array.from({ length: 450 }, (_, index) => aVm(pm.uuid, { name: `vm${index}`, disks: [aDisk('xvda')] }))
  const clash = aVm(pm.uuid, { name: 'vm7' })
  expect(await failureOf(inventory.putVms([...vms, clash]))).toContain('conflict: cannot keep VM vm7')
  expect(view.vms()).toEqual([])
  await inventory.putVms(vms)
  expect(view.vms()).toHaveLength(450)
  await inventory.dropVms(vms.slice(1).map((vm) => vm.uuid))
  expect(view.vms().map((vm) => vm.name)).toEqual(['vm0'])
})
