import { expect } from 'bun:test'
import { xen } from '../../../../src/engine/hypervisor/xen.ts'
import { loadedCds } from '../../../../src/model/drive.ts'
import type { Vm } from '../../../../src/model/vm.ts'
import type { OperationCase } from '../../../contract/operationCase.ts'
import { act, adoptForeign, adoptRunning, makeStorlink, makeVm, NEW_VM, startVm } from '../../../support/sites/acts.ts'
import type { World } from '../../../support/sites/world.ts'

/** Disks, interfaces, size and name of a VM, running and shut down: what is configured, written and attached is one. */

type Raw = Readonly<Record<string, unknown>>

const vmOf = (world: World, raw: Raw): Vm => world.engine.view.needVm(String(raw.vm))
const pmOf = (world: World, vm: Vm): string => world.engine.view.needPm(vm.pm).name

/** Row, file and running domain say the same of disks and interfaces. */
async function agree(world: World, raw: Raw): Promise<void> {
  const vm = vmOf(world, raw)
  const host = world.site.host(pmOf(world, vm))
  const { spec } = await xen.readConfig(host, vm.configPath!)
  const disks = vm.disks.map((disk) => `${disk.vdev} ${disk.path}`)
  const nics = vm.nics.map((nic) => `${nic.mac} ${nic.bridge}`)
  expect(spec.disks.map((disk) => `${disk.vdev} ${disk.path}`)).toEqual(disks)
  expect(spec.nics.map((nic) => `${nic.mac} ${nic.bridge}`)).toEqual(nics)
  const domain = world.site.domainsOn(host.name).find((one) => one.uuid === vm.uuid)
  if (!domain) return
  const cd = (line: string) => /^hdc /.test(line)
  expect(domain.disks.filter((line) => !cd(line)).sort()).toEqual(disks.sort())
  expect(domain.nics.map((line) => line.replace(/^\d+ /, ''))).toEqual(nics)
}

async function storlinkFor(world: World, vm: Vm): Promise<number> {
  await act(world, 'storlink.create', { name: 'more', link: '/data', type: 'LO', level: 'FL', pm: vm.pm })
  return world.engine.view.storlinks().at(-1)!.id
}

function hasFile(world: World, vm: Vm, path: string): boolean {
  return Object.keys(world.site.filesOn(pmOf(world, vm))).includes(path)
}

const DISKS: readonly OperationCase[] = [
  {
    operation: 'disk.create',
    variant: 'running, its first change of an owner’s file',
    async prepare(world) {
      const vm = await adoptForeign(world)
      return { vm: vm.uuid, storlink: await storlinkFor(world, vm), size: 256 }
    },
    async check(world, raw) {
      await agree(world, raw)
      const vm = vmOf(world, raw)
      const made = vm.disks.at(-1)!
      expect(made).toMatchObject({ sizeMib: 256, format: 'qcow2', owned: true })
      expect(hasFile(world, vm, made.path)).toBe(true)
      expect(vm).toMatchObject({ configForeign: true, configPath: `/etc/xen/${vm.name}.cfg` })
      expect(hasFile(world, vm, `/etc/xen/.${vm.name}.cfg.before-pengx`)).toBe(true)
      const { text } = await xen.readConfig(world.site.host(pmOf(world, vm)), vm.configPath!)
      expect(text).toContain('usbdevice = "tablet"')
    },
  },
  {
    operation: 'disk.create',
    variant: 'shut down',
    async prepare(world) {
      const vm = await makeVm(world)
      return { vm: vm.uuid, storlink: world.engine.view.storlinks()[0]!.id, size: 64, format: 'raw', desc: 'logs' }
    },
    async check(world, raw) {
      await agree(world, raw)
      // hdc is the CD drive's, and an HVM guest has one letter for both.
      expect(vmOf(world, raw).disks.map((disk) => disk.vdev)).toEqual(['xvda', 'xvdb', 'xvdd'])
      expect(vmOf(world, raw).disks[2]).toMatchObject({ format: 'raw', desc: 'logs' })
    },
  },
  {
    operation: 'disk.delete',
    variant: 'running',
    prepare: async (world) => ({ vm: (await startVm(world)).uuid, disk: 'xvdb' }),
    check: checkDeleted,
  },
  {
    operation: 'disk.delete',
    variant: 'shut down',
    prepare: async (world) => ({ vm: (await makeVm(world)).uuid, disk: 'xvdb' }),
    check: checkDeleted,
  },
  {
    operation: 'disk.grow',
    variant: 'running',
    prepare: async (world) => ({ vm: (await startVm(world)).uuid, disk: 'xvda', size: 2048 }),
    check: checkGrown,
  },
  {
    operation: 'disk.grow',
    variant: 'shut down',
    prepare: async (world) => ({ vm: (await makeVm(world)).uuid, disk: 'xvda', size: 2048 }),
    check: checkGrown,
  },
]

