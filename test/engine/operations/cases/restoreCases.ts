import { expect } from 'bun:test'
import { snapshotsOf, volumesOf } from '../../../../src/model/layer.ts'
import type { Vm } from '../../../../src/model/vm.ts'
import type { OperationCase } from '../../../contract/operationCase.ts'
import { act, NEW_VM } from '../../../support/sites/acts.ts'
import type { World } from '../../../support/sites/world.ts'
import { ANEW, BACKUP, backedUp, filesOf, makePlace, row } from './backupCases.ts'

/** Backups that come back, whole, a disk of them, or for a proof. */
export const RESTORE_CASES: readonly OperationCase[] = [
  {
    operation: 'backup.restore',
    variant: 'onto its VM',
    async prepare(world) {
      await backedUp()(world)
      return { backup: BACKUP }
    },
    check: (world) => checkRestored(world, []),
  },
  {
    operation: 'backup.restore',
    variant: 'onto its VM with a snapshot below and a disk less, which is kept',
    async prepare(world) {
      const { vm } = await backedUp()(world)
      await act(world, 'disk.delete', { vm, disk: 'xvdb' })
      await act(world, 'snapshot.create', { vm, name: 'before' })
      return { backup: BACKUP, keep: true }
    },
    check(world) {
      checkRestored(world, ['before', 'before restore of monday'])
      const { layers = [] } = world.engine.view.needVm(NEW_VM.uuid)
      for (const { path } of layers.flatMap((layer) => layer.volumes)) expect(filesOf(world)).toContain(path)
    },
  },
  {
    operation: 'backup.restore',
    variant: 'one disk alone, onto its VM',
    async prepare(world) {
      const { vm } = await backedUp()(world)
      await act(world, 'disk.grow', { vm, disk: 'xvda', size: 2048 })
      await act(world, 'disk.grow', { vm, disk: 'xvdb', size: 128 })
      return { backup: BACKUP, disk: 'xvdb' }
    },
    check: (world) => checkRestored(world, [], [2048, 64]),
  },
  {
    operation: 'backup.restore',
    variant: 'one disk alone, as a new VM',
    async prepare(world) {
      await backedUp()(world)
      return { backup: BACKUP, as: 'new', disk: row(world).volumes[1]!.disk, name: 'fresh again', uuid: ANEW }
    },
    check(world) {
      const made = world.engine.view.needVm(ANEW)
      expect(made.disks.map((disk) => [disk.vdev, disk.sizeMib])).toEqual([['xvdb', 64]])
      checkFiles(world, made)
      checkRestored(world, [])
    },
  },
  {
    operation: 'backup.restore',
    variant: 'as a new VM, onto logical volumes',
    async prepare(world) {
      await backedUp()(world)
      const storlink = await makePlace(world, 'BL')
      return { backup: BACKUP, as: 'new', name: 'fresh again', storlink, uuid: ANEW }
    },
    check(world) {
      const [old, made] = [NEW_VM.uuid, ANEW].map((uuid) => world.engine.view.needVm(uuid))
      expect(made).toMatchObject({ name: 'fresh again', memoryMib: 512, seen: { state: 'shutdown' } })
      expect(made!.vnc).toEqual({ listen: '127.0.0.1' })
      expect(made!.nics[0]!.mac).not.toBe(old!.nics[0]!.mac)
      expect(made!.disks.map((disk) => [disk.vdev, disk.backend])).toEqual([
        ['xvda', 'qdisk'],
        ['xvdb', 'qdisk'],
      ])
      for (const disk of made!.disks) expect(old!.disks.map((other) => other.uuid)).not.toContain(disk.uuid)
      checkFiles(world, made!)
    },
  },
  {
    operation: 'backup.restore',
    variant: 'of a VM that is gone',
    async prepare(world) {
      const { vm } = await backedUp()(world)
      await act(world, 'vm.delete', { vm, disks: 'all' })
      return { backup: BACKUP }
    },
    check(world) {
      const vm = world.engine.view.needVm(NEW_VM.uuid)
      expect(vm).toMatchObject({ name: 'fresh', origin: 'created', nics: [{ bridge: 'xenbr0' }] })
      expect(vm.disks.map((disk) => disk.uuid)).toEqual(row(world).volumes.map((volume) => volume.disk))
      expect(vm.nics[0]!.mac).toBe(row(world).spec.nics[0]!.mac)
      checkFiles(world, vm)
    },
  },
  {
    operation: 'backup.drill',
    async prepare(world) {
      await backedUp()(world)
      return { backup: BACKUP, seconds: 1, uuid: ANEW }
    },
    check(world) {
      expect([row(world).drilledAt! > 0, row(world).drillProblem]).toEqual([true, undefined])
      expect(world.engine.view.vms().filter((vm) => vm.name.startsWith('drill'))).toEqual([])
      expect(world.site.pm('xen1').domains.filter((domain) => domain.config.nics.length === 0)).toEqual([])
      expect(filesOf(world).filter((path) => path.includes('drill'))).toEqual([])
    },
  },
]

function checkFiles(world: World, vm: Vm): void {
  for (const { path } of vm.disks) expect(filesOf(world)).toContain(path)
  expect(filesOf(world)).toContain(vm.configPath!)
}

/** Its disks are of these sizes, as the backup has them, and of what was there before only what is listed is left. */
function checkRestored(world: World, snapshots: readonly string[], sizes: readonly number[] = [1024, 64]): void {
  const vm = world.engine.view.needVm(NEW_VM.uuid)
  expect(vm.disks.map((disk) => [disk.vdev, disk.sizeMib])).toEqual([
    ['xvda', sizes[0]],
    ['xvdb', sizes[1]],
  ])
  expect(vm.disks.map((disk) => disk.uuid)).toEqual(row(world).volumes.map((volume) => volume.disk))
  expect(vm.vnc?.password).toBe('verysafe')
  expect([vm.layer, snapshotsOf(vm).map((one) => one.name)]).toEqual([undefined, [...snapshots]])
  checkFiles(world, vm)
  const known = world.engine.view.vms().flatMap((one) => volumesOf(one).map((volume) => volume.path))
  const images = filesOf(world).filter((path) => /^\/data\/[0-9a-f-]{36}[^/]*$/.test(path))
  expect(images.filter((path) => !known.includes(path))).toEqual([])
}
