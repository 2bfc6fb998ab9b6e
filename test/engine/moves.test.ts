import { afterEach, beforeEach, expect, test } from 'bun:test'
import { run } from '../../src/engine/host/run.ts'
import { xen } from '../../src/engine/hypervisor/xen.ts'
import { readClaims } from '../../src/engine/volumes/claims/claim.ts'
import { findNode, freeBytes, mountOf } from '../../src/sim/machine/files.ts'
import { act, makeStorlinks, NEW_VM, pmNamed, refusalOf, startVm } from '../support/sites/acts.ts'
import { openWorld, type World } from '../support/sites/world.ts'

/** Disks that shall go over to another storlink: why they do not, and what of them is so afterwards. */

let world: World
const vm = NEW_VM.uuid
const storlink = (name: string) => world.engine.view.storlinks().find((one) => one.name === name)!.id
const row = () => world.engine.view.needVm(vm)
const host = () => world.site.host('xen1')
const refusal = (to: string, more: Readonly<Record<string, unknown>> = {}) =>
  refusalOf(world, 'vm.smigrate', { vm, storlink: storlink(to), ...more })

beforeEach(async () => {
  world = await openWorld()
  await makeStorlinks(world)
  await act(world, 'vm.create', { ...NEW_VM, storlink: storlink('data') })
})
afterEach(() => world.close())

test('a storlink that they lie on, or that its PM does not see, and disks on snapshots are refused with what helps', async () => {
  await act(world, 'storlink.create', {
    name: 'far',
    link: '/data',
    type: 'LO',
    level: 'FL',
    pm: pmNamed(world, 'xen2'),
  })
  expect(await refusal('data')).toMatch(/all lie on data already/)
  expect(await refusal('data', { disk: 'xvdb' })).toMatch(/xvdb lies on data already/)
  expect(await refusal('far')).toMatch(/is on xen2 alone, and the VM is on xen1: a VM goes to another PM by vm.migrate/)
  expect(await refusal('nfs', { disk: 'xvdq' })).toMatch(/has no disk xvdq; it has xvda, xvdb/)
  await act(world, 'snapshot.create', { vm, name: 'first' })
  expect(await refusal('nfs')).toMatch(/layers of snapshots, which do not move: delete its snapshots first/)
  await act(world, 'snapshot.delete', { vm, snapshot: 'first' })
  await act(world, 'vm.smigrate', { vm, storlink: storlink('nfs') })
})

test('a QEMU that cannot say whether it has written a disk down is not asked', async () => {
  await startVm(world, vm)
  world.site.pm('xen1').qemuVersion = [5, 2, 0]
  expect(await refusal('nfs')).toMatch(/its QEMU is older than 6.1.*shut it down first/)
})

test('there and back, and the guest lets go of one of them afterwards', async () => {
  await startVm(world, vm)
  for (const to of ['nfs', 'data', 'fast']) {
    const before = row().disks.map(({ path }) => path)
    await act(world, 'vm.smigrate', { vm, storlink: storlink(to) })
    expect(row().disks.map((disk) => disk.storlink)).toEqual([storlink(to), storlink(to)])
    expect(await readClaims(host(), before)).toEqual([])
    const claims = await readClaims(
      host(),
      row().disks.map(({ path }) => path),
    )
    expect(claims.map(({ claim }) => claim)).toMatchObject([
      { vm, domid: row().seen.domid },
      { vm, domid: row().seen.domid },
    ])
    for (const path of before) expect(await xen.hasOpen(host(), row().seen.domid!, path)).toBe(false)
  }
  const gone = row().disks[1]!.path
  await act(world, 'disk.delete', { vm, disk: 'xvdb' })
  expect(await xen.hasOpen(host(), row().seen.domid!, gone)).toBe(false)
  expect(row().seen).toMatchObject({ state: 'running' })
})

test('one that is paused stays so, and its disks are elsewhere', async () => {
  await startVm(world, vm)
  await act(world, 'vm.suspend', { vm })
  await act(world, 'vm.smigrate', { vm, storlink: storlink('nfs') })
  expect(row()).toMatchObject({ seen: { state: 'paused' }, disks: [{ storlink: storlink('nfs') }, {}] })
})

test('a disk that is no template’s any more holds its bytes itself, which is told', async () => {
  await act(world, 'template.create', { vm, name: 'golden', storlink: storlink('data') })
  const template = world.engine.view.templates()[0]!.uuid
  const uuid = '22222222-2222-4333-8444-555555555555'
  const { diskSize: _size, extraDiskSize: _extra, ...rest } = NEW_VM
  await act(world, 'vm.create', { ...rest, name: 'laid', uuid, template, overlay: true, storlink: storlink('data') })
  expect(world.engine.view.needVm(uuid).disks[0]!.base).toBeString()
  const { engine } = world
  const raw = { vm: uuid, storlink: storlink('nfs') }
  const started = await engine.start('vm.smigrate', engine.decode('vm.smigrate', raw), 'cli')
  const { job } = await engine.finished(started.id)
  expect(job.state).toBe('done')
  expect(job.message).toMatch(/xvda lies on .* and is a whole disk of its own then/)
  for (const disk of world.engine.view.needVm(uuid).disks) {
    expect(disk.base).toBeUndefined()
    const { stdout } = await run(host(), { argv: ['qemu-img', 'info', '--output=json', disk.path], effect: 'read' })
    expect(JSON.parse(stdout)['backing-filename']).toBeUndefined()
  }
})

test('where there is no room nothing is begun, and all stays as it was', async () => {
  await startVm(world, vm)
  const before = row().disks
  const pm = world.site.pm('xen1')
  const mount = mountOf(pm, '/srv/x')
  mount.usedBytes += freeBytes(mount)
  expect(await refusal('nfs')).toMatch(/cannot move the disks of fresh to nfs .*: 0 MiB free, about \d+ needed/)
  expect(row().disks).toEqual(before)
  for (const { path } of before) expect(findNode(pm, path)).toBeDefined()
  expect(row().seen.state).toBe('running')
})
