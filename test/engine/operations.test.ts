import { describe, expect, test } from 'bun:test'
import { CATALOG } from '../../src/engine/operations/catalog.ts'
import { type OperationCase, operationSuite } from '../contract/operation.ts'
import { act, adoptRunning, makeStorlink, makeVm, NEW_VM, pmNamed } from '../support/acts.ts'
import type { World } from '../support/world.ts'
import { BACKUP_CASES } from './backupCases.ts'
import { DEVICE_CASES } from './deviceCases.ts'
import { KEY_CASES } from './keyCases.ts'
import { MIGRATE_CASES } from './migrateCases.ts'
import { SCHEDULE_CASES } from './scheduleCases.ts'
import { SNAPSHOT_CASES } from './snapshotCases.ts'
import { STORLINK_CASES } from './storlinkCases.ts'
import { TEMPLATE_CASES } from './templateCases.ts'

/** How each operation of the catalog is brought to where it can run on the simulated site, and how one sees that it did. */

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
    operation: 'pm.add',
    prepare: async () => ({ destination: 'sim:xen3' }),
    check: (world) => expect(world.engine.view.pms().map((pm) => pm.name)).toEqual(['xen1', 'xen2', 'xen3']),
  },
  {
    operation: 'pm.remove',
    prepare: async (world) => ({ pm: pmNamed(world, 'xen2') }),
    check: (world) => expect(world.engine.view.pms().map((pm) => pm.name)).toEqual(['xen1']),
  },
  ...BACKUP_CASES,
  ...SCHEDULE_CASES,
  ...DEVICE_CASES,
  ...TEMPLATE_CASES,
  ...KEY_CASES,
  ...STORLINK_CASES,
  ...MIGRATE_CASES,
  ...SNAPSHOT_CASES,
]

/** Needs a machine that shows a key: test/engine/trust.test.ts runs it against a real sshd. */
const ELSEWHERE = ['pm.trust']

describe('the catalog', () => {
  test('has a case for every operation', () => {
    const covered = new Set([...CASES.map((one) => one.operation), ...ELSEWHERE])
    expect([...covered].sort()).toEqual([...CATALOG.keys()].sort())
  })
})

for (const one of CASES) operationSuite(one)
