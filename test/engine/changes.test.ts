import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { run } from '../../src/engine/host/run.ts'
import { withMonitor } from '../../src/engine/hypervisor/monitor.ts'
import { xen } from '../../src/engine/hypervisor/xen.ts'
import { PengxError } from '../../src/model/error.ts'
import { act, adoptForeign, adoptRunning, makeStorlink, makeVm, NEW_VM, startVm } from '../support/sites/acts.ts'
import { openWorld, type World } from '../support/sites/world.ts'
import { until } from '../support/until.ts'

/** What of a VM is not changed, and why; what a change takes with it. */

let world: World
beforeEach(async () => {
  world = await openWorld({ isoDirectories: ['/data'] })
})
afterEach(() => world.close())

async function refusal(operation: string, raw: Readonly<Record<string, unknown>>): Promise<string> {
  const started = world.engine.start(operation, world.engine.decode(operation, raw), 'cli')
  return await started.then(
    () => 'nothing was refused',
    (error: Error) => error.message,
  )
}

describe('a VM that runs', () => {
  test('keeps what it runs from, and its interfaces', async () => {
    const { uuid: vm } = await startVm(world)
    expect(await refusal('disk.delete', { vm, disk: 'xvda' })).toMatch(/xvda is what it runs from: shut it down first/)
    expect(await refusal('nic.delete', { vm, nic: 'eth0' })).toMatch(/taking eth0 away of a running VM ruins/)
    const changes = [
      { ip: '192.0.2.1' },
      { ip: '' },
      { bridge: '1' },
      { bridge: '0' },
      { bridge: '1', ip: '192.0.2.1' },
    ]
    const refused = async (words: RegExp) => {
      for (const change of changes) expect(await refusal('nic.update', { vm, nic: 'eth0', ...change })).toMatch(words)
    }
    await refused(/eth0 of a running VM is never changed: shut it down first/)
    await act(world, 'vm.suspend', { vm })
    await refused(/eth0 of a paused VM is never changed: power it off first/)
    expect(await refusal('disk.delete', { vm, disk: 'xvdb' })).toMatch(/a paused guest cannot let go of xvdb/)
  })

  test('gets no more than it was started with', async () => {
    const { uuid: vm } = await startVm(world)
    expect(await refusal('vm.resize', { vm, memory: 1024 })).toMatch(/started with at most 512 MiB, and 1024 are asked/)
    expect(await refusal('vm.resize', { vm, vcpus: 4 })).toMatch(/started with at most 2 VCPUs, and 4 are asked/)
    expect(await refusal('vm.resize', { vm, maxmem: 1024 })).toMatch(/maximum of 512 MiB changes only while/)
    expect(await refusal('iso.insert', { vm, path: '/data/iso/debian-12.iso' })).toMatch(/without a CD drive/)
  })
})

test('a disk that QEMU keeps open after the guest has let go of it is not taken away', async () => {
  const { uuid: vm, disks } = await startVm(world)
  const host = world.site.host('xen1')
  const { domid } = world.site.domain('fresh')!
  const filename = disks[1]!.path
  await withMonitor(host, domid, 'libxenstat', 'change', (qmp) =>
    qmp.execute('blockdev-add', { 'node-name': 'kept', driver: 'qcow2', file: { driver: 'file', filename } }),
  )
  const { engine } = world
  const started = await engine.start('disk.delete', engine.decode('disk.delete', { vm, disk: 'xvdb' }), 'cli')
  const { job } = await engine.finished(started.id)
  expect(job).toMatchObject({
    state: 'undone',
    message: expect.stringContaining(`its QEMU still has ${filename} open`),
  })
  expect(engine.view.needVm(vm).disks).toHaveLength(2)
  expect(Object.keys(world.site.filesOn('xen1'))).toContain(filename)
  expect(await xen.device(host, domid, 'xvdb')).toMatchObject({ path: filename })
})

test('a VM whose disk the kernel serves is not grown while it runs, and gets no disk that wants a QEMU', async () => {
  const host = world.site.host('xen1')
  const argv = ['qemu-img', 'create', '-q', '-f', 'raw', '/data/own.raw', '64M'] as const
  await run(host, { argv, effect: 'change' })
  const storlink = await makeStorlink(world)
  const files = Object.keys(world.site.filesOn('xen1'))
  const boot = { type: 'pv', kernel: files.find((path) => path.startsWith('/boot/vmlinuz')) }
  const own = { image: '/data/own.raw', copyImage: false }
  await act(world, 'vm.create', { name: 'bare', memory: 64, storlink, uuid: NEW_VM.uuid, ...boot, ...own })
  await startVm(world, NEW_VM.uuid)
  const vm = NEW_VM.uuid
  expect(await refusal('disk.grow', { vm, disk: 'xvda', size: 128 })).toMatch(
    /serves it through a loop device, which does not tell a guest that it has grown; shut it down first/,
  )
  const { engine } = world
  const started = await engine.start('disk.create', engine.decode('disk.create', { vm, storlink, size: 64 }), 'cli')
  const { job } = await engine.finished(started.id)
  expect(job).toMatchObject({ state: 'undone', message: expect.stringContaining('it was started without a QEMU') })
  expect(engine.view.needVm(vm).disks).toHaveLength(1)
})

