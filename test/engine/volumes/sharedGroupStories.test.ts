import { afterEach, beforeEach, expect, test } from 'bun:test'
import { newUuid } from '../../../src/lib/ids.ts'
import type { PengxError } from '../../../src/model/error.ts'
import type { Job } from '../../../src/model/job.ts'
import { volumesOf } from '../../../src/model/layer.ts'
import { findNode } from '../../../src/sim/machine/files.ts'
import { act, NEW_VM, pmNamed } from '../../support/sites/acts.ts'
import { makeSan, makeVmOn } from '../../support/sites/sharedGroup.ts'
import { openWorld, type World } from '../../support/sites/world.ts'
import { joinPms } from '../operations/cases/migrateCases.ts'

/** VMs of two PMs on one volume group of a SAN, which the storlink's PM changes. */

const MIB = 1048576

let world: World
let san: number
beforeEach(async () => {
  world = await openWorld()
  san = await makeSan(world)
})
afterEach(async () => await world.close())

const volumes = () => world.site.pm('xen1').groups.find((one) => one.name === 'san')!.volumes

const makeVm = (name: string, pm: 'xen1' | 'xen2') => makeVmOn(world, san, pm, { name, uuid: newUuid() })

async function run(operation: string, raw: Readonly<Record<string, unknown>>): Promise<Job> {
  const { id } = await world.engine.start(operation, world.engine.decode(operation, raw), 'cli')
  return (await world.engine.finished(id)).job
}

/** By which PM each line of a job's commands was run. */
async function ranIn(job: Job): Promise<[host: string, line: string][]> {
  const { commands } = (await world.engine.jobDetail(job.id))!
  return commands.flatMap(({ host, line }) => line.split(' ; ').map((part): [string, string] => [host, part]))
}

const METADATA = /^lv(create|remove|rename|extend|reduce) |^lvchange .*--(add|del)tag/

test('forty disks that are made at once for VMs of both PMs all come to lie there, made by one PM', async () => {
  const vms = await Promise.all(
    (['xen1', 'xen2', 'xen1', 'xen2'] as const).map(async (pm, index) => ({ pm, uuid: await makeVm(`v${index}`, pm) })),
  )
  const jobs = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      run('disk.create', {
        vm: vms[index % 4]!.uuid,
        storlink: san,
        size: 16,
        format: index % 3 === 0 ? 'raw' : 'qcow2',
      }),
    ),
  )
  expect(jobs.map(({ state, message }) => `${state} ${message}`)).toEqual(jobs.map(() => 'done '))
  const paths = vms.flatMap(({ uuid }) => world.engine.view.needVm(uuid).disks.map((disk) => disk.path))
  expect(paths).toHaveLength(44)
  expect(
    volumes()
      .map(({ name }) => `/dev/san/${name}`)
      .sort(),
  ).toEqual(paths.sort())
  for (const job of jobs)
    for (const [host, line] of await ranIn(job)) if (METADATA.test(line)) expect([host, line]).toEqual(['xen1', line])
  // Each is there where its VM runs, and nowhere else.
  for (const { uuid, pm } of vms)
    for (const { path } of world.engine.view.needVm(uuid).disks)
      expect(['xen1', 'xen2'].filter((name) => findNode(world.site.pm(name), path))).toEqual([pm])
})

test('while the PM that changes the group is away nothing of it is changed, and another can take over', async () => {
  const vm = await makeVm('v', 'xen2')
  const [disk] = world.engine.view.needVm(vm).disks
  world.site.faults.unreachable('xen1', 1e12)
  await world.engine.look()
  const asked: [string, Record<string, unknown>][] = [
    ['disk.create', { vm, storlink: san, size: 16 }],
    ['disk.grow', { vm, disk: disk!.uuid, size: 128, force: true }],
  ]
  for (const [operation, raw] of asked) {
    const said = world.engine.refuse(operation, world.engine.decode(operation, raw))
    expect(said).toMatch(/is changed by PM xen1 alone, which cannot be reached.*storlink.update with pm=/)
  }
  const more = { ...NEW_VM, uuid: newUuid(), name: 'more', storlink: san, pm: pmNamed(world, 'xen2') }
  await expect(act(world, 'vm.create', more)).rejects.toThrow(/is changed by PM xen1 alone/)
  // Guests go on and start: that writes no metadata.
  await act(world, 'vm.start', { vm, force: true })
  await act(world, 'vm.poweroff', { vm })
  const handed = await run('storlink.update', { storlink: san, pm: pmNamed(world, 'xen2') })
  expect(handed).toMatchObject({ state: 'done', message: expect.stringContaining('xen1 could not be asked') })
  expect(world.engine.view.needStorlink(san).pm).toBe(pmNamed(world, 'xen2'))
  for (const [operation, raw] of asked) expect(await run(operation, raw)).toMatchObject({ state: 'done' })
})

