import { expect } from 'bun:test'
import { xen } from '../../../../src/engine/hypervisor/xen.ts'
import { readChain } from '../../../../src/engine/volumes/layers.ts'
import { layersOf, snapshotsOf } from '../../../../src/model/layer.ts'
import type { Vm } from '../../../../src/model/vm.ts'
import type { OperationCase } from '../../../contract/operationCase.ts'
import { act, makeVm, startVm } from '../../../support/sites/acts.ts'
import type { World } from '../../../support/sites/world.ts'

/** Layers under a VM that runs and one that does not: rows, headers, configuration and QEMU say the same. */

type Raw = Readonly<Record<string, unknown>>

const vmOf = (world: World, raw: Raw): Vm => world.engine.view.needVm(String(raw.vm))
const pmOf = (world: World, vm: Vm): string => world.engine.view.needPm(vm.pm).name

async function chainOf(world: World, vm: Vm, path: string): Promise<string[]> {
  return (await readChain(world.site.host(pmOf(world, vm)), { path, format: 'qcow2' })).map((image) => image.path)
}

/** Every disk's chain, as the headers tell, is the row's layers; and each file in the directory is one of the row's. */
async function layersAgree(world: World, raw: Raw): Promise<void> {
  const vm = vmOf(world, raw)
  const host = world.site.host(pmOf(world, vm))
  const expected = (disk: string, from: string | undefined): string[] => {
    const layer = layersOf(vm).find((one) => one.uuid === from)
    if (!layer) return []
    const volume = layer.volumes.find((one) => one.disk === disk)
    return volume ? [volume.path, ...expected(disk, layer.parent)] : []
  }
  for (const disk of vm.disks)
    expect(await chainOf(world, vm, disk.path)).toEqual([disk.path, ...expected(disk.uuid, vm.layer)])
  for (const layer of layersOf(vm)) {
    for (const volume of layer.volumes)
      expect(await chainOf(world, vm, volume.path)).toEqual([volume.path, ...expected(volume.disk, layer.parent)])
  }
  const { spec } = await xen.readConfig(host, vm.configPath!)
  expect(spec.disks.map((disk) => disk.path)).toEqual(vm.disks.map((disk) => disk.path))
  const domain = world.site.domainsOn(host.name).find((one) => one.uuid === vm.uuid)
  if (domain) {
    const lines = domain.disks.filter((line) => !/^hdc /.test(line)).sort()
    expect(lines).toEqual(vm.disks.map((disk) => `${disk.vdev} ${disk.path}`).sort())
  }
  const known = [...vm.disks, ...layersOf(vm).flatMap((layer) => layer.volumes)].map((volume) => volume.path)
  expect(diskFiles(world, host.name).sort()).toEqual(known.sort())
}

function diskFiles(world: World, pm: string): string[] {
  return Object.keys(world.site.filesOn(pm)).filter(
    (path) => /^\/data\/[^/]+\.[^/]+$/.test(path) && !path.endsWith('.claim'),
  )
}

async function snap(world: World, vm: Vm, name: string): Promise<string> {
  await act(world, 'snapshot.create', { vm: vm.uuid, name })
  return snapshotsOf(world.engine.view.needVm(vm.uuid)).at(-1)!.uuid
}

async function stop(world: World, vm: Vm): Promise<void> {
  await act(world, 'vm.poweroff', { vm: vm.uuid })
}

function names(world: World, raw: Raw): string[] {
  return snapshotsOf(vmOf(world, raw)).map((one) => one.name)
}

