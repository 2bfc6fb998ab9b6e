import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { run } from '../../../src/engine/host/run.ts'
import type { Vm } from '../../../src/model/vm.ts'
import { act, makeStorlink, makeVm, NEW_VM, pmNamed, refusalOf, startVm } from '../../support/sites/acts.ts'
import { openWorld, type World } from '../../support/sites/world.ts'
import { joinPms, makeSharedVm } from '../operations/cases/migrateCases.ts'

/** Whoever is about to use a volume is refused where somebody else has it, whatever that one calls it. */

let world: World
beforeEach(async () => {
  world = await openWorld()
})
afterEach(async () => await world.close())

const change = (pm: string, argv: readonly [string, ...string[]], stdin?: string) =>
  run(world.site.host(pm), { argv, effect: 'change', ...(stdin === undefined ? {} : { stdin }) })

/** An administrator starts a guest by hand; pengx has not looked since. */
async function stranger(path: string, { pm = 'xen1', access = 'rw', name = 'stranger' } = {}): Promise<void> {
  const disk = `format=qcow2,vdev=xvda,access=${access},backendtype=qdisk,target=${path}`
  const text = `name = "${name}"\ntype = "pv"\nmemory = 64\nkernel = "/boot/vmlinuz-guest"\ndisk = ["${disk}"]\n`
  await change(pm, ['tee', `/etc/xen/${name}.cfg`], text)
  await change(pm, ['xl', 'create', `/etc/xen/${name}.cfg`])
}

/** One that runs on a new image which lies on that one. */
async function clone(path: string, pm = 'xen1'): Promise<void> {
  await change(pm, ['mkdir', '-p', '/data/clones'])
  await change(pm, ['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', path, '-F', 'qcow2', '/data/clones/c.qcow2'])
  await stranger('/data/clones/c.qcow2', { pm })
}

const odd = (path: string) => path.replace('/data/', '//data/./')
const vm = (): Vm => world.engine.view.needVm(NEW_VM.uuid)
const pathOf = (vdev: string) => vm().disks.find((disk) => disk.vdev === vdev)!.path
const refusal = (operation: string, raw: object = {}) => refusalOf(world, operation, { vm: NEW_VM.uuid, ...raw })

/** An operation on a VM that is off, and what it takes. */
const OFF: readonly (readonly [operation: string, raw: () => object, prepare?: () => Promise<void>])[] = [
  ['vm.start', () => ({})],
  ['vm.delete', () => ({})],
  ['disk.grow', () => ({ disk: 'xvda', size: 2048 })],
  ['disk.delete', () => ({ disk: 'xvda' })],
  ['snapshot.create', () => ({ name: 's' })],
  ['snapshot.restore', () => ({ snapshot: 'before' }), snapshot],
  ['snapshot.start', () => ({ snapshot: 'before' }), snapshot],
  ['snapshot.delete', () => ({ snapshot: 'before' }), snapshot],
  ['backup.create', () => ({ storlink: world.engine.view.storlinks()[0]!.id })],
  ['template.create', () => ({ name: 't', storlink: world.engine.view.storlinks()[0]!.id })],
]

async function snapshot(): Promise<void> {
  await act(world, 'snapshot.create', { vm: NEW_VM.uuid, name: 'before' })
}

describe('a stranger’s domain has its disk under another name', () => {
  for (const [operation, raw, prepare] of OFF)
    test(operation, async () => {
      await makeVm(world)
      await prepare?.()
      await stranger(odd(pathOf('xvda')))
      expect(await refusal(operation, raw())).toMatch(
        /^refused: .*disk xvda \(.*\) is in use by stranger \(domain \d+ on xen1, as \/\/?data\/.*\)|^refused: .*xvda .* is also open/,
      )
    })
})

describe('a stranger’s domain lies on it', () => {
  for (const [operation, raw, prepare] of OFF.filter(([name]) => !['backup.create', 'template.create'].includes(name)))
    test(operation, async () => {
      await makeVm(world)
      await prepare?.()
      await clone(pathOf('xvda'))
      expect(await refusal(operation, raw())).toMatch(/^refused: .*is in use by stranger .*it reads what is changed/)
    })
})

