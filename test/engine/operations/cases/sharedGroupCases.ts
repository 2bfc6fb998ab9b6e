import { expect } from 'bun:test'
import { changerTag, changerTags } from '../../../../src/engine/tools/lvmTags.ts'
import type { OperationCase } from '../../../contract/operationCase.ts'
import { act, NEW_VM, pmNamed, startVm } from '../../../support/sites/acts.ts'
import { makeSan, makeVmOn, volumesOfSan } from '../../../support/sites/sharedGroup.ts'
import type { World } from '../../../support/sites/world.ts'
import { joinPms } from './migrateCases.ts'

/** What is done for a VM on xen2 with a volume group that xen1 changes. */

const disksOf = (world: World) => world.engine.view.needVm(NEW_VM.uuid).disks
const nameOf = (path: string) => path.slice('/dev/san/'.length)
const sanOf = (world: World) => world.site.pm('xen1').groups.find((one) => one.name === 'san')!
const changersOfSan = (world: World) => changerTags(sanOf(world).tags ?? [])
const first = (world: World) => volumesOfSan(world)[nameOf(disksOf(world)[0]!.path)]

async function makeVm(
  world: World,
  pm: 'xen1' | 'xen2' = 'xen2',
): Promise<{ readonly vm: string; readonly storlink: number }> {
  const storlink = await makeSan(world)
  return { vm: await makeVmOn(world, storlink, pm), storlink }
}

export const SHARED_GROUP_CASES: readonly OperationCase[] = [
  {
    operation: 'disk.create',
    variant: 'on a volume group that another PM changes',
    prepare: async (world) => ({ ...(await makeVm(world)), size: 32, format: 'raw' }),
    check(world) {
      const names = disksOf(world).map(({ path }) => nameOf(path))
      expect(Object.keys(volumesOfSan(world)).sort()).toEqual(names.sort())
      expect(Object.values(volumesOfSan(world)).map(({ on }) => on)).toEqual([['xen2'], ['xen2']])
    },
  },
  {
    operation: 'disk.grow',
    variant: 'on a volume group that another PM changes',
    async prepare(world) {
      const { vm } = await makeVm(world)
      return { vm, disk: disksOf(world)[0]!.uuid, size: 128 }
    },
    check: (world) => expect(first(world)).toEqual({ on: ['xen2'], mib: 128 }),
  },
  {
    operation: 'disk.delete',
    variant: 'on a volume group that another PM changes',
    async prepare(world) {
      const { vm, storlink } = await makeVm(world)
      await act(world, 'disk.create', { vm, storlink, size: 32 })
      return { vm, disk: disksOf(world)[1]!.uuid }
    },
    check: (world) => expect(Object.keys(volumesOfSan(world))).toEqual([nameOf(disksOf(world)[0]!.path)]),
  },
  {
    operation: 'vm.migrate',
    variant: 'running, on a volume group',
    async prepare(world) {
      await joinPms(world)
      const { vm } = await makeVm(world, 'xen1')
      await startVm(world, vm)
      return { vm, pm: pmNamed(world, 'xen2') }
    },
    check(world) {
      expect(world.engine.view.needVm(NEW_VM.uuid)).toMatchObject({ pm: pmNamed(world, 'xen2') })
      expect(first(world)).toEqual({ on: ['xen2'], mib: 64 })
    },
  },
  {
    operation: 'storlink.update',
    variant: 'another PM of one that several see',
    prepare: async (world) => ({ storlink: await makeSan(world), pm: pmNamed(world, 'xen2') }),
    check(world) {
      const san = world.engine.view.storlinks().find((one) => one.name === 'san')
      expect(san).toMatchObject({ pm: pmNamed(world, 'xen2'), link: '/dev/san', shared: true })
      expect(changersOfSan(world)).toEqual([changerTag({ pm: pmNamed(world, 'xen2'), name: 'xen2' })])
    },
  },
  {
    operation: 'storlink.mark',
    variant: 'a volume group that has lost its tags',
    async prepare(world) {
      const storlink = await makeSan(world)
      sanOf(world).tags = []
      return { storlink }
    },
    check(world) {
      expect(changersOfSan(world)).toEqual([changerTag({ pm: pmNamed(world), name: 'xen1' })])
      expect(sanOf(world).tags).toHaveLength(2)
    },
  },
]
