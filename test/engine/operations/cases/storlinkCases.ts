import { expect } from 'bun:test'
import { run } from '../../../../src/engine/host/run.ts'
import { markerPath, parseMarker } from '../../../../src/engine/tools/storlinkMarker.ts'
import { formatClaim } from '../../../../src/model/storage/claim.ts'
import { findNode } from '../../../../src/sim/machine/files.ts'
import type { OperationCase } from '../../../contract/operationCase.ts'
import { makeStorlink, makeVm, NEW_VM, pmNamed } from '../../../support/sites/acts.ts'
import type { World } from '../../../support/sites/world.ts'

/** Storlinks: made of a directory and of a volume group, changed and forgotten. */
const only = (world: World) => world.engine.view.storlinks()

/** What the marker of a directory says; undefined where there is none. */
function markerOn(world: World, link: string): string | undefined {
  const node = findNode(world.site.pm('xen1'), markerPath(link))
  return node?.kind === 'file' ? parseMarker(node.text ?? '') : undefined
}

const groupTags = (world: World) => world.site.pm('xen1').groups[0]!.tags

/** What a job whose removals were lost would leave beside a volume that it has made. */
async function leave(world: World, path: string): Promise<readonly string[]> {
  const paths = [`${path}.new`, `${path}.parts`, '/data/gone.qcow2.claim']
  const pm = pmNamed(world)
  const claim = { vm: 'gone', pm, bootId: '', domid: 77, controller: 'there', store: 'another', at: 0 }
  const host = world.site.host('xen1')
  await run(host, { argv: ['qemu-img', 'create', '-f', 'qcow2', paths[0]!, '64M'], effect: 'change' })
  await run(host, { argv: ['mkdir', paths[1]!], effect: 'change' })
  await run(host, { argv: ['touch', `${paths[1]}/0`], effect: 'change' })
  await run(host, { argv: ['ln', '-s', formatClaim(claim), paths[2]!], effect: 'change' })
  return paths
}

export const STORLINK_CASES: readonly OperationCase[] = [
  {
    operation: 'storlink.create',
    prepare: async (world) => ({ name: 'data', link: '/data/', type: 'LO', level: 'FL', pm: pmNamed(world) }),
    check(world) {
      expect(only(world)).toMatchObject([{ name: 'data', link: '/data', level: 'FL', shared: false }])
      expect(markerOn(world, '/data')).toBe(only(world)[0]!.uuid!)
      expect(only(world)[0]!.freeMib).toBeWithin(1, only(world)[0]!.sizeMib)
    },
  },
  {
    operation: 'storlink.create',
    variant: 'a volume group',
    prepare: async (world) => ({ name: 'fast', link: 'vg-fast', type: 'FC', level: 'BL', pm: pmNamed(world) }),
    check(world) {
      const [storlink] = only(world)
      expect(storlink).toMatchObject({ name: 'fast', link: '/dev/vg-fast', type: 'FC', level: 'BL' })
      expect(groupTags(world)).toEqual([`pengx.storlink=${storlink!.uuid}`])
      // its thin pool's, which is where new volumes go
      expect(storlink!.sizeMib).toBe(512 * 1024)
    },
  },
  {
    operation: 'storlink.update',
    prepare: async (world) => ({ storlink: await makeStorlink(world), name: 'renamed', desc: 'of VMs', shared: true }),
    check(world) {
      const kept = { link: '/data', type: 'LO', level: 'FL' }
      expect(only(world)).toMatchObject([{ name: 'renamed', desc: 'of VMs', shared: true, ...kept }])
    },
  },
  {
    operation: 'storlink.update',
    variant: 'to another place',
    prepare: async (world) => ({ storlink: await makeStorlink(world), link: '/dev/vg-fast', level: 'BL', type: 'ISC' }),
    check(world) {
      expect(only(world)).toMatchObject([{ name: 'data', link: '/dev/vg-fast', type: 'ISC', level: 'BL' }])
      expect(only(world)[0]!.sizeMib).toBe(512 * 1024)
    },
  },
  {
    operation: 'storlink.mark',
    variant: 'one whose marker was lost',
    async prepare(world) {
      const { uuid } = await makeVm(world)
      await run(world.site.host('xen1'), { argv: ['rm', '/data/.pengx-storlink'], effect: 'change' })
      return { storlink: world.engine.view.needVm(uuid).disks[0]!.storlink }
    },
    check: (world) => expect(markerOn(world, '/data')).toBe(only(world)[0]!.uuid!),
  },
  {
    operation: 'storlink.mark',
    variant: 'another disk',
    async prepare(world) {
      const storlink = await makeStorlink(world)
      world.site.faults.mount('xen1', '/data', 'another')
      return { storlink }
    },
    check: (world) => expect(markerOn(world, '/data')).toBe(only(world)[0]!.uuid!),
  },
  {
    operation: 'storlink.clean',
    async prepare(world) {
      const vm = await makeVm(world)
      const { path } = vm.disks[0]!
      return { storlink: vm.disks[0]!.storlink, paths: await leave(world, path) }
    },
    check(world, { paths }) {
      const files = Object.keys(world.site.filesOn('xen1'))
      expect(files.filter((file) => (paths as string[]).some((path) => file.startsWith(path)))).toEqual([])
      expect(world.engine.view.vms().find(({ name }) => name === NEW_VM.name)!.disks).toHaveLength(2)
    },
  },
  {
    operation: 'storlink.delete',
    prepare: async (world) => ({ storlink: await makeStorlink(world) }),
    check(world) {
      expect(only(world)).toEqual([])
      // another pengx may know it by that
      expect(markerOn(world, '/data')).toBeString()
    },
  },
]