test('what only reads is no harm to what only reads', async () => {
  await makeVm(world)
  await stranger(odd(pathOf('xvda')), { access: 'ro' })
  await act(world, 'vm.start', { vm: (await makeSecond()).uuid })
})

async function makeSecond(): Promise<Vm> {
  const { id } = world.engine.view.storlinks()[0]!
  const second = { ...NEW_VM, name: 'second', uuid: '22222222-2222-4333-8444-555555555555', storlink: id }
  await act(world, 'vm.create', second)
  return world.engine.view.needVm(second.uuid)
}

test('a running VM is not reset onto a disk that a stranger has opened meanwhile', async () => {
  await startVm(world)
  await clone(pathOf('xvda'))
  expect(await refusal('vm.reset')).toMatch(/is in use by stranger/)
})

test('a template is neither booted nor deleted under one who lies on it, nor an image added that is written to', async () => {
  const storlink = await makeStorlink(world)
  const uuid = 'bed05d84-7c44-4720-9588-57cbd8ecef8c'
  const template = '77777777-2222-4333-8444-555555555555'
  const path = `/data/${uuid}.qcow2`
  await change('xen1', ['qemu-img', 'create', '-q', '-f', 'qcow2', path, '512M'])
  const raw = { name: 'golden', storlink, uuid, format: 'qcow2', template }
  await stranger(odd(path), { name: 'writer' })
  expect(await refusalOf(world, 'template.add', raw)).toMatch(/is in use by writer|is a disk of VM writer/)
  await change('xen1', ['xl', 'destroy', 'writer'])
  await world.engine.look()
  await act(world, 'template.add', raw)
  await clone(path)
  expect(await refusalOf(world, 'template.start', { template })).toMatch(/is in use by stranger/)
  expect(await refusalOf(world, 'template.delete', { template })).toMatch(/is in use by stranger/)
  await change('xen1', ['xl', 'destroy', 'stranger'])
  await change('xen1', ['mv', '/data/clones/c.qcow2', '/data/c.qcow2'])
  // nobody runs on it, and nobody has written it down
  expect(await refusalOf(world, 'template.delete', { template })).toMatch(/\/data\/c\.qcow2 .*would be ruined/)
})

test('nothing is adopted whose disk another has', async () => {
  await makeVm(world)
  await act(world, 'vm.start', { vm: NEW_VM.uuid })
  const disk = `format=qcow2,vdev=xvda,access=rw,target=${odd(pathOf('xvda'))}`
  const text = `name = "twin"\ntype = "pv"\nmemory = 64\nkernel = "/boot/vmlinuz-guest"\ndisk = ["${disk}"]\n`
  await change('xen1', ['tee', '/etc/xen/twin.cfg'], text)
  const raw = { what: '/etc/xen/twin.cfg', pm: pmNamed(world) }
  expect(await refusalOf(world, 'vm.adopt', raw)).toMatch(/is in use by fresh/)
})

test('nothing goes that the disk of a VM elsewhere lies on, though that is off', async () => {
  await makeVm(world)
  await clone(pathOf('xvda'))
  await change('xen1', ['xl', 'destroy', 'stranger'])
  await act(world, 'vm.adopt', { what: '/etc/xen/stranger.cfg', pm: pmNamed(world) })
  const why = /\/data\/clones\/c.qcow2, a disk of stranger, on xen1 lies on \/data\/.*, and would be ruined/
  expect(await refusal('vm.delete')).toMatch(why)
  await change('xen1', ['mv', '/data/clones/c.qcow2', '/data/c.qcow2'])
  expect(await refusal('disk.delete', { disk: 'xvda' })).toMatch(/\/data\/c.qcow2 on xen1 lies on/)
  await act(world, 'disk.delete', { vm: NEW_VM.uuid, disk: 'xvdb' })
})

