import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { run } from '../../src/engine/host/run.ts'
import type { Job } from '../../src/model/job.ts'
import { act, NEW_VM, pmNamed } from '../support/sites/acts.ts'
import { openWorld, type World } from '../support/sites/world.ts'
import { joinPms, makeSharedVm, startSharedVm } from './operations/cases/migrateCases.ts'

/** Migrations that are refused, and starts of VMs that another PM could be running. */

let world: World
beforeEach(async () => {
  world = await openWorld()
})
afterEach(async () => await world.close())

const VM = NEW_VM.uuid

async function begin(): Promise<Job> {
  const raw = { vm: VM, pm: pmNamed(world, 'xen2') }
  return await world.engine.start('vm.migrate', world.engine.decode('vm.migrate', raw), 'cli')
}

describe('is refused before anything happens', () => {
  const refusal = async (): Promise<string> =>
    await begin().then(
      () => 'nothing',
      (error: Error) => error.message,
    )
  const onXen2 = (argv: readonly [string, ...string[]]) => run(world.site.host('xen2'), { argv, effect: 'change' })

  test('where there is no way', async () => {
    await startSharedVm(world)
    const files = [world.site.filesOn('xen1'), world.site.filesOn('xen2')]
    const pm = (name: string) => world.site.state.pms.find((one) => one.name === name)!
    const [xen1, xen2] = [pm('xen1'), pm('xen2')]
    const { memoryMib, cpuCount: _ } = xen2
    xen1.noShadow = true
    expect(await refusal()).toContain('the Xen of xen1 is built without shadow paging')
    xen1.noShadow = undefined
    xen2.memoryMib = xen2.dom0MemoryMib + 100
    expect(await refusal()).toMatch(/needs 5\d\d MiB, and xen2 has \d+ MiB free/)
    xen2.memoryMib = memoryMib
    world.site.faults.cutWire('xen1', 'xen2')
    expect(await refusal()).toMatch(/xen1 does not log in to xen2 over SSH.*No route to host.*--address/)
    world.site.faults.cutWire('xen1', 'xen2', true)
    const host = world.site.host('xen1')
    await run(host, { argv: ['rm', '/root/.ssh/id_ed25519.pub'], effect: 'change' })
    expect(await refusal()).toMatch(/Permission denied \(publickey\).*pm\.spreadKeys/)
    expect([world.site.filesOn('xen2')]).toEqual([files[1]!])
    expect(world.engine.view.jobs().filter((job) => job.operation === 'vm.migrate')).toEqual([])
  })

  test('where something of it is there, or something is missing there', async () => {
    await makeSharedVm(world)
    const config = `name = "fresh"\nuuid = "${VM}"\ntype = "pv"\nkernel = "/boot/vmlinuz-guest"\nmemory = 128\n`
    const put = (path: string, text: string) =>
      run(world.site.host('xen2'), { argv: ['tee', path], effect: 'change', stdin: text })
    await put('/etc/xen/old.cfg', config)
    expect(await refusal()).toContain('/etc/xen/old.cfg there is a configuration of it')
    await put('/etc/xen/old.cfg', config.replace(VM, '99999999-2222-4333-8444-555555555555'))
    expect(await refusal()).toContain('/etc/xen/old.cfg there is the configuration of another VM of that name')
    await onXen2(['xl', 'create', '/etc/xen/old.cfg'])
    expect(await refusal()).toMatch(/domain \d+ there has that name/)
    await onXen2(['xl', 'destroy', 'fresh'])
    await onXen2(['rm', '/etc/xen/old.cfg'])
    await onXen2(['rm', '/boot/vmlinuz-guest'])
    expect(await refusal()).toContain('its kernel (/boot/vmlinuz-guest) is not on xen2')
    const xen2 = world.site.state.pms.find((one) => one.name === 'xen2')!
    xen2.nets = xen2.nets.filter((net) => net.name !== 'xenbr0')
    await world.engine.look()
    expect(await refusal()).toContain('bridge xenbr0 of eth0 is not on xen2')
  })

  test('where the two do not share the disk, whatever its storlink says', async () => {
    const storlink = await joinPms(world)
    const boot = { type: 'pv', kernel: '/boot/vmlinuz-guest', vncPassword: '' }
    await act(world, 'storlink.create', {
      name: 'claimed',
      link: '/srv',
      type: 'LO',
      level: 'FL',
      shared: true,
      pm: pmNamed(world),
    })
    const claimed = world.engine.view.storlinks().find((one) => one.id !== storlink)!.id
    await act(world, 'vm.create', { ...NEW_VM, ...boot, storlink: claimed, pm: pmNamed(world) })
    expect(await refusal()).toMatch(
      /storlink claimed \(\/srv\) on xen2: its marker is not there: not mounted, or another disk\?/,
    )
    const [xen1, xen2] = ['xen1', 'xen2'].map((name) => world.site.state.pms.find((one) => one.name === name)!)
    const srv = (pm: typeof xen1) => (pm!.root.children.srv as { children: Record<string, { ino: number }> }).children
    for (const [name, node] of Object.entries(srv(xen1)))
      srv(xen2)[name] = structuredClone({ ...node, ino: node.ino + 5000 })
    expect(await refusal()).toContain('is another file of that name')
    // The same inode by chance, as on machines that were copied: what is made on one side is not there on the other.
    for (const [name, node] of Object.entries(srv(xen1))) srv(xen2)[name] = structuredClone(node)
    const { job } = await world.engine.finished((await begin()).id)
    expect(job).toMatchObject({ state: 'undone', message: expect.stringContaining('/srv on xen2 is not /srv on xen1') })
    expectNoProbe()
  })

  function expectNoProbe(): void {
    for (const pm of ['xen1', 'xen2'])
      expect(Object.keys(world.site.filesOn(pm)).filter((path) => /\.pengx-(?!storlink$)/.test(path))).toEqual([])
  }

  test('by what is known already', async () => {
    const vm = await startSharedVm(world)
    const why = (raw: Readonly<Record<string, unknown>> = {}) =>
      world.engine.refuse(
        'vm.migrate',
        world.engine.decode('vm.migrate', { vm: vm.uuid, pm: pmNamed(world, 'xen2'), ...raw }),
      )
    expect(why()).toBeUndefined()
    expect(why({ pm: pmNamed(world, 'xen1') })).toBe('it is on xen1 already')
    await act(world, 'vm.suspend', { vm: vm.uuid })
    expect(why()).toContain('resume it first')
    const found = world.engine.view.vms().find((one) => one.origin === 'found')!
    expect(why({ vm: found.uuid })).toContain('it is not adopted')
    world.site.faults.unreachable('xen2', 60_000)
    await world.engine.look()
    await act(world, 'vm.resume', { vm: vm.uuid })
    expect(why()).toContain('xen2 cannot be reached')
  })
})

