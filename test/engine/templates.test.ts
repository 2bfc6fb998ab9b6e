import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { run } from '../../src/engine/host/run.ts'
import { xen } from '../../src/engine/hypervisor/xen.ts'
import { act, pmNamed, refusalOf, startVm } from '../support/sites/acts.ts'
import { openWorld, type World } from '../support/sites/world.ts'
import { until } from '../support/until.ts'

/** What hangs on a template: overlays that nobody remembers, and many VMs made of it at once. */
let world: World
beforeEach(async () => {
  world = await openWorld()
})
afterEach(() => world.close())

const TEMPLATE = '77777777-2222-4333-8444-555555555555'

async function makeTemplate(link: string, level: string): Promise<void> {
  await act(world, 'storlink.create', { name: 'place', link, type: 'LO', level, pm: pmNamed(world) })
  const storlink = world.engine.view.storlinks()[0]!.id
  await act(world, 'template.addNew', { name: 'golden', storlink, size: 64, template: TEMPLATE })
}

const FROM_IT = { template: TEMPLATE, overlay: true, memory: 64, bridges: 'xenbr0' }

describe.each([
  ['a directory', '/data', 'FL', 'rm'],
  ['a volume group', '/dev/vg-fast', 'BL', 'lvremove'],
] as const)('in %s', (_what, link, level, remove) => {
  test('a template is neither deleted nor booted under the overlay of a VM that was forgotten', async () => {
    await makeTemplate(link, level)
    await act(world, 'vm.create', { ...FROM_IT, name: 'lost' })
    const { uuid, disks } = world.engine.view.vmsNamed('lost')[0]!
    await act(world, 'vm.forget', { vm: uuid })
    const base = world.engine.view.needTemplate(TEMPLATE).disks[0]!
    const words = `refused: ${disks[0]!.path} on xen1 lies on ${base.path}, and would be ruined`
    expect(await refusalOf(world, 'template.delete', { template: TEMPLATE })).toBe(words)
    expect(await refusalOf(world, 'template.start', { template: TEMPLATE })).toBe(words)
    await run(world.site.host('xen1'), { argv: [remove, '-f', disks[0]!.path], effect: 'change' })
    await act(world, 'template.delete', { template: TEMPLATE })
  })
})

test('the seed of a VM reaches its guest', async () => {
  await makeTemplate('/data', 'FL')
  await act(world, 'vm.create', { ...FROM_IT, name: 'seeded', seedUser: 'admin' })
  const vm = await startVm(world, world.engine.view.vmsNamed('seeded')[0]!.uuid)
  const { disks } = await xen.devices(world.site.host('xen1'), vm.seen.domid!)
  expect(disks.map(({ vdev, frontend, backend }) => [vdev, frontend, backend]).sort()).toEqual([
    ['xvda', 4, 4],
    ['xvdz', 4, 4],
  ])
})

test('twenty VMs are made of one template and started at once: each has its turn, and no address is there twice', async () => {
  await makeTemplate('/data', 'FL')
  const { engine } = world
  const creating = new Set<string>()
  let most = 0
  engine.onCommand(({ line, exit }) => {
    const name = /xl create \S+/.exec(line)?.[0]
    if (name === undefined) return
    if (exit === undefined) creating.add(name)
    else creating.delete(name)
    most = Math.max(most, creating.size)
  })
  const names = Array.from({ length: 20 }, (_, index) => `many${index}`)
  await Promise.all(
    names.map(async (name) => {
      await act(world, 'vm.create', { ...FROM_IT, name })
      await act(world, 'vm.start', { vm: engine.view.vmsNamed(name)[0]!.uuid })
    }),
  )
  const made = () => names.map((name) => engine.view.vmsNamed(name)[0]!)
  await until(async () => {
    await engine.look()
    return made().every((vm) => vm.seen.state === 'running')
  })
  expect(new Set(made().map((vm) => vm.seen.domid)).size).toBe(20)
  const macs = engine.view.vms().flatMap((vm) => vm.nics.map((nic) => nic.mac))
  expect(new Set(macs).size).toBe(macs.length)
  expect(new Set(made().map((vm) => vm.disks[0]!.path)).size).toBe(20)
  // two a PM, and an end is told a moment after the next has begun
  expect(most).toBeWithin(1, 5)
})
