import { expect, test } from 'bun:test'
import { act, NEW_VM, pmNamed } from '../../support/sites/acts.ts'
import { openWorld } from '../../support/sites/world.ts'

test('a logical volume goes with its snapshot under a guest whose disk was built with it', async () => {
  const world = await openWorld()
  try {
    await act(world, 'storlink.create', { name: 'fast', link: 'vg-fast', type: 'LO', level: 'BL', pm: pmNamed(world) })
    const storlink = world.engine.view.storlinks()[0]!.id
    await act(world, 'vm.create', { ...NEW_VM, storlink, pm: pmNamed(world) })
    const vm = NEW_VM.uuid
    const built = world.engine.view.needVm(vm).disks.map(({ path }) => path)
    await act(world, 'vm.start', { vm })
    for (const name of ['first', 'second']) await act(world, 'snapshot.create', { vm, name })
    for (const name of ['second', 'first']) await act(world, 'snapshot.delete', { vm, snapshot: name })
    const group = world.site.pm('xen1').groups.find(({ name }) => name === 'vg-fast')!
    const left = group.volumes.flatMap(({ name }) => (name.startsWith('pengx-') ? `/dev/vg-fast/${name}` : []))
    expect(left.sort()).toEqual(
      world.engine.view
        .needVm(vm)
        .disks.map(({ path }) => path)
        .sort(),
    )
    expect(left.filter((path) => built.includes(path))).toEqual([])
    await act(world, 'vm.poweroff', { vm })
  } finally {
    await world.close()
  }
})
