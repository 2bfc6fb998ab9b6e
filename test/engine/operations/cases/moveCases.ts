import { expect } from 'bun:test'
import { xen } from '../../../../src/engine/hypervisor/xen.ts'
import type { Vm } from '../../../../src/model/vm.ts'
import type { OperationCase } from '../../../contract/operationCase.ts'
import { act, makeStorlinks, NEW_VM, startVm } from '../../../support/sites/acts.ts'
import type { World } from '../../../support/sites/world.ts'

/** Disks that go over to another storlink, under a guest that runs and without one. */

type Raw = Readonly<Record<string, unknown>>

const vmOf = (world: World, raw: Raw): Vm => world.engine.view.needVm(String(raw.vm))
const storlinkNamed = (world: World, name: string) => world.engine.view.storlinks().find((one) => one.name === name)!.id

async function made(world: World, more: Raw = {}): Promise<Vm> {
  await makeStorlinks(world)
  await act(world, 'vm.create', { ...NEW_VM, ...more, storlink: storlinkNamed(world, 'data') })
  return world.engine.view.needVm(NEW_VM.uuid)
}
const started = async (world: World, more: Raw = {}) => await startVm(world, (await made(world, more)).uuid)

/** Row, file, libxl and QEMU name the same volumes, and nothing else of the VM's is left. */
async function agree(world: World, raw: Raw): Promise<void> {
  const vm = vmOf(world, raw)
  const { name: pm } = world.engine.view.needPm(vm.pm)
  const paths = vm.disks.map(({ path }) => path)
  const { spec } = await xen.readConfig(world.site.host(pm), vm.configPath!)
  expect(spec.disks.map(({ path, format }) => ({ path, format }))).toEqual(
    vm.disks.map(({ path, format }) => ({ path, format })),
  )
  const files = Object.keys(world.site.filesOn(pm)).filter((path) => /^\/(data|srv)\/[0-9a-f]/.test(path))
  expect(files.filter((path) => !path.endsWith('.claim')).sort()).toEqual(
    paths.filter((path) => !path.startsWith('/dev/')).sort(),
  )
  const domain = world.site.domainsOn(pm).find((one) => one.uuid === vm.uuid)
  const claimed = files.filter((path) => path.endsWith('.claim')).sort()
  if (!domain) return expect(claimed).toEqual([])
  expect(domain.disks.filter((line) => !/^hdc /.test(line)).sort()).toEqual(
    vm.disks.map(({ vdev, path }) => `${vdev} ${path}`).sort(),
  )
  // A storage that takes none is in nobody's way; of what it has left none is claimed any more.
  for (const claim of claimed) expect(paths.map((path) => `${path}.claim`)).toContain(claim)
  expect(vm.seen).toMatchObject({ state: 'running' })
  const open = [...(await xen.writtenImages(world.site.host(pm), vm.seen.domid!)).values()]
  for (const path of paths) expect(open).toContain(path)
}

export const MOVE_CASES: readonly OperationCase[] = [
  {
    operation: 'vm.smigrate',
    variant: 'running',
    async prepare(world) {
      const vm = await started(world)
      return { vm: vm.uuid, storlink: storlinkNamed(world, 'nfs') }
    },
    async check(world, raw) {
      await agree(world, raw)
      for (const disk of vmOf(world, raw).disks)
        expect(disk).toMatchObject({ storlink: raw.storlink, path: expect.stringMatching(/^\/srv\//), owned: true })
    },
  },
  {
    operation: 'vm.smigrate',
    variant: 'running, one disk, onto a logical volume',
    async prepare(world) {
      const vm = await started(world, { diskFormat: 'raw' })
      return { vm: vm.uuid, storlink: storlinkNamed(world, 'fast'), disk: 'xvdb', speed: 0 }
    },
    async check(world, raw) {
      await agree(world, raw)
      expect(vmOf(world, raw).disks.map(({ path }) => path.replace(/[^/]+$/, ''))).toEqual(['/data/', '/dev/vg-fast/'])
    },
  },
  {
    operation: 'vm.smigrate',
    variant: 'shut down',
    async prepare(world) {
      const vm = await made(world)
      return { vm: vm.uuid, storlink: storlinkNamed(world, 'nfs') }
    },
    async check(world, raw) {
      await agree(world, raw)
      for (const disk of vmOf(world, raw).disks) expect(disk.path).toMatch(/^\/srv\//)
    },
  },
]
