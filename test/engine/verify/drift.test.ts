import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { run } from '../../../src/engine/host/run.ts'
import type { Finding } from '../../../src/model/finding.ts'
import type { Vm } from '../../../src/model/vm.ts'
import { act, adoptForeign, makeStorlink, makeVm, pmNamed, startVm } from '../../support/sites/acts.ts'
import { openWorld, pictureOf, type World } from '../../support/sites/world.ts'

/** Every kind of drift made on purpose, found, and repaired where there is a repair. */
let world: World
beforeEach(async () => {
  world = await openWorld()
})
afterEach(() => world.close())

async function sh(argv: readonly [string, ...string[]], stdin?: string): Promise<void> {
  await run(world.site.host('xen1'), { argv, effect: 'change', ...(stdin === undefined ? {} : { stdin }) })
}

const report = async (options = {}) => await world.engine.verify(options)
const found = async (options = {}) => (await report(options)).findings
const codes = async (options = {}) => [...new Set((await found(options)).map(({ code }) => code))]
const of = (findings: readonly Finding[], code: string) => findings.filter((one) => one.code === code)

/** Runs what a finding proposes, as a person would who has read its plan. */
async function repair(finding: Finding | undefined): Promise<void> {
  expect(finding?.repair).toBeDefined()
  await act(world, finding!.repair!.operation, finding!.repair!.params)
}

function nodeOf(path: string) {
  const [name, ...up] = path.split('/').reverse()
  let directory = world.site.pm('xen1').root
  for (const part of up.reverse().filter(Boolean)) {
    const next = directory.children[part]!
    if (next.kind !== 'dir') throw new Error(`${part} is no directory`)
    directory = next
  }
  const node = directory.children[name!]!
  if (node.kind !== 'file') throw new Error(`${path} is no file`)
  return node
}

async function start(name: string, path: string, uuid?: string): Promise<void> {
  const lines = [`name = "${name}"`, 'type = "pvh"', 'memory = 128', 'vcpus = 1']
  lines.push(`disk = [ 'format=qcow2,vdev=xvda,access=rw,target=${path}' ]`)
  if (uuid !== undefined) lines.push(`uuid = "${uuid}"`)
  await sh(['tee', `/root/${name}.cfg`], `${lines.join('\n')}\n`)
  await sh(['xl', 'create', `/root/${name}.cfg`])
}

async function backUp(vm: Vm): Promise<string> {
  await act(world, 'backup.create', { vm: vm.uuid, storlink: world.engine.view.storlinks()[0]!.id, name: 'monday' })
  return world.engine.view.backups()[0]!.uuid
}

describe('a site as it should be', () => {
  test('has nothing to tell of, and is as it was', async () => {
    const vm = await makeVm(world)
    await act(world, 'snapshot.create', { vm: vm.uuid, name: 'before' })
    await backUp(vm)
    await startVm(world, vm.uuid)
    await act(world, 'snapshot.create', { vm: vm.uuid, name: 'live' })
    await adoptForeign(world)
    const before = await pictureOf(world)
    const { findings, counts, volumes } = await report({ deep: true })
    expect(findings).toEqual([])
    expect(counts).toMatchObject({ pms: 2 })
    expect(counts.images).toBeGreaterThan(2)
    expect(volumes.filter(({ of: why }) => why !== 'known' && why !== 'foreign')).toEqual([])
    expect(await pictureOf(world)).toEqual(before)
  })

  test('takes few round trips, however many VMs there are', async () => {
    const lines: string[] = []
    const stop = world.engine.onCommand(({ line }) => void lines.push(line))
    await report()
    const few = lines.length
    expect(few).toBeLessThan(60)
    stop()
  })
})

