import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { run } from '../../../src/engine/host/run.ts'
import type { Vm } from '../../../src/model/vm.ts'
import { act, makeStorlink, makeVm, pmNamed, refusalOf } from '../../support/sites/acts.ts'
import { openWorld, type World } from '../../support/sites/world.ts'

/** Guests that somebody starts by hand, from files without a UUID: whose they are, and what they really write to. */
let world: World
beforeEach(async () => {
  world = await openWorld()
})
afterEach(() => world.close())

async function sh(argv: readonly [string, ...string[]], stdin?: string): Promise<void> {
  await run(world.site.host('xen1'), { argv, effect: 'change', ...(stdin === undefined ? {} : { stdin }) })
}

async function image(path: string): Promise<void> {
  await sh(['qemu-img', 'create', '-f', 'qcow2', path, '64M'])
}

async function file(path: string, name: string, disks: readonly string[], uuid?: string): Promise<void> {
  const disk = disks.map((target, at) => `'format=qcow2,vdev=xvd${'abc'[at]},access=rw,target=${target}'`)
  const lines = [`name = "${name}"`, 'type = "pvh"', 'memory = 128', 'vcpus = 1', `disk = [ ${disk.join(', ')} ]`]
  if (uuid !== undefined) lines.push(`uuid = "${uuid}"`)
  await sh(['tee', path], `${lines.join('\n')}\n`)
}

const named = (name: string) => world.engine.view.vms().filter((vm) => vm.name === name)
const one = (name: string): Vm => {
  const [vm, ...more] = named(name)
  expect(more).toEqual([])
  return vm!
}
const domidOf = (name: string) => String(named(name).find((vm) => vm.seen.domid !== undefined)!.seen.domid)
const kinds = (name: string) => (one(name).seen.wrongVolumes ?? []).map(({ kind, path }) => `${kind} ${path}`)

async function adoptErp(): Promise<Vm> {
  await image('/data/erp.qcow2')
  await file('/etc/xen/erp.cfg', 'erp', ['/data/erp.qcow2'])
  await act(world, 'vm.adopt', { what: '/etc/xen/erp.cfg', pm: 'xen1' })
  return one('erp')
}

describe('a domain from a file without a UUID', () => {
  test('is the VM of its name whose disks it has, and there is one row', async () => {
    const { uuid } = await adoptErp()
    await sh(['xl', 'create', '/etc/xen/erp.cfg'])
    await world.engine.look()
    expect(one('erp')).toMatchObject({ uuid, origin: 'adopted', seen: { state: 'running', drift: [] } })
    expect(one('erp').seen.wrongVolumes).toBeUndefined()
    await act(world, 'vm.poweroff', { vm: uuid })
    expect(world.site.domainsOn('xen1').filter(({ name }) => name === 'erp')).toEqual([])
    expect(one('erp').seen.state).toBe('shutdown')
  })

  test('that was found before its file was adopted is found no more', async () => {
    await image('/data/shop.qcow2')
    await file('/etc/xen/shop.cfg', 'shop', ['/data/shop.qcow2'])
    await sh(['xl', 'create', '/etc/xen/shop.cfg'])
    await world.engine.look()
    const found = one('shop')
    expect(found.origin).toBe('found')
    await act(world, 'vm.adopt', { what: '/etc/xen/shop.cfg', pm: 'xen1' })
    await world.engine.look()
    expect(one('shop')).toMatchObject({ origin: 'adopted', seen: { state: 'running' } })
    // A disk that is in use is not grown behind its guest's back: its QEMU does it, under the lock that libxl takes.
    const lines: string[] = []
    world.engine.onCommand(({ line }) => void lines.push(line))
    await act(world, 'disk.grow', { vm: one('shop').uuid, disk: 'xvda', size: 128 })
    expect(lines.some((line) => line.includes(`userdata-l.${domidOf('shop')}.${found.uuid}.qmp-socket-lock`))).toBe(
      true,
    )
    expect(lines.filter((line) => line.includes('qemu-img resize'))).toEqual([])
  })

  test('of its name with other disks is another, and both say so', async () => {
    const { uuid } = await adoptErp()
    await image('/data/old.qcow2')
    await file('/etc/xen/old.cfg', 'erp', ['/data/old.qcow2'])
    await sh(['xl', 'create', '/etc/xen/old.cfg'])
    await world.engine.look()
    const domid = domidOf('erp')
    const [vm, other] = named('erp').sort((a) => (a.uuid === uuid ? -1 : 1))
    expect(vm!.seen).toMatchObject({
      state: 'shutdown',
      drift: [`a domain of its name (domid ${domid}) runs on other disks: /data/old.qcow2`],
    })
    expect(other).toMatchObject({
      origin: 'found',
      seen: { state: 'running', drift: ['has the name of VM erp and other disks: it is another'] },
    })
    await sh(['xl', 'destroy', domid])
    await world.engine.look()
    expect(one('erp').seen.drift).toEqual([])
  })

  test('goes on being the VM after a live snapshot, and is right where QEMU writes', async () => {
    const storlink = await makeStorlink(world)
    const { uuid } = await adoptErp()
    await sh(['xl', 'create', '/etc/xen/erp.cfg'])
    await world.engine.look()
    await act(world, 'snapshot.create', { vm: uuid, name: 'before', storlink })
    await world.engine.look()
    expect(one('erp').disks[0]!.path).not.toBe('/data/erp.qcow2')
    expect(one('erp').seen).toMatchObject({ state: 'running', drift: [] })
    expect(kinds('erp')).toEqual([])
  })
})