async function checkDeleted(world: World, raw: Raw): Promise<void> {
  await agree(world, raw)
  const vm = vmOf(world, raw)
  expect(vm.disks.map((disk) => disk.vdev)).toEqual(['xvda'])
  const left = Object.keys(world.site.filesOn(pmOf(world, vm))).filter((path) =>
    /^\/data\/[0-9a-f-]{36}\.(?!.*\.claim$)/.test(path),
  )
  expect(left).toEqual([vm.disks[0]!.path])
}

function checkGrown(world: World, raw: Raw): void {
  const vm = vmOf(world, raw)
  expect(vm.disks[0]!.sizeMib).toBe(2048)
  expect(world.site.filesOn(pmOf(world, vm))[vm.disks[0]!.path]).toContain(`${2048 * 1024 * 1024} bytes`)
}

const NICS: readonly OperationCase[] = [
  {
    operation: 'nic.create',
    variant: 'running',
    prepare: async (world) => ({ vm: (await adoptRunning(world)).uuid, bridge: '1', ip: '192.0.2.7' }),
    async check(world, raw) {
      await agree(world, raw)
      const nic = vmOf(world, raw).nics.at(-1)!
      expect(nic).toMatchObject({ bridge: 'xenbr1', ip: '192.0.2.7', mac: expect.stringMatching(/^00:16:3e:/) })
      expect(nic.id).toBeGreaterThan(0)
    },
  },
  {
    operation: 'nic.create',
    variant: 'shut down',
    prepare: async (world) => ({ vm: (await makeVm(world)).uuid, bridge: 'xenbr1', mac: '00:16:3E:AA:BB:CC' }),
    async check(world, raw) {
      await agree(world, raw)
      expect(vmOf(world, raw).nics.map((nic) => nic.name)).toEqual(['eth0', 'eth1'])
      expect(vmOf(world, raw).nics[1]!.mac).toBe('00:16:3e:aa:bb:cc')
    },
  },
  {
    operation: 'nic.update',
    variant: 'shut down',
    prepare: async (world) => ({ vm: (await makeVm(world)).uuid, nic: 'eth0', bridge: 'xenbr1', ip: '2001:db8::7' }),
    async check(world, raw) {
      await agree(world, raw)
      expect(vmOf(world, raw).nics).toMatchObject([{ bridge: 'xenbr1', ip: '2001:db8::7' }])
    },
  },
  {
    operation: 'nic.update',
    variant: 'the address alone',
    prepare: async (world) => ({ vm: (await makeVm(world)).uuid, nic: 'eth0', ip: '192.0.2.9' }),
    async check(world, raw) {
      await agree(world, raw)
      expect(vmOf(world, raw).nics[0]).toMatchObject({ ip: '192.0.2.9' })
    },
  },
  {
    operation: 'nic.delete',
    prepare: async (world) => ({ vm: (await makeVm(world)).uuid, nic: 'eth0' }),
    async check(world, raw) {
      await agree(world, raw)
      expect(vmOf(world, raw).nics).toEqual([])
    },
  },
]

/** What xendomains starts. */
function linksOn(world: World, pm: string): string[] {
  return Object.keys(world.site.filesOn(pm)).filter((path) => path.startsWith('/etc/xen/auto/'))
}

