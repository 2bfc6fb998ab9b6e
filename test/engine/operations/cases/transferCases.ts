import { expect } from 'bun:test'
import { needNode, writeText } from '../../../../src/sim/machine/files.ts'
import type { OperationCase } from '../../../contract/operationCase.ts'
import { ovaOf, ovfOf } from '../../../support/ova.ts'
import { makeStorlink, makeStorlinks, makeVm } from '../../../support/sites/acts.ts'
import type { World } from '../../../support/sites/world.ts'

/** VMs that come from elsewhere, and go there. */
const IMPORTED = '99999999-2222-4333-8444-555555555555'
const MIB = 1048576
const OVA = '/data/shop.ova'

/** The beginning of a VMDK with the size of its disk, in characters of one byte. */
function vmdkOf(bytes: number): string {
  const header = Buffer.alloc(1024)
  header.write('KDMV', 0)
  header.writeBigUInt64LE(BigInt(bytes / 512), 12)
  return header.toString('latin1')
}

function putOva(world: World): void {
  const disks = ['web01-disk1.vmdk', 'web01-disk2.vmdk'].map((name) => ({ name, bytes: vmdkOf(256 * MIB) }))
  const ovf = ovfOf({ name: 'shop01', nics: 2, disks: disks.map(({ name }) => ({ href: name, capacity: 256 * MIB })) })
  const pm = world.site.pm('xen1')
  writeText(pm, OVA, ovaOf(ovf, disks).toString('latin1'), 0)
  const node = needNode(pm, OVA)
  if (node.kind === 'file') node.image = { format: 'vmdk', virtualSize: 256 * MIB }
  world.site.save()
}

const EXPORT = 'aaaaaaaa-3333-4333-8444-555555555555'
const exported = (world: World) =>
  files(world)
    .filter((path) => path.startsWith('/root/'))
    .sort()
const files = (world: World) => Object.keys(world.site.filesOn('xen1'))

export const TRANSFER_CASES: readonly OperationCase[] = [
  {
    operation: 'vm.import',
    variant: 'of a disk image',
    prepare: async (world) => ({
      file: '/data/images/debian-12.qcow2',
      memory: 512,
      storlink: await makeStorlink(world),
      bridges: 'xenbr0',
      uuid: IMPORTED,
    }),
    check(world) {
      const vm = world.engine.view.needVm(IMPORTED)
      expect(vm).toMatchObject({ name: 'debian-12', origin: 'created', memoryMib: 512, seen: { state: 'shutdown' } })
      expect(vm.disks.map(({ vdev, sizeMib, format, owned }) => [vdev, sizeMib, format, owned])).toEqual([
        ['xvda', 10240, 'qcow2', true],
      ])
      expect(files(world)).toEqual(expect.arrayContaining([vm.disks[0]!.path, '/data/images/debian-12.qcow2']))
    },
  },
  {
    operation: 'vm.import',
    variant: 'into a volume group',
    async prepare(world) {
      await makeStorlinks(world)
      const { id } = world.engine.view.storlinks().find(({ name }) => name === 'fast')!
      const words = { memory: 512, storlink: id, uuid: IMPORTED, name: 'block', diskFormat: 'raw' }
      return { file: '/data/images/debian-12.qcow2', ...words }
    },
    check(world) {
      const [disk] = world.engine.view.needVm(IMPORTED).disks
      expect(disk).toMatchObject({ path: `/dev/vg-fast/pengx-${disk!.uuid}`, format: 'raw', sizeMib: 10240 })
      expect(files(world)).toContain(disk!.path)
    },
  },
  {
    operation: 'vm.import',
    variant: 'of an OVA',
    async prepare(world) {
      const storlink = await makeStorlink(world)
      putOva(world)
      return { file: OVA, storlink, uuid: IMPORTED }
    },
    check(world) {
      const vm = world.engine.view.needVm(IMPORTED)
      expect(vm).toMatchObject({ name: 'shop01', memoryMib: 512, vcpuCount: 2, seen: { state: 'shutdown' } })
      expect(vm.disks.map(({ vdev, sizeMib }) => [vdev, sizeMib])).toEqual([
        ['xvda', 256],
        ['xvdb', 256],
      ])
      expect(vm.nics.map(({ bridge }) => bridge)).toEqual(['', ''])
      for (const { path } of vm.disks) expect(files(world)).toContain(path)
    },
  },
  {
    operation: 'vm.export',
    variant: 'into a directory',
    prepare: async (world) => ({ vm: (await makeVm(world)).uuid, to: '/root/fresh', export: EXPORT }),
    check(world) {
      expect(exported(world)).toEqual([
        '/root/fresh',
        '/root/fresh/fresh-xvda.qcow2',
        '/root/fresh/fresh-xvdb.qcow2',
        '/root/fresh/fresh.mf',
        '/root/fresh/fresh.ovf',
        '/root/fresh/fresh.pengx.json',
      ])
    },
  },
  {
    operation: 'vm.export',
    variant: 'as an OVA',
    prepare: async (world) => ({ vm: (await makeVm(world)).uuid, to: '/root/fresh.ova', export: EXPORT }),
    check: (world) => expect(exported(world)).toEqual(['/root/fresh.ova']),
  },
]