describe('a domain on a volume that it must not write to', () => {
  for (const uuid of [undefined, '0000000a-0000-4000-8000-00000000000a']) {
    test(`the old file started by the host, ${uuid ? 'with' : 'without'} a UUID: it is on the frozen base`, async () => {
      const storlink = await makeStorlink(world)
      await image('/data/erp.qcow2')
      await file('/etc/xen/erp.cfg', 'erp', ['/data/erp.qcow2'], uuid)
      // Where nobody looks for configurations: one in /etc/xen would have the snapshot refused.
      await sh(['cp', '/etc/xen/erp.cfg', '/data/old-erp'])
      await act(world, 'vm.adopt', { what: '/etc/xen/erp.cfg', pm: 'xen1' })
      const vm = one('erp')
      await act(world, 'snapshot.create', { vm: vm.uuid, name: 'before', storlink })
      await sh(['xl', 'create', '/data/old-erp'])
      await world.engine.look()
      expect(one('erp').seen.state).toBe('running')
      expect(kinds('erp')).toEqual(['frozen /data/erp.qcow2'])
      const { since } = one('erp').seen.wrongVolumes![0]!
      await world.engine.look()
      expect(one('erp').seen.wrongVolumes![0]!.since).toBe(since)
      for (const [operation, more] of [
        ['snapshot.create', { name: 'after' }],
        ['snapshot.delete', { snapshot: 'before' }],
        ['disk.grow', { disk: 'xvda', size: 128 }],
      ] as const)
        expect(await refusalOf(world, operation, { vm: vm.uuid, ...more })).toContain('/data/erp.qcow2')
      await act(world, 'vm.poweroff', { vm: vm.uuid })
      await world.engine.look()
      expect(kinds('erp')).toEqual([])
      await act(world, 'vm.start', { vm: vm.uuid })
      await world.engine.look()
      expect(kinds('erp')).toEqual([])
      expect(one('erp').seen.state).toBe('running')
    })
  }

  test('of another VM: both say so, until it is gone', async () => {
    await adoptErp()
    await file('/etc/xen/crm.cfg', 'crm', ['/data/erp.qcow2'])
    await sh(['xl', 'create', '/etc/xen/crm.cfg'])
    await world.engine.look()
    expect(one('crm').origin).toBe('found')
    expect(kinds('crm')).toEqual(['others /data/erp.qcow2'])
    expect(one('erp').seen.wrongVolumes).toMatchObject([
      { kind: 'shared', vdev: 'xvda', path: '/data/erp.qcow2', of: `domain ${domidOf('crm')} (crm)` },
    ])
    expect(await refusalOf(world, 'disk.grow', { vm: one('erp').uuid, disk: 'xvda', size: 128 })).toContain('(crm)')
    await sh(['xl', 'destroy', domidOf('crm')])
    await world.engine.look()
    expect(one('erp').seen.wrongVolumes).toBeUndefined()
  })

  test('that was attached by hand, and is none of its own; it goes when it is detached', async () => {
    const { uuid } = await adoptErp()
    await sh(['xl', 'create', '/etc/xen/erp.cfg'])
    await world.engine.look()
    await image('/data/extra.qcow2')
    const domid = domidOf('erp')
    await sh(['xl', 'block-attach', domid, 'format=qcow2,vdev=xvdb,access=rw,target=/data/extra.qcow2'])
    await world.engine.look()
    expect(one('erp').seen.wrongVolumes).toMatchObject([{ kind: 'foreign', vdev: 'xvdb', path: '/data/extra.qcow2' }])
    // It is in the way of nothing that is written down.
    await act(world, 'disk.grow', { vm: uuid, disk: 'xvda', size: 128 })
    await sh(['xl', 'block-detach', domid, 'xvdb'])
    await world.engine.look()
    expect(kinds('erp')).toEqual([])
    expect(one('erp').uuid).toBe(uuid)
  })

  test('a template’s disk is written to by nobody', async () => {
    const { uuid } = await makeVm(world)
    await act(world, 'template.create', { vm: uuid, name: 'base', storlink: world.engine.view.storlinks()[0]!.id })
    const [template] = world.engine.view.templates()
    await file('/etc/xen/wild.cfg', 'wild', [template!.disks[0]!.path])
    await sh(['xl', 'create', '/etc/xen/wild.cfg'])
    await world.engine.look()
    expect(one('wild').seen.wrongVolumes).toMatchObject([{ kind: 'frozen', vdev: 'xvda', of: 'template base' }])
  })
})

test('a look at guests that are as they were asks for nothing about each', async () => {
  await world.engine.look()
  const lines: string[] = []
  world.engine.onCommand(({ line, tookMs }) => void (tookMs === undefined && lines.push(line)))
  await world.engine.look(pmNamed(world))
  expect(lines.filter((line) => /xl list -l|readlink/.test(line))).toEqual([])
  expect(lines.filter((line) => line.includes('userdata-d.*.libxl-json'))).toHaveLength(1)
})