test('nothing is started that another’s image lies on, though that is off, unless somebody knows better', async () => {
  await makeVm(world)
  await clone(pathOf('xvda'))
  await change('xen1', ['xl', 'destroy', 'stranger'])
  await change('xen1', ['mv', '/data/clones/c.qcow2', '/data/c.qcow2'])
  const why =
    /\/data\/c\.qcow2 on xen1 lies on \/data\/.*, and would be ruined: where nobody needs that any more, --force/
  expect(await refusal('vm.start')).toMatch(why)
  const image = { storlink: 1, image: pathOf('xvda'), copyImage: false, type: 'pv', kernel: '/boot/vmlinuz-guest' }
  await act(world, 'vm.delete', { vm: NEW_VM.uuid, disks: 'none' })
  const other = { ...image, name: 'taker', memory: 64, pm: pmNamed(world) }
  expect(await refusalOf(world, 'vm.create', other)).toMatch(/\/data\/c\.qcow2 on xen1 lies on .* would be ruined$/)
})

test('an image of a VM that is off and lies on it is in the way of a start, too', async () => {
  await makeVm(world)
  await clone(pathOf('xvda'))
  await change('xen1', ['xl', 'destroy', 'stranger'])
  await act(world, 'vm.adopt', { what: '/etc/xen/stranger.cfg', pm: pmNamed(world) })
  expect(await refusal('vm.start')).toMatch(/\/data\/clones\/c.qcow2, a disk of stranger, on xen1 lies on/)
  const { engine } = world
  const raw = engine.decode('vm.start', { vm: NEW_VM.uuid, force: true })
  const { job } = await engine.finished((await engine.start('vm.start', raw, 'cli')).id)
  expect(job.state).toBe('done')
  expect(job.message).toMatch(/c\.qcow2.* would be ruined; it was done all the same/)
})

test('a logical volume that the kernel serves to a stranger', async () => {
  await act(world, 'storlink.create', { name: 'fast', link: 'vg-fast', type: 'LO', level: 'BL', pm: pmNamed(world) })
  const storlink = world.engine.view.storlinks()[0]!.id
  await act(world, 'vm.create', { ...NEW_VM, diskFormat: 'raw', storlink, pm: pmNamed(world) })
  const target = pathOf('xvda').replace('/vg-fast/', '//vg-fast/./')
  await change('xen1', ['ln', '-s', target, '/root/disk'])
  const disk = 'format=raw,vdev=xvda,access=rw,backendtype=phy,target=/root/disk'
  const text = `name = "stranger"\ntype = "pv"\nmemory = 64\nkernel = "/boot/vmlinuz-guest"\ndisk = ["${disk}"]\n`
  await change('xen1', ['tee', '/etc/xen/stranger.cfg'], text)
  await change('xen1', ['xl', 'create', '/etc/xen/stranger.cfg'])
  for (const [operation, raw] of [['vm.start'], ['disk.grow', { disk: 'xvda', size: 2048 }], ['vm.delete']] as const)
    expect(await refusal(operation, raw)).toMatch(/is in use by stranger \(domain \d+ on xen1, as \/root\/disk\)/)
})