describe('a VM that is shut down', () => {
  test('keeps its sizes in order', async () => {
    const { uuid: vm } = await makeVm(world)
    expect(await refusal('vm.resize', { vm })).toMatch(/nothing is given to change/)
    expect(await refusal('vm.resize', { vm, memory: 512, maxmem: 256 })).toMatch(
      /maxmem 256 MiB is less than memory 512/,
    )
    expect(await refusal('vm.resize', { vm, memory: 9_000_000 })).toMatch(/is more than PM xen1 has/)
    expect(await refusal('disk.grow', { vm, disk: 'xvda', size: 1024 })).toMatch(/1024 is not more: no disk shrinks/)
    expect(await refusal('disk.grow', { vm, disk: 'xvdz', size: 1 })).toMatch(
      /fresh has no disk xvdz; it has xvda, xvdb/,
    )
    await act(world, 'vm.resize', { vm, memory: 256 })
    expect(world.engine.view.needVm(vm)).toMatchObject({ memoryMib: 256, maxmemMib: 256 })
    await act(world, 'vm.resize', { vm, maxmem: 768, vcpus: 1 })
    await act(world, 'vm.resize', { vm, memory: 512 })
    const { memoryMib, maxmemMib, vcpuCount, maxVcpuCount } = world.engine.view.needVm(vm)
    expect([memoryMib, maxmemMib, vcpuCount, maxVcpuCount]).toEqual([512, 768, 1, 2])
  })

  test('keeps its name and addresses its own', async () => {
    const { uuid: vm } = await makeVm(world)
    const other = await adoptRunning(world)
    const create = (more: object) => refusal('nic.create', { vm, bridge: 'xenbr0', ...more })
    expect(await refusal('vm.edit', { vm, name: other.name })).toMatch(`the name ${other.name} is taken by VM`)
    expect(await refusal('vm.edit', { vm, name: 'a/b' })).toMatch(/a name has no "\/"/)
    expect(await refusal('vm.edit', { vm })).toMatch(/nothing is given to change/)
    expect(await create({ mac: other.nics[0]!.mac.toUpperCase() })).toMatch(`is that of ${other.name} already`)
    expect(await create({ mac: '01:00:5e:00:00:01' })).toMatch(/is an address of a group/)
    expect(await create({ mac: 'eth0' })).toMatch(/is not a MAC address/)
    expect(await create({ bridge: 'xenbr7' })).toMatch(/bridge xenbr7 is not on xen1, which has xenbr0, xenbr1/)
    for (let count = 1; count < 8; count++) await act(world, 'nic.create', { vm, bridge: 'xenbr0' })
    expect(await create({})).toMatch(/it has 8 interfaces: an HVM guest has at most 8/)
    const macs = world.engine.view.needVm(vm).nics.map((nic) => nic.mac)
    expect(new Set(macs).size).toBe(8)
  })
})

test('a VM that is not adopted is not changed', async () => {
  const found = world.engine.view.vms().find((vm) => vm.origin === 'found')!
  const { uuid: vm } = found
  const all: [string, object][] = [
    ['disk.create', { storlink: 1, size: 1 }],
    ['disk.grow', { disk: found.disks[0]!.vdev, size: 10_000_000 }],
    ['nic.create', { bridge: 'xenbr0' }],
    ['vm.resize', { vcpus: 1 }],
    ['vm.edit', { desc: 'x' }],
  ]
  for (const [operation, more] of all) expect(await refusal(operation, { vm, ...more })).toMatch(/adopt it first/)
})

test('nothing is taken in of a file that pengx has written itself', async () => {
  await act(world, 'vm.create', { ...NEW_VM, iso: '/data/iso/debian-12.iso', storlink: await makeStorlink(world) })
  const { engine } = world
  for (const [operation, raw] of [
    ['vm.start', {}],
    ['disk.create', { size: 8 }],
    ['iso.eject', {}],
    ['vm.reset', {}],
  ] as const) {
    const params = engine.decode(operation, { vm: NEW_VM.uuid, ...raw })
    const { job } = await engine.finished((await engine.start(operation, params, 'cli')).id)
    expect({ operation, state: job.state, message: job.message }).toEqual({ operation, state: 'done', message: '' })
  }
})