export const SNAPSHOT_CASES: readonly OperationCase[] = [
  {
    operation: 'snapshot.create',
    variant: 'running',
    prepare: async (world) => ({ vm: (await startVm(world)).uuid, name: 'first', desc: 'before the update' }),
    async check(world, raw) {
      await layersAgree(world, raw)
      const vm = vmOf(world, raw)
      expect(layersOf(vm)).toMatchObject([{ name: 'first', note: 'before the update', type: 'LIVE', number: 1 }])
      expect(vm.layer).toBe(layersOf(vm)[0]!.uuid)
      expect(vm.seen.state).toBe('running')
    },
  },
  {
    operation: 'snapshot.create',
    variant: 'shut down, on another',
    async prepare(world) {
      const vm = await makeVm(world)
      await snap(world, vm, 'first')
      return { vm: vm.uuid, name: 'second' }
    },
    async check(world, raw) {
      await layersAgree(world, raw)
      expect(layersOf(vmOf(world, raw)).map((one) => [one.name, one.type])).toEqual([
        ['first', 'OFFLINE'],
        ['second', 'OFFLINE'],
      ])
    },
  },
  {
    operation: 'snapshot.restore',
    async prepare(world) {
      const vm = await makeVm(world)
      const snapshot = await snap(world, vm, 'first')
      await snap(world, vm, 'second')
      return { vm: vm.uuid, snapshot }
    },
    async check(world, raw) {
      await layersAgree(world, raw)
      expect(names(world, raw)).toEqual(['first', 'second', 'before restore of first'])
      expect(vmOf(world, raw).layer).toBe(String(raw.snapshot))
    },
  },
  {
    operation: 'snapshot.restore',
    variant: 'what it held goes',
    async prepare(world) {
      const vm = await makeVm(world)
      return { vm: vm.uuid, snapshot: await snap(world, vm, 'first'), keep: false }
    },
    async check(world, raw) {
      await layersAgree(world, raw)
      expect(names(world, raw)).toEqual(['first'])
    },
  },
  {
    operation: 'snapshot.start',
    async prepare(world) {
      const vm = await makeVm(world)
      return { vm: vm.uuid, snapshot: await snap(world, vm, 'first') }
    },
    async check(world, raw) {
      await layersAgree(world, raw)
      expect(['running', 'starting']).toContain(vmOf(world, raw).seen.state)
    },
  },
  {
    operation: 'vm.delete',
    variant: 'with its snapshots',
    async prepare(world) {
      const vm = await makeVm(world)
      await snap(world, vm, 'first')
      await snap(world, vm, 'second')
      return { vm: vm.uuid }
    },
    check(world, raw) {
      expect(world.engine.view.getVm(String(raw.vm))).toBeUndefined()
      expect(diskFiles(world, 'xen1')).toEqual([])
    },
  },
  {
    operation: 'snapshot.update',
    async prepare(world) {
      const vm = await makeVm(world)
      return { vm: vm.uuid, snapshot: await snap(world, vm, 'first'), name: 'renamed', desc: '' }
    },
    async check(world, raw) {
      await layersAgree(world, raw)
      expect(names(world, raw)).toEqual(['renamed'])
    },
  },
  {
    operation: 'snapshot.delete',
    variant: 'the one that a running VM lies on',
    async prepare(world) {
      const vm = await startVm(world)
      await snap(world, vm, 'first')
      return { vm: vm.uuid, snapshot: await snap(world, vm, 'second') }
    },
    async check(world, raw) {
      await layersAgree(world, raw)
      expect(names(world, raw)).toEqual(['first'])
    },
  },
  {
    operation: 'snapshot.delete',
    variant: 'in the middle, running, down to the base',
    async prepare(world) {
      const vm = await startVm(world)
      const snapshot = await snap(world, vm, 'first')
      await snap(world, vm, 'second')
      return { vm: vm.uuid, snapshot }
    },
    async check(world, raw) {
      await layersAgree(world, raw)
      expect(names(world, raw)).toEqual(['second'])
    },
  },
  {
    operation: 'snapshot.delete',
    variant: 'a leaf, and with it what only it had kept',
    async prepare(world) {
      const vm = await startVm(world)
      const first = await snap(world, vm, 'first')
      await stop(world, vm)
      await act(world, 'snapshot.restore', { vm: vm.uuid, snapshot: first })
      await act(world, 'snapshot.delete', { vm: vm.uuid, snapshot: first })
      expect(layersOf(world.engine.view.needVm(vm.uuid)).map((one) => one.name)).toEqual([
        undefined,
        'before restore of first',
      ])
      return { vm: vm.uuid, snapshot: 'before restore of first' }
    },
    async check(world, raw) {
      await layersAgree(world, raw)
      expect(layersOf(vmOf(world, raw))).toEqual([])
    },
  },
  {
    operation: 'snapshot.delete',
    variant: 'the last, and with it an unlisted one below that it alone lies on, running',
    async prepare(world) {
      const vm = await makeVm(world)
      const [first, second] = [await snap(world, vm, 'first'), await snap(world, vm, 'second')]
      await act(world, 'snapshot.restore', { vm: vm.uuid, snapshot: first })
      await act(world, 'snapshot.delete', { vm: vm.uuid, snapshot: first })
      await act(world, 'snapshot.restore', { vm: vm.uuid, snapshot: second, keep: false })
      await act(world, 'snapshot.delete', { vm: vm.uuid, snapshot: 'before restore of first' })
      await startVm(world, vm.uuid)
      return { vm: vm.uuid, snapshot: second }
    },
    async check(world, raw) {
      await layersAgree(world, raw)
      expect(layersOf(vmOf(world, raw))).toEqual([])
    },
  },
  {
    operation: 'snapshot.delete',
    variant: 'running, with a disk that it has no more',
    async prepare(world) {
      const vm = await makeVm(world)
      const [snapshot] = [await snap(world, vm, 'first'), await snap(world, vm, 'second')]
      await act(world, 'disk.delete', { vm: vm.uuid, disk: 'xvdb' })
      await startVm(world, vm.uuid)
      return { vm: vm.uuid, snapshot }
    },
    async check(world, raw) {
      await layersAgree(world, raw)
      expect(layersOf(vmOf(world, raw)).map(({ name, volumes }) => [name, volumes.length])).toEqual([['second', 2]])
    },
  },
]