describe('on disks that several PMs see', () => {
  /** A VM whose disk lies on a file system of a server, in no storlink. */
  async function adopted(): Promise<Vm> {
    world.site.share('/san', ['xen1', 'xen2'])
    await change('xen1', ['qemu-img', 'create', '-q', '-f', 'qcow2', '/san/a.qcow2', '64M'])
    const disk = 'format=qcow2,vdev=xvda,access=rw,backendtype=qdisk,target=/san/a.qcow2'
    const uuid = NEW_VM.uuid
    const text = `name = "fresh"\nuuid = "${uuid}"\ntype = "pv"\nmemory = 64\nkernel = "/boot/vmlinuz-guest"\ndisk = ["${disk}"]\n`
    await change('xen1', ['tee', '/etc/xen/fresh.cfg'], text)
    await act(world, 'vm.adopt', { what: '/etc/xen/fresh.cfg', pm: pmNamed(world) })
    return vm()
  }

  test('one that was adopted is looked for on the others, too', async () => {
    expect((await adopted()).disks[0]!.storlink).toBeUndefined()
    await stranger('//san/a.qcow2', { pm: 'xen2' })
    expect(await refusal('vm.start')).toMatch(/is in use by stranger \(domain \d+ on xen2/)
    expect(await refusal('disk.grow', { disk: 'xvda', size: 128 })).toMatch(/is in use by stranger/)
    expect(await refusal('vm.delete', { disks: 'all' })).toMatch(/is in use by stranger/)
  })

  test('one that runs on another by its own name', async () => {
    await adopted()
    const { stdout } = await run(world.site.host('xen1'), { argv: ['cat', '/etc/xen/fresh.cfg'], effect: 'read' })
    await change('xen2', ['tee', '/etc/xen/fresh.cfg'], stdout)
    await change('xen2', ['xl', 'create', '/etc/xen/fresh.cfg'])
    expect(await refusal('vm.start')).toMatch(/has a domain on xen2: .* would run it twice|it is running/)
  })

  test('a PM that does not answer is in the way, unless somebody knows better', async () => {
    await adopted()
    world.site.faults.unreachable('xen2', 3_600_000)
    expect(await refusal('vm.start')).toMatch(/seen by xen2 .*cannot be asked.*--force .*make sure first/)
    expect(await refusal('vm.delete', { disks: 'all' })).toMatch(/seen by xen2 .*cannot be asked/)
    await act(world, 'vm.start', { vm: NEW_VM.uuid, force: true })
    // whose domain has it open was asked when it was started
    await act(world, 'disk.grow', { vm: NEW_VM.uuid, disk: 'xvda', size: 128 })
  })

  test('what another PM has under the same name in a file system of its own is another volume', async () => {
    await adopted()
    const [xen2] = world.site.state.pms.filter(({ name }) => name === 'xen2')
    xen2!.mounts = xen2!.mounts.filter(({ at }) => at !== '/san')
    await change('xen2', ['mv', '/san', '/gone'])
    await change('xen2', ['mkdir', '-p', '/san'])
    await change('xen2', ['qemu-img', 'create', '-q', '-f', 'qcow2', '/san/a.qcow2', '64M'])
    await stranger('/san/a.qcow2', { pm: 'xen2' })
    await act(world, 'vm.start', { vm: NEW_VM.uuid })
  })

  test('disks of this PM alone are nobody else’s affair', async () => {
    await makeVm(world)
    world.site.faults.unreachable('xen2', 3_600_000)
    await act(world, 'vm.start', { vm: NEW_VM.uuid })
  })

  test('it does not go to another PM while a stranger has its disk', async () => {
    await makeSharedVm(world)
    await stranger(`//${pathOf('xvda')}`, { pm: 'xen2' })
    expect(await refusal('vm.migrate', { pm: pmNamed(world, 'xen2') })).toMatch(/is in use by stranger/)
  })

  test('a VM of which nobody can say whether it runs has its disks', async () => {
    await joinPms(world)
    const storlink = world.engine.view.storlinks()[0]!
    await change('xen1', ['qemu-img', 'create', '-q', '-f', 'qcow2', '/shared/u.qcow2', '64M'])
    const boot = { type: 'pv', kernel: '/boot/vmlinuz-guest', vncPassword: '', diskSize: '', extraDiskSize: '' }
    const common = { ...NEW_VM, ...boot, storlink: storlink.id, copyImage: false }
    await act(world, 'vm.create', { ...common, image: '/shared/u.qcow2', pm: pmNamed(world) })
    const other = { name: 'other', uuid: '22222222-2222-4333-8444-555555555555' }
    await act(world, 'vm.create', { ...common, ...other, image: '//shared/./u.qcow2', pm: pmNamed(world, 'xen2') })
    world.site.faults.unreachable('xen2', 3_600_000)
    await world.engine.look()
    expect(world.engine.view.needVm(other.uuid).seen.state).toBe('unknown')
    expect(await refusal('vm.start')).toMatch(/is also a disk of other: whether that runs nobody can say/)
    await act(world, 'vm.start', { vm: NEW_VM.uuid, force: true })
  })
})