const SHAPE: readonly OperationCase[] = [
  {
    operation: 'vm.resize',
    variant: 'running',
    async prepare(world) {
      const { uuid } = world.engine.view.vms().find((vm) => vm.maxVcpuCount > vm.vcpuCount)!
      await act(world, 'vm.adopt', { what: uuid })
      return { vm: uuid, memory: 4096, vcpus: 12 }
    },
    async check(world, raw) {
      await agree(world, raw)
      expect(vmOf(world, raw)).toMatchObject({ memoryMib: 4096, maxmemMib: 8192, vcpuCount: 12, maxVcpuCount: 16 })
      expect(vmOf(world, raw).seen).toMatchObject({ memoryMib: 4096, vcpuCount: 12 })
    },
  },
  {
    operation: 'vm.resize',
    variant: 'shut down',
    prepare: async (world) => ({ vm: (await makeVm(world)).uuid, memory: 1024, vcpus: 4 }),
    async check(world, raw) {
      await agree(world, raw)
      expect(vmOf(world, raw)).toMatchObject({ memoryMib: 1024, maxmemMib: 1024, vcpuCount: 4, maxVcpuCount: 4 })
    },
  },
  {
    operation: 'vm.edit',
    variant: 'renamed while it runs',
    prepare: async (world) => ({ vm: (await adoptForeign(world)).uuid, name: 'shop', desc: 'the shop' }),
    async check(world, raw) {
      await agree(world, raw)
      const vm = vmOf(world, raw)
      expect(vm).toMatchObject({ name: 'shop', domainName: 'shop', desc: 'the shop', seen: { drift: [] } })
      expect(world.site.domainsOn(pmOf(world, vm)).map((domain) => domain.name)).toContain('shop')
    },
  },
  {
    operation: 'vm.edit',
    variant: 'notes alone, which reach no PM',
    prepare: async (world) => ({ vm: (await adoptForeign(world)).uuid, desc: 'the shop', os: 'DEBIAN' }),
    check: (world, raw) =>
      expect(vmOf(world, raw)).toMatchObject({ desc: 'the shop', os: 'DEBIAN', configForeign: true }),
  },
  {
    operation: 'vm.edit',
    variant: 'renamed, noted, and started with its PM in another order',
    async prepare(world) {
      await startVm(world)
      await act(world, 'vm.edit', { vm: NEW_VM.uuid, autostart: 'yes' })
      return { vm: NEW_VM.uuid, name: 'shop', desc: 'the shop', order: 10 }
    },
    async check(world, raw) {
      await agree(world, raw)
      expect(linksOn(world, 'xen1')).toEqual(['/etc/xen/auto/10-shop.cfg'])
      expect(vmOf(world, raw).seen.autostart).toEqual({ order: 10, paths: ['/etc/xen/auto/10-shop.cfg'] })
    },
  },
  {
    operation: 'vm.edit',
    variant: 'no longer started with its PM',
    async prepare(world) {
      await makeVm(world)
      await act(world, 'vm.edit', { vm: NEW_VM.uuid, autostart: 'yes', order: 5 })
      return { vm: NEW_VM.uuid, autostart: 'no' }
    },
    check(world, raw) {
      expect(linksOn(world, 'xen1')).toEqual([])
      expect(vmOf(world, raw).seen.autostart).toBeUndefined()
    },
  },
]

const INSERTED = '/data/iso/debian-12.iso'

const DRIVES: readonly OperationCase[] = [
  {
    operation: 'iso.insert',
    variant: 'running, into the drive that was emptied',
    async prepare(world) {
      await makeStorlink(world)
      await act(world, 'vm.create', { ...NEW_VM, iso: '/data/iso/virtio-win.iso', storlink: 1 })
      await startVm(world, NEW_VM.uuid)
      await act(world, 'iso.eject', { vm: NEW_VM.uuid })
      return { vm: NEW_VM.uuid, path: INSERTED }
    },
    check: checkInserted,
  },
  {
    operation: 'iso.insert',
    variant: 'shut down',
    prepare: async (world) => ({ vm: (await makeVm(world)).uuid, path: INSERTED }),
    check: checkInserted,
  },
  {
    operation: 'iso.eject',
    async prepare(world) {
      await makeStorlink(world)
      await act(world, 'vm.create', { ...NEW_VM, iso: INSERTED, storlink: 1 })
      await startVm(world, NEW_VM.uuid)
      return { vm: NEW_VM.uuid }
    },
    async check(world, raw) {
      await agree(world, raw)
      expect(loadedCds(vmOf(world, raw))).toEqual([])
      expect(cdOf(world, raw)).toEqual(['hdc '])
      const vm = vmOf(world, raw)
      const { text } = await xen.readConfig(world.site.host(pmOf(world, vm)), vm.configPath!)
      expect(text).toContain('vdev=hdc,access=ro,devtype=cdrom,target="')
    },
  },
]

function cdOf(world: World, raw: Raw): string[] {
  const vm = vmOf(world, raw)
  const domain = world.site.domainsOn(pmOf(world, vm)).find((one) => one.uuid === vm.uuid)
  return domain?.disks.filter((line) => line.startsWith('hdc')) ?? []
}

async function checkInserted(world: World, raw: Raw): Promise<void> {
  await agree(world, raw)
  const vm = vmOf(world, raw)
  expect(loadedCds(vm)).toEqual([INSERTED])
  expect(vm.extraConfig).toBe('')
  expect(cdOf(world, raw)).toEqual(vm.seen.state === 'shutdown' ? [] : [`hdc ${INSERTED}`])
}

export const DEVICE_CASES: readonly OperationCase[] = [...DISKS, ...NICS, ...SHAPE, ...DRIVES]
