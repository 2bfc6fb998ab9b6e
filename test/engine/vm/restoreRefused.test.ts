import { afterEach, beforeEach, expect, test } from 'bun:test'
import { act, refusalOf } from '../../support/sites/acts.ts'
import { openWorld, type World } from '../../support/sites/world.ts'
import { wanted } from '../operations/cases/backupCases.ts'

/** Some disks of a backup come back alone where that leaves the others, and what is kept of all of them, as they are. */

let world: World
let vm: string
let backup: string
beforeEach(async () => {
  world = await openWorld()
  const raw = await wanted()(world)
  await act(world, 'backup.create', raw)
  ;({ vm, backup } = raw)
})
afterEach(() => world.close())

const refusal = (more: object) => refusalOf(world, 'backup.restore', { backup, ...more })
const rowOf = () => world.engine.view.needVm(vm)

test('a disk that the backup has not, by the names of those that it has', async () => {
  const words = 'backup monday of fresh holds no disk xvdc; it holds xvda, xvdb'
  expect(await refusal({ disk: 'xvda,xvdc' })).toContain(words)
  expect(await refusal({ disk: 'xvdc', as: 'new', name: 'again' })).toContain(words)
})

test('what is replaced is no snapshot where another disk stays', async () => {
  const words = 'keep: a snapshot holds all disks of a VM, and xvdb shall stay: make a backup of what it holds now'
  expect(await refusal({ disk: 'xvda', keep: true })).toContain(words)
  await act(world, 'backup.restore', { backup, disk: 'xvda,xvdb', keep: true })
  expect(rowOf().layers).toHaveLength(1)
})

test('a disk does not leave the layer that the others go on from; all of them do', async () => {
  await act(world, 'snapshot.create', { vm, name: 'before' })
  const words = 'fresh goes on from a snapshot, which holds all of its disks, and xvda shall stay: restore all of them'
  expect(await refusal({ disk: 'xvdb' })).toContain(words)
  await act(world, 'backup.restore', { backup })
  await act(world, 'backup.restore', { backup, disk: 'xvdb' })
  expect(rowOf().layer).toBeUndefined()
})

test('a disk does not come back under the name that another has by now', async () => {
  await act(world, 'disk.delete', { vm, disk: 'xvdb' })
  await act(world, 'disk.create', { vm, size: 32, storlink: rowOf().disks[0]!.storlink })
  const words = 'xvdb of fresh is another disk by now: restore it as a new VM'
  expect(await refusal({})).toContain(words)
  expect(await refusal({ disk: 'xvdb' })).toContain(words)
  const [, other] = rowOf().disks
  await act(world, 'backup.restore', { backup, disk: 'xvda' })
  expect(rowOf().disks[1]).toEqual(other!)
})

test('a VM that is gone comes back whole, and as a new one with what is asked for', async () => {
  await act(world, 'vm.delete', { vm, disks: 'all' })
  expect(await refusal({ disk: 'xvda' })).toContain('its VM is gone, and comes back with all of its disks')
  await act(world, 'backup.restore', { backup, disk: 'xvda', as: 'new', name: 'again' })
  expect(world.engine.view.vmsNamed('again')[0]!.disks.map((disk) => disk.vdev)).toEqual(['xvda'])
})