test('a storlink that the VM’s PM does not see takes none of its disks', async () => {
  const { uuid: vm } = await makeVm(world)
  const pm = world.engine.view.pms().find((one) => one.name === 'xen2')!.uuid
  await act(world, 'storlink.create', { name: 'far', link: '/data', type: 'LO', level: 'FL', pm })
  const { id } = world.engine.view.storlinks().at(-1)!
  expect(await refusal('disk.create', { vm, storlink: id, size: 1 })).toMatch(
    /storlink \d+ \(far\) is on xen2 alone, and the VM is on xen1/,
  )
})

test('a change of an adopted VM takes in what its owner has written since, and leaves every other byte', async () => {
  const vm = await adoptForeign(world)
  const pm = world.engine.view.needPm(vm.pm).name
  const path = `/etc/xen/${vm.name}.cfg`
  const { text } = await xen.readConfig(world.site.host(pm), path)
  const written = `${text.replace(/^vcpus = .*$/m, 'vcpus=1;  # one')}localtime = 1\n`
  await xen.writeConfig(world.site.host(pm), path, written, 'prepare.0')
  await act(world, 'vm.poweroff', { vm: vm.uuid })
  await act(world, 'nic.update', { vm: vm.uuid, nic: 'eth0', ip: '192.0.2.1' })
  const changed = world.engine.view.needVm(vm.uuid)
  expect(changed).toMatchObject({
    vcpuCount: 1,
    configForeign: true,
    configPath: path,
    extraConfig: expect.stringContaining('localtime = 1'),
  })
  const after = await xen.readConfig(world.site.host(pm), path)
  expect(after.text).toBe(written.replace(/(vif = \[ "mac=[^"]*)"/, '$1,ip=192.0.2.1"'))
  expect(changed.nics.map((nic) => nic.id)).toEqual(vm.nics.map((nic) => nic.id))
  expect(changed.disks.map((disk) => disk.uuid)).toEqual(vm.disks.map((disk) => disk.uuid))
})

test('a guest that has rebooted is found under its new number', async () => {
  let rebooted = false
  await world.close()
  world = await openWorld({
    intercept: async ({ operation, name, phase }) => {
      if (operation !== 'disk.create' || name !== 'attach xvdd' || phase !== 'before' || rebooted) return
      rebooted = true
      const own = async () => (await xen.domains(host)).filter((one) => one.uuid === NEW_VM.uuid)
      const host = world.site.host('xen1')
      const [before] = await own()
      await xen.reboot(host, before!.domid, 'test.0')
      await until(async () => {
        const [now, ...more] = await own()
        return more.length === 0 && now?.state === 'running' && now.domid !== before!.domid
      })
    },
  })
  const { uuid: vm } = await startVm(world)
  await act(world, 'disk.create', { vm, size: 8 })
  expect(rebooted).toBe(true)
  const { disks } = world.site.domainsOn('xen1').find((one) => one.uuid === vm)!
  expect(disks.filter((line) => line.startsWith('xvdd'))).toHaveLength(1)
})

test('CD images on a PM are known, and only an HVM guest takes them', async () => {
  const { isos } = world.engine.view.pms()[0]!.seen
  expect(isos).toContainEqual({ path: '/data/iso/debian-12.iso', sizeMib: 700 })
  const pvh = await adoptRunning(world)
  expect(await refusal('iso.insert', { vm: pvh.uuid, path: '/data/iso/debian-12.iso' })).toMatch(
    /a PVH guest has no CD/,
  )
  const { uuid: vm } = await makeVm(world)
  expect(await refusal('iso.eject', { vm })).toMatch(/there is nothing in its CD drive/)
  expect(await refusal('iso.insert', { vm, path: '/data/iso/none.iso' })).toMatch(
    /path: there is no file \/data\/iso\/none.iso/,
  )
})

test('a change is taken back alone out of a file that its owner has changed meanwhile', async () => {
  let path = ''
  await world.close()
  world = await openWorld({
    intercept: async ({ operation, name, phase }) => {
      if (operation !== 'disk.create' || !name.startsWith('attach') || phase !== 'before') return
      const host = world.site.host('xen1')
      const { text } = await xen.readConfig(host, path)
      await xen.writeConfig(host, path, `# mine\n${text}localtime = 1\n`, 'prepare.0')
      throw new PengxError('commandFailed', 'no more')
    },
  })
  const vm = await adoptForeign(world)
  path = vm.configPath!
  const host = world.site.host('xen1')
  const { text } = await xen.readConfig(host, path)
  await act(world, 'storlink.create', { name: 'more', link: '/data', type: 'LO', level: 'FL', pm: vm.pm })
  const { engine } = world
  const params = engine.decode('disk.create', { vm: vm.uuid, size: 8, storlink: 1 })
  const { job } = await engine.finished((await engine.start('disk.create', params, 'cli')).id)
  expect(job.state).toBe('undone')
  expect((await xen.readConfig(host, path)).text).toBe(`# mine\n${text}localtime = 1\n`)
  expect(engine.view.needVm(vm.uuid).disks).toEqual(vm.disks)
})