describe('a volume', () => {
  test('is not there', async () => {
    const vm = await makeVm(world)
    await sh(['mv', vm.disks[0]!.path, `${vm.disks[0]!.path}.aside`])
    const [missing] = of(await found(), 'VOLUME_MISSING')
    expect(missing).toMatchObject({ subject: { kind: 'vm', id: vm.uuid }, path: vm.disks[0]!.path })
    expect(missing!.text).toContain('set aside')
    await sh(['mv', `${vm.disks[0]!.path}.aside`, vm.disks[0]!.path])
    expect(await codes()).toEqual([])
  })

  test('of a backup is not there, and the backup is told to be bad', async () => {
    const vm = await makeVm(world)
    const uuid = await backUp(vm)
    const { path } = world.engine.view.needBackup(uuid).volumes[0]!
    await sh(['mv', path, '/root/away'])
    const missing = of(await found(), 'VOLUME_MISSING')[0]!
    expect(missing).toMatchObject({ subject: { kind: 'backup', id: uuid }, path })
    const { operation, params } = missing.repair!
    const started = await world.engine.start(operation, world.engine.decode(operation, params), 'cli')
    await world.engine.finished(started.id)
    expect(await codes()).toEqual(['VOLUME_MISSING', 'BACKUP_FAILED'])
  })

  test('lies on another than what is written down', async () => {
    const vm = await makeVm(world)
    await act(world, 'snapshot.create', { vm: vm.uuid, name: 'before' })
    await sh(['qemu-img', 'create', '-f', 'qcow2', '/data/other.qcow2', '1024M'])
    const { path } = world.engine.view.needVm(vm.uuid).disks[0]!
    await sh(['qemu-img', 'rebase', '-u', '-f', 'qcow2', '-b', '/data/other.qcow2', '-F', 'qcow2', path])
    expect(of(await found(), 'CHAIN_DIFFERS')).toMatchObject([{ path, subject: { id: vm.uuid } }])
  })

  test('lies on what is written down under another spelling', async () => {
    const vm = await makeVm(world)
    await act(world, 'snapshot.create', { vm: vm.uuid, name: 'before' })
    const now = world.engine.view.needVm(vm.uuid)
    const below = now.layers![0]!.volumes[0]!.path
    const other = below.replace('/data/', '///data/./')
    await sh(['qemu-img', 'rebase', '-u', '-f', 'qcow2', '-b', other, '-F', 'qcow2', now.disks[0]!.path])
    expect(await codes()).toEqual([])
  })

  test('has another size, another format, or is damaged', async () => {
    const vm = await makeVm(world)
    const [first, second] = vm.disks.map(({ path }) => path)
    await sh(['qemu-img', 'resize', '-f', 'qcow2', first!, '2048M'])
    expect(of(await found(), 'SIZE_DIFFERS')).toMatchObject([{ path: first, subject: { id: vm.uuid } }])
    const image = nodeOf(first!).image!
    nodeOf(first!).image = { ...image, virtualSize: 1024 * 1024 * 1024, corrupt: true }
    nodeOf(second!).image = { format: 'raw', virtualSize: 64 * 1024 * 1024 } as typeof image
    expect(await codes()).toEqual(['IMAGE_CORRUPT', 'FORMAT_DIFFERS'])
  })

  test('is damaged, which only a deep look finds, and not while its guest may have it open', async () => {
    const vm = await makeVm(world)
    const { path } = vm.disks[0]!
    nodeOf(path).image!.corruptions = 3
    expect(await codes()).toEqual([])
    expect(of(await found({ deep: true }), 'IMAGE_CORRUPT')).toMatchObject([{ path, subject: { id: vm.uuid } }])
    await startVm(world, vm.uuid)
    expect(await codes({ deep: true })).toEqual([])
  })

  test('is known to nobody', async () => {
    await makeStorlink(world)
    const path = '/data/0d600000-0000-4000-8000-000000000001.qcow2'
    await sh(['qemu-img', 'create', '-f', 'qcow2', path, '64M'])
    expect(of(await found(), 'VOLUME_UNKNOWN')).toMatchObject([{ path, subject: { kind: 'storlink' } }])
  })
})

