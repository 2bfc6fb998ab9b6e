import { afterEach, beforeEach, expect, test } from 'bun:test'
import { run } from '../../src/engine/host/run.ts'
import type { Job } from '../../src/model/job.ts'
import { act, NEW_VM, pmNamed, refusalOf } from '../support/sites/acts.ts'
import { openWorld, type World } from '../support/sites/world.ts'
import { makeSharedVm } from './operations/cases/migrateCases.ts'

/** A lockspace of sanlock's in the settings: a VM runs under its lease there, or does not run. */

const LEASES = '/shared/leases'
const VM = NEW_VM.uuid

let world: World
let lines: string[]

async function open(lockspace?: { readonly name: string; readonly leases: string }): Promise<void> {
  world = await openWorld(lockspace ? { lockspace } : {})
  lines = []
  world.engine.onCommand(({ line }) => lines.push(line))
  await makeSharedVm(world)
  await run(world.site.host('xen1'), { argv: ['mkdir', LEASES], effect: 'change' })
  await run(world.site.host('xen1'), { argv: ['touch', `${LEASES}/lockspace`], effect: 'change' })
  for (const [at, pm] of ['xen1', 'xen2'].entries()) {
    const space = { name: 'pengx', hostId: at + 1, path: `${LEASES}/lockspace` }
    world.site.pm(pm).sanlock = { lockspace: space, held: [], ofGuests: [] }
  }
}
beforeEach(() => open({ name: 'pengx', leases: LEASES }))
afterEach(async () => await world.close())

async function start(): Promise<Job> {
  const { id } = await world.engine.start('vm.start', world.engine.decode('vm.start', { vm: VM }), 'cli')
  return (await world.engine.finished(id)).job
}

async function tried(): Promise<string> {
  const { state, message } = await start()
  expect(state).toBe('undone')
  expect(world.site.pm('xen1').domains.filter(({ uuid }) => uuid === VM)).toEqual([])
  expect(Object.keys(world.site.filesOn('xen1')).filter((path) => path.endsWith('.claim'))).toEqual([])
  return message ?? ''
}

const statusOf = async (pm: string) =>
  (await run(world.site.host(pm), { argv: ['sanlock', 'client', 'status'], effect: 'read' })).stdout

test('a VM runs under its lease until its domain is gone, over its reboots', async () => {
  await act(world, 'vm.start', { vm: VM })
  expect(await statusOf('xen1')).toContain(`r pengx:${VM}:`)
  expect(Object.keys(world.site.filesOn('xen2'))).toContain(`${LEASES}/${VM}`)
  await act(world, 'vm.reboot', { vm: VM })
  expect(await statusOf('xen1')).toContain(`r pengx:${VM}:`)
  await act(world, 'vm.shutdown', { vm: VM })
  expect(await statusOf('xen1')).not.toContain(VM)
  await act(world, 'vm.start', { vm: VM })
})

test('who holds it is told, and nobody goes past that', async () => {
  world.site.pm('xen2').sanlock!.held.push(VM)
  const { machineId } = world.site.pm('xen2')
  expect(await tried()).toContain(
    `cannot start fresh on xen1: its lease is held by host 2 (${machineId}.xen2) of the lockspace pengx, which lives: shut the VM down there`,
  )
  const forced = await world.engine.start('vm.start', world.engine.decode('vm.start', { vm: VM, force: true }), 'cli')
  expect((await world.engine.finished(forced.id)).job).toMatchObject({ state: 'undone' })
  world.site.pm('xen2').sanlock!.held = []
  world.site.pm('xen1').sanlock!.held.push(VM)
  expect(await tried()).toContain('its lease is held on xen1 itself')
  world.site.pm('xen1').sanlock!.held = []
  await act(world, 'vm.start', { vm: VM })
})

test('without sanlock, its lockspace or its directory nothing starts, and what is to be done is said', async () => {
  const { sanlock } = world.site.pm('xen1')
  world.site.pm('xen1').sanlock = undefined
  expect(await tried()).toContain('sanlock does not run there: start it and join its lockspace pengx')
  world.site.pm('xen1').sanlock = { held: [], ofGuests: [] }
  expect(await tried()).toContain('`sanlock client add_lockspace -s pengx:HOST_ID:PATH:0`')
  world.site.pm('xen1').sanlock = sanlock
  await world.close()
  await open({ name: 'pengx', leases: '/data/leases' })
  expect(await tried()).toContain('/data/leases there is not the directory on the file system of the lockspace pengx')
})

test('a guest that runs under a lease is not sent to another PM, and goes there shut down', async () => {
  await act(world, 'vm.start', { vm: VM })
  const there = { vm: VM, pm: pmNamed(world, 'xen2') }
  expect(await refusalOf(world, 'vm.migrate', there)).toMatch(/^refused: .*which xl cannot hand to xen2: shut it down/)
  await act(world, 'vm.shutdown', { vm: VM })
  await act(world, 'vm.migrate', there)
  await act(world, 'vm.start', { vm: VM })
  expect(await statusOf('xen2')).toContain(`r pengx:${VM}:`)
})

test('without a lockspace in the settings nobody asks for sanlock', async () => {
  await world.close()
  await open()
  await act(world, 'vm.start', { vm: VM })
  expect(lines.filter((line) => line.includes('xl create')).length).toBeGreaterThan(0)
  expect(lines.filter((line) => line.includes('sanlock'))).toEqual([])
  expect(await statusOf('xen1')).not.toContain(VM)
})
