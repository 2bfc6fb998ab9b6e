import { describe, expect, test } from 'bun:test'
import { CATALOG } from '../../src/engine/operations/catalog.ts'
import type { Vm } from '../../src/model/vm.ts'
import { type OperationCase, operationSuite } from '../contract/operation.ts'
import type { World } from '../support/world.ts'

/** How each operation of the catalog is brought to where it can run on the simulated site, and how one sees that it did. */

async function act(world: World, operation: string, raw: Readonly<Record<string, unknown>>): Promise<void> {
  const started = await world.engine.start(operation, world.engine.decode(operation, raw), 'cli')
  const { job } = await world.engine.finished(started.id)
  if (job.state !== 'done')
    throw new Error(`${operation} was to prepare the site, and ended as ${job.state}: ${job.message}`)
}

function pmNamed(world: World, name = 'xen1'): string {
  return world.engine.view.pms().find((pm) => pm.name === name)!.uuid
}

async function makeStorlink(world: World): Promise<number> {
  await act(world, 'storlink.create', { name: 'data', link: '/data', type: 'LO', level: 'FL', pm: pmNamed(world) })
  return world.engine.view.storlinks()[0]!.id
}

const NEW_VM = {
  name: 'fresh',
  memory: 512,
  vcpus: 2,
  type: 'hvm',
  diskSize: 1024,
  extraDiskSize: 64,
  bridges: 'xenbr0',
  vncPassword: 'verysafe',
  uuid: '11111111-2222-4333-8444-555555555555',
}

async function makeVm(world: World): Promise<Vm> {
  await act(world, 'vm.create', { ...NEW_VM, storlink: await makeStorlink(world) })
  return world.engine.view.needVm(NEW_VM.uuid)
}

/** A running VM that was found and adopted; its guest answers. */
async function adoptRunning(world: World): Promise<Vm> {
  const found = world.engine.view
    .vms()
    .find((vm) => vm.origin === 'found' && vm.seen.state === 'running' && !vm.name.startsWith('stubborn'))!
  await act(world, 'vm.adopt', { what: found.uuid })
  return world.engine.view.needVm(found.uuid)
}

function stateOf(world: World, raw: Readonly<Record<string, unknown>>): string | undefined {
  return world.engine.view.getVm(String(raw.vm))?.seen.state
}

function onRunning(operation: string, after: readonly string[]): OperationCase {
  return {
    operation,
    prepare: async (world) => ({ vm: (await adoptRunning(world)).uuid }),
    check: (world, raw) => expect(after).toContain(stateOf(world, raw) ?? 'gone'),
  }
}

const CASES: readonly OperationCase[] = [
  {
    operation: 'vm.start',
    prepare: async (world) => ({ vm: (await makeVm(world)).uuid }),
    check: (world, raw) => expect(['running', 'starting']).toContain(stateOf(world, raw)!),
  },
  onRunning('vm.shutdown', ['shutdown']),
  onRunning('vm.poweroff', ['shutdown']),
  onRunning('vm.reboot', ['running']),
  onRunning('vm.reset', ['running', 'starting']),
  onRunning('vm.suspend', ['paused']),
  {
    operation: 'vm.resume',
    async prepare(world) {
      const vm = await adoptRunning(world)
      await act(world, 'vm.suspend', { vm: vm.uuid })
      return { vm: vm.uuid }
    },
    check: (world, raw) => expect(stateOf(world, raw)).toBe('running'),
  },
  {
    operation: 'vm.create',
    prepare: async (world) => ({ ...NEW_VM, storlink: await makeStorlink(world) }),
    check(world) {
      const vm = world.engine.view.needVm(NEW_VM.uuid)
      expect(vm).toMatchObject({ name: 'fresh', origin: 'created', memoryMib: 512, seen: { state: 'shutdown' } })
      expect(vm.disks.map((disk) => [disk.vdev, disk.sizeMib, disk.owned])).toEqual([
        ['xvda', 1024, true],
        ['xvdb', 64, true],
      ])
      expect(vm.vnc).toEqual({ listen: '127.0.0.1', password: 'verysafe' })
      for (const disk of vm.disks) expect(Object.keys(world.site.filesOn('xen1'))).toContain(disk.path)
      expect(Object.keys(world.site.filesOn('xen1'))).toContain(vm.configPath!)
    },
  },
  {
    operation: 'vm.adopt',
    prepare: async (world) => ({ what: world.engine.view.vms().find((vm) => vm.origin === 'found')!.uuid }),
    check: (world, raw) => expect(world.engine.view.needVm(String(raw.what)).origin).toBe('adopted'),
  },
  {
    operation: 'vm.forget',
    prepare: async (world) => ({ vm: (await adoptRunning(world)).uuid }),
    check: (world, raw) => expect(world.engine.view.getVm(String(raw.vm))?.origin ?? 'found').toBe('found'),
  },
  {
    operation: 'vm.delete',
    prepare: async (world) => ({ vm: (await makeVm(world)).uuid }),
    check(world) {
      expect(world.engine.view.getVm(NEW_VM.uuid)).toBeUndefined()
      expect(
        Object.keys(world.site.filesOn('xen1')).filter((path) => path.includes('.aside') || path.includes(NEW_VM.uuid)),
      ).toEqual([])
    },
  },
  {
    operation: 'storlink.create',
    prepare: async (world) => ({ name: 'data', link: '/data', type: 'LO', level: 'FL', pm: pmNamed(world) }),
    check: (world) => expect(world.engine.view.storlinks()).toMatchObject([{ name: 'data', link: '/data' }]),
  },
  {
    operation: 'storlink.delete',
    prepare: async (world) => ({ storlink: await makeStorlink(world) }),
    check: (world) => expect(world.engine.view.storlinks()).toEqual([]),
  },
  {
    operation: 'pm.add',
    prepare: async () => ({ destination: 'sim:xen3' }),
    check: (world) => expect(world.engine.view.pms().map((pm) => pm.name)).toEqual(['xen1', 'xen2', 'xen3']),
  },
  {
    operation: 'pm.remove',
    prepare: async (world) => ({ pm: pmNamed(world, 'xen2') }),
    check: (world) => expect(world.engine.view.pms().map((pm) => pm.name)).toEqual(['xen1']),
  },
]

/** Needs a machine that shows a key: test/engine/trust.test.ts runs it against a real sshd. */
const ELSEWHERE = ['pm.trust']

describe('the catalog', () => {
  test('has a case for every operation', () => {
    const covered = [...CASES.map((one) => one.operation), ...ELSEWHERE].sort()
    expect(covered).toEqual([...CATALOG.keys()].sort())
  })
})

for (const one of CASES) operationSuite(one)