describe('who writes', () => {
  test('a domain on the frozen layer of its own VM, which a power off ends', async () => {
    const vm = await makeVm(world)
    await act(world, 'snapshot.create', { vm: vm.uuid, name: 'before' })
    const frozen = world.engine.view.needVm(vm.uuid).layers![0]!.volumes[0]!.path
    await start(vm.domainName, frozen, vm.uuid)
    const [finding] = of(await found(), 'VM_ON_FROZEN_LAYER')
    expect(finding).toMatchObject({ subject: { id: vm.uuid }, path: frozen, repair: { operation: 'vm.poweroff' } })
    await repair(finding)
    expect(await codes()).toEqual([])
  })

  test('a stranger’s domain on the frozen layer of a VM, by another path', async () => {
    const vm = await makeVm(world)
    await act(world, 'snapshot.create', { vm: vm.uuid, name: 'before' })
    const frozen = world.engine.view.needVm(vm.uuid).layers![0]!.volumes[0]!.path
    await start('stranger', frozen.replace('/data/', '///data/'))
    const [finding] = of(await found(), 'VM_ON_FROZEN_LAYER')
    expect(finding!.text).toContain('stranger')
    expect(finding!.repair).toBeUndefined()
  })

  test('two on one volume, by a symbolic link', async () => {
    const vm = await startVm(world)
    await sh(['ln', '-s', '/data', '/root/elsewhere'])
    const path = vm.disks[0]!.path.replace('/data/', '/root/elsewhere/')
    await start('stranger', path)
    const [finding] = of(await found(), 'VOLUME_TWO_USERS')
    expect(finding).toMatchObject({ path })
    expect(finding!.text).toContain(vm.name)
    expect(finding!.text).toContain('stranger')
  })

  test('a domain on a volume that nobody has written down, and one that is broken', async () => {
    const vm = await makeVm(world)
    await sh(['qemu-img', 'create', '-f', 'qcow2', '/root/other.qcow2', '64M'])
    await start(vm.domainName, '/root/other.qcow2', vm.uuid)
    expect(of(await found(), 'DOMAIN_DIFFERS')).toMatchObject([{ path: '/root/other.qcow2', subject: { id: vm.uuid } }])
    await act(world, 'vm.poweroff', { vm: vm.uuid })
    await startVm(world, vm.uuid)
    world.site.faults.killQemu(vm.domainName)
    const [broken] = of(await found(), 'DOMAIN_BROKEN')
    await repair(broken)
    expect(await codes()).toEqual([])
  })
})

describe('a configuration', () => {
  test('was changed by its owner, or is gone', async () => {
    const vm = await adoptForeign(world)
    const host = world.site.host(world.engine.view.needPm(vm.pm).name)
    const { stdout } = await run(host, { argv: ['cat', vm.configPath!], effect: 'read' })
    const text = stdout.replace(/^memory = \d+/m, 'memory = 777')
    await run(host, { argv: ['tee', vm.configPath!], effect: 'change', stdin: text })
    expect(of(await found(), 'CONFIG_DIFFERS')).toMatchObject([{ subject: { id: vm.uuid }, path: vm.configPath! }])
    await run(host, { argv: ['rm', vm.configPath!], effect: 'change' })
    expect(of(await found(), 'CONFIG_MISSING')).toMatchObject([{ subject: { id: vm.uuid } }])
  })

  test('names the volume under a snapshot, and gets the VM’s own again', async () => {
    const vm = await makeVm(world)
    await act(world, 'snapshot.create', { vm: vm.uuid, name: 'before' })
    const now = world.engine.view.needVm(vm.uuid)
    const frozen = now.layers![0]!.volumes[0]!.path
    const { stdout } = await run(world.site.host('xen1'), { argv: ['cat', vm.configPath!], effect: 'read' })
    await sh(['tee', vm.configPath!], stdout.replaceAll(now.disks[0]!.path, frozen))
    const findings = await found()
    expect(of(findings, 'CONFIG_DIFFERS')).toHaveLength(1)
    const [finding] = of(findings, 'VM_ON_FROZEN_LAYER')
    expect(finding).toMatchObject({ path: frozen, repair: { operation: 'vm.config' } })
    await repair(finding)
    expect(await codes()).toEqual([])
  })
})

describe('the site', () => {
  test('a PM that does not answer is told of, and nothing of it is judged', async () => {
    await makeVm(world)
    world.site.faults.unreachable('xen2', 1_000_000)
    const findings = await found()
    expect(of(findings, 'PM_AWAY')).toMatchObject([{ subject: { kind: 'pm', id: pmNamed(world, 'xen2') } }])
    expect(findings.map(({ code }) => code)).toEqual(['PM_AWAY'])
  })

  test('a write of a configuration that was cut short', async () => {
    const vm = await makeVm(world)
    const path = `/etc/xen/pengx/.${vm.uuid}.cfg.new`
    await sh(['touch', path])
    expect(of(await found(), 'LEFTOVER')).toMatchObject([{ path, subject: { kind: 'pm' } }])
  })

  test('a storlink whose directory is gone is told of once', async () => {
    await makeVm(world)
    await sh(['mv', '/data', '/was-data'])
    const { findings } = await report()
    expect(findings.map(({ code }) => code)).toEqual(['STORLINK_AWAY'])
  })
})