describe('a VM on disks that several PMs see is started', () => {
  beforeEach(async () => void (await makeSharedVm(world)))
  const start = async (more: Readonly<Record<string, unknown>> = {}) => {
    const raw = { vm: VM, ...more }
    const job = await world.engine.start('vm.start', world.engine.decode('vm.start', raw), 'cli')
    return (await world.engine.finished(job.id)).job
  }

  test('never where it runs on another, although nobody has looked since', async () => {
    const { configPath } = world.engine.view.needVm(VM)
    const text = (await run(world.site.host('xen1'), { argv: ['cat', configPath!], effect: 'read' })).stdout
    await run(world.site.host('xen2'), { argv: ['tee', '/etc/xen/by-hand.cfg'], effect: 'change', stdin: text })
    await run(world.site.host('xen2'), { argv: ['xl', 'create', '/etc/xen/by-hand.cfg'], effect: 'change' })
    await expect(start()).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('has a domain on xen2'),
    })
    expect(world.site.domainsOn('xen1').find((one) => one.uuid === VM)).toBeUndefined()
  })

  test('not while one of them cannot be asked, unless somebody knows better', async () => {
    world.site.faults.unreachable('xen2', 3_600_000)
    await expect(start()).rejects.toMatchObject({ message: expect.stringMatching(/xen2 .*cannot be asked.*--force/) })
    const job = await start({ force: true })
    expect(job).toMatchObject({ state: 'done', message: expect.stringContaining('done all the same') })
  })
})