test('only a PM that sees the same group takes it over', async () => {
  const vm = await makeVm('v', 'xen1')
  const update = (pm: string) =>
    run('storlink.update', { storlink: san, pm: pmNamed(world, pm) }).then(
      () => 'done',
      (error: PengxError) => `${error.code}: ${error.message}`,
    )
  const xen2 = world.site.pm('xen2')
  const shared = xen2.groups
  xen2.groups = shared.map((group) => (group.name === 'san' ? { ...group, sharedBy: undefined, uuid: 'x' } : group))
  expect(await update('xen2')).toMatch(/^refused: \/dev\/san on xen2 is not what it is on xen1/)
  xen2.groups = shared.filter((group) => group.name !== 'san')
  expect(await update('xen2')).toMatch(/^refused: .* on xen2: there is no volume group san/)
  xen2.groups = shared
  expect(await update('xen2')).toBe('done')
  expect(await update('xen1')).toBe('done')
  expect(await run('disk.delete', { vm, disk: world.engine.view.needVm(vm).disks[0]!.uuid })).toMatchObject({
    state: 'done',
  })
  expect(volumes()).toEqual([])
})

test('a disk that grew while another PM had it is seen whole by a VM that starts there', async () => {
  const vm = await makeVm('v', 'xen1')
  const [disk] = world.engine.view.needVm(vm).disks
  const sizes = () =>
    ['xen1', 'xen2'].map((name) => {
      const node = findNode(world.site.pm(name), disk!.path)
      return node?.kind === 'block' ? node.size / MIB : undefined
    })
  await world.engine.look()
  await act(world, 'vm.start', { vm })
  expect(await run('disk.grow', { vm, disk: disk!.uuid, size: 128 })).toMatchObject({ state: 'done' })
  expect(sizes()).toEqual([128, undefined])
  await act(world, 'vm.poweroff', { vm })
  const { path } = disk!
  const host = world.site.host('xen2')
  const lvchange = async (...words: string[]) => {
    const process = await host.open({ argv: ['lvchange', ...words], effect: 'change' })
    expect(await process.exited).toBe(0)
  }
  await lvchange('-ay', path.slice(5))
  expect(sizes()).toEqual([128, 128])
  expect(await run('disk.grow', { vm, disk: disk!.uuid, size: 192 })).toMatchObject({ state: 'done' })
  expect(sizes()).toEqual([192, 192])
  expect(await run('vm.delete', { vm, disks: 'own' })).toMatchObject({ state: 'done' })
  expect(sizes()).toEqual([undefined, undefined])
})

test('a VM that goes to another PM with its snapshots has each of its volumes switched on there once', async () => {
  await joinPms(world)
  const vm = await makeVm('v', 'xen1')
  await act(world, 'vm.start', { vm })
  for (const name of ['one', 'two', 'three']) await act(world, 'snapshot.create', { vm, name })
  const names = volumesOf(world.engine.view.needVm(vm)).map(({ path }) => path.slice(5))
  expect(names).toHaveLength(4)
  const there = await run('vm.migrate', { vm, pm: pmNamed(world, 'xen2') })
  expect(there).toMatchObject({ state: 'done' })
  const on = (await ranIn(there))
    .filter(([, line]) => /^lvchange -(ay|-refresh)/.test(line))
    .map(([pm, line]) => `${pm} ${line}`)
  expect(on.sort()).toEqual(
    names.flatMap((name) => [`xen1 lvchange --refresh ${name}`, `xen2 lvchange -ay ${name}`]).sort(),
  )
})

test('a running VM goes to another PM: its volumes are switched on there before, and off here after', async () => {
  await joinPms(world)
  const vm = await makeVm('v', 'xen1')
  await act(world, 'disk.create', { vm, storlink: san, size: 16 })
  await act(world, 'vm.start', { vm })
  const paths = world.engine.view.needVm(vm).disks.map((disk) => disk.path)
  const where = () => paths.map((path) => ['xen1', 'xen2'].filter((name) => findNode(world.site.pm(name), path)))
  expect(where()).toEqual([['xen1'], ['xen1']])
  const there = await run('vm.migrate', { vm, pm: pmNamed(world, 'xen2') })
  expect(there).toMatchObject({ state: 'done' })
  expect(where()).toEqual([['xen2'], ['xen2']])
  expect(world.site.domainsOn('xen2').map(({ uuid }) => uuid)).toContain(vm)
  const switches = (await ranIn(there)).filter(([, line]) => /^lvchange -a/.test(line))
  const names = paths.map((path) => path.slice(5))
  expect(switches).toEqual([
    ...names.map((name): [string, string] => ['xen2', `lvchange -ay ${name}`]),
    ...names.map((name): [string, string] => ['xen1', `lvchange -an ${name}`]),
  ])
  // One that is shut down goes back, and is switched on where it starts.
  await act(world, 'vm.poweroff', { vm })
  await act(world, 'vm.migrate', { vm, pm: pmNamed(world, 'xen1') })
  expect(where()).toEqual([[], []])
  await act(world, 'vm.start', { vm })
  expect(where()).toEqual([['xen1'], ['xen1']])
})
