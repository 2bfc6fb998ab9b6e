import { expect } from 'bun:test'
import { run } from '../../../../src/engine/host/run.ts'
import type { Vm } from '../../../../src/model/vm.ts'
import type { OperationCase } from '../../../contract/operationCase.ts'
import { act, NEW_VM, pmNamed, startVm } from '../../../support/sites/acts.ts'
import type { World } from '../../../support/sites/world.ts'

/** Two PMs that see one directory and log in to each other; a VM of one of them lies there. */
export async function joinPms(world: World): Promise<number> {
  world.site.share('/shared', ['xen1', 'xen2'])
  for (const name of ['xen1', 'xen2']) {
    const host = world.site.host(name)
    const key = `ssh-ed25519 ${name.padEnd(68, 'A')} root@${name}\n`
    await run(host, { argv: ['mkdir', '-p', '/etc/ssh'], effect: 'change' })
    await run(host, { argv: ['tee', '/etc/ssh/ssh_host_ed25519_key.pub'], effect: 'change', stdin: key })
  }
  await world.engine.look()
  await act(world, 'pm.spreadKeys', { create: true })
  const place = { link: '/shared', type: 'NFS', level: 'FL', shared: true, pm: pmNamed(world) }
  await act(world, 'storlink.create', { name: 'shared', ...place })
  return world.engine.view.storlinks().find((one) => one.link === '/shared')!.id
}

export async function makeSharedVm(world: World): Promise<Vm> {
  const storlink = await joinPms(world)
  const boot = { type: 'pv', kernel: '/boot/vmlinuz-guest', vncPassword: '' }
  await act(world, 'vm.create', { ...NEW_VM, ...boot, storlink, pm: pmNamed(world) })
  return world.engine.view.needVm(NEW_VM.uuid)
}

export async function startSharedVm(world: World): Promise<Vm> {
  return await startVm(world, (await makeSharedVm(world)).uuid)
}

/** The VM is on that PM and nowhere else: its row, its configuration, its domain if it has one. */
export function expectAt(world: World, pm: 'xen1' | 'xen2', state: 'running' | 'shutdown'): void {
  const vm = world.engine.view.needVm(NEW_VM.uuid)
  const other = pm === 'xen1' ? 'xen2' : 'xen1'
  const has = (name: string) => ({
    domains: world.site.domainsOn(name).filter((one) => one.uuid === vm.uuid),
    files: Object.keys(world.site.filesOn(name)).filter((path) => path.startsWith('/etc/xen/pengx/')),
    probes: Object.keys(world.site.filesOn(name)).filter((path) => /\/\.pengx-(?!storlink$)/.test(path)),
  })
  const domain = { name: vm.domainName, state, vcpus: 2, memoryMib: 512 }
  expect(has(pm)).toEqual({
    domains: state === 'running' ? [expect.objectContaining(domain)] : [],
    files: [`/etc/xen/pengx/${vm.uuid}.cfg`],
    probes: [],
  })
  expect(has(other)).toEqual({ domains: [], files: [], probes: [] })
  const stale = world.site.pm(pm).domains.filter((one) => one.uuid === vm.uuid && one.imagesStale)
  expect(stale).toEqual([])
  expect(vm).toMatchObject({ pm: pmNamed(world, pm), configForeign: false, seen: { state, drift: [] } })
  expect(vm.disks.map((disk) => disk.path.split('/')[1])).toEqual(['shared', 'shared'])
}

export const MIGRATE_CASES: readonly OperationCase[] = [
  {
    operation: 'vm.migrate',
    variant: 'running',
    prepare: async (world) => ({ vm: (await startSharedVm(world)).uuid, pm: pmNamed(world, 'xen2') }),
    check: (world) => expectAt(world, 'xen2', 'running'),
  },
  {
    operation: 'vm.migrate',
    variant: 'shut down',
    prepare: async (world) => ({ vm: (await makeSharedVm(world)).uuid, pm: pmNamed(world, 'xen2') }),
    check: (world) => expectAt(world, 'xen2', 'shutdown'),
  },
  {
    operation: 'vm.migrate',
    variant: 'running, and started with its PM',
    async prepare(world) {
      const { uuid: vm } = await startSharedVm(world)
      await act(world, 'vm.edit', { vm, autostart: 'yes', order: 20 })
      return { vm, pm: pmNamed(world, 'xen2') }
    },
    check(world) {
      expectAt(world, 'xen2', 'running')
      const links = ['xen1', 'xen2'].map((pm) =>
        Object.keys(world.site.filesOn(pm)).filter((path) => path.startsWith('/etc/xen/auto/')),
      )
      expect(links).toEqual([[], ['/etc/xen/auto/20-fresh.cfg']])
    },
  },
]
