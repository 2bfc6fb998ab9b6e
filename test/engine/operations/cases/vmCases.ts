import { expect } from 'bun:test'
import { xen } from '../../../../src/engine/hypervisor/xen.ts'
import { putClaims, readClaims } from '../../../../src/engine/volumes/claims/claim.ts'
import { claimedPaths } from '../../../../src/model/storage/claim.ts'
import type { OperationCase } from '../../../contract/operationCase.ts'
import { act, adoptForeign, adoptRunning, makeStorlink, makeVm, NEW_VM, pmNamed } from '../../../support/sites/acts.ts'
import type { World } from '../../../support/sites/world.ts'

/** VMs and PMs: made, started, ended, taken under care. */

function stateOf(world: World, raw: Readonly<Record<string, unknown>>): string | undefined {
  return world.engine.view.getVm(String(raw.vm))?.seen.state
}

/** Its disks are claimed as long as it has a domain, and then by it; what could not be put or taken away is told. */
async function expectClaims(world: World, raw: Readonly<Record<string, unknown>>): Promise<void> {
  const vm = world.engine.view.needVm(String(raw.vm))
  const { name } = world.engine.view.needPm(vm.pm)
  const claims = await readClaims(world.site.host(name), claimedPaths(vm))
  const domain = world.site.pm(name).domains.find(({ uuid }) => uuid === vm.uuid)
  const [job] = world.engine.view.jobs().toSorted((a, b) => b.number - a.number)
  if (/ claims? .*could (not )?be (put|taken)/.test(job?.message ?? '')) return
  if (!domain) return expect(claims).toEqual([])
  expect(claims.map(({ claim }) => claim)).toMatchObject(claimedPaths(vm).map(() => ({ vm: vm.uuid, pm: vm.pm })))
}

/** One that was started by another pengx. */
async function claimRunning(world: World): Promise<string> {
  const { uuid, pm, disks, seen } = await adoptRunning(world)
  const claim = { vm: uuid, pm, domid: seen.domid!, bootId: '', controller: 'elsewhere', store: 'its own', at: 0 }
  const host = world.site.host(world.engine.view.needPm(pm).name)
  await putClaims(
    host,
    claimedPaths({ disks }).map((path) => ({ path, claim })),
  )
  return uuid
}

function onRunning(operation: string, after: readonly string[]): OperationCase {
  return {
    operation,
    prepare: async (world) => ({ vm: await claimRunning(world) }),
    async check(world, raw) {
      expect(after).toContain(stateOf(world, raw) ?? 'gone')
      await expectClaims(world, raw)
    },
  }
}

export const VM_CASES: readonly OperationCase[] = [
  {
    operation: 'vm.start',
    prepare: async (world) => ({ vm: (await makeVm(world)).uuid }),
    async check(world, raw) {
      expect(['running', 'starting']).toContain(stateOf(world, raw)!)
      await expectClaims(world, raw)
    },
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
    operation: 'vm.release',
    async prepare(world) {
      const vm = await makeVm(world)
      const claim = { vm: vm.uuid, pm: vm.pm, domid: 99, bootId: '', controller: 'elsewhere', store: 'its own', at: 0 }
      await putClaims(
        world.site.host('xen1'),
        vm.disks.map(({ path }) => ({ path, claim })),
      )
      return { vm: vm.uuid }
    },
    check: (world) =>
      expect(Object.keys(world.site.filesOn('xen1')).filter((path) => path.includes('.claim'))).toEqual([]),
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
    prepare: async (world) => ({
      what: world.engine.view.vms().find((vm) => vm.origin === 'found')!.uuid,
      acceptLoss: true,
    }),
    check: (world, raw) => expect(world.engine.view.needVm(String(raw.what)).origin).toBe('adopted'),
  },
  {
    operation: 'vm.config',
    variant: 'another file, and the rest are links',
    async prepare(world) {
      const vm = await adoptForeign(world)
      const host = world.site.host(world.engine.view.needPm(vm.pm).name)
      const { text } = await xen.readConfig(host, vm.configPath!)
      await xen.writeConfig(host, `/etc/xen/auto/${vm.name}`, `${text}# at boot\n`, 'prepare.0')
      await xen.writeConfig(host, '/etc/xen/vm/kept', `${text}# kept\n`, 'prepare.0')
      return { vm: vm.uuid, config: `/etc/xen/auto/${vm.name}`, link: true }
    },
    async check(world, raw) {
      const vm = world.engine.view.needVm(String(raw.vm))
      const host = world.site.host(world.engine.view.needPm(vm.pm).name)
      expect(vm).toMatchObject({ configPath: raw.config, configForeign: true })
      for (const path of [`/etc/xen/${vm.name}.cfg`, '/etc/xen/vm/kept']) {
        const { target, text } = await xen.readConfig(host, path)
        expect(target).toBe(String(raw.config))
        expect(text).toEndWith('# at boot\n')
      }
    },
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
    operation: 'vm.delete',
    variant: 'started with its PM',
    async prepare(world) {
      await makeVm(world)
      await act(world, 'vm.edit', { vm: NEW_VM.uuid, autostart: 'yes' })
      return { vm: NEW_VM.uuid }
    },
    check(world) {
      expect(world.engine.view.getVm(NEW_VM.uuid)).toBeUndefined()
      expect(Object.keys(world.site.filesOn('xen1')).filter((path) => path.startsWith('/etc/xen/auto/'))).toEqual([])
    },
  },
]

export const PM_CASES: readonly OperationCase[] = [
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
