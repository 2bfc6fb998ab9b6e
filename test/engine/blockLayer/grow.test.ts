import { expect, test } from 'bun:test'
import { newUuid } from '../../../src/lib/ids.ts'
import { act, NEW_VM, pmNamed } from '../../support/sites/acts.ts'
import { openWorld } from '../../support/sites/world.ts'

const MIB = 1024 * 1024

test('the logical volume of a qcow2 disk is made larger before QEMU is told, which would take an image without room for its guest', async () => {
  const world = await openWorld()
  try {
    await act(world, 'storlink.create', { name: 'fast', link: 'vg-fast', type: 'LO', level: 'BL', pm: pmNamed(world) })
    const storlink = world.engine.view.storlinks().find(({ name }) => name === 'fast')!.id
    const vm = newUuid()
    await act(world, 'vm.create', { ...NEW_VM, uuid: vm, name: 'large', storlink, format: 'qcow2', pm: pmNamed(world) })
    await act(world, 'vm.start', { vm })
    const disk = world.engine.view.needVm(vm).disks[0]!
    const volume = () =>
      world.site
        .pm('xen1')
        .groups.flatMap(({ volumes }) => volumes)
        .find(({ name }) => disk.path.endsWith(name))!
    const size = disk.sizeMib! + 512
    expect([disk.format, volume().sizeBytes < size * MIB]).toEqual(['qcow2', true])
    await act(world, 'disk.grow', { vm, disk: disk.uuid, size })
    expect(world.engine.view.needVm(vm).disks[0]!.sizeMib).toBe(size)
    expect(volume().sizeBytes).toBeGreaterThan(size * MIB)
  } finally {
    await world.close()
  }
})
