import { afterEach, beforeEach, expect, test } from 'bun:test'
import { createEngine, type Engine } from '../../../src/engine/engine.ts'
import { batch } from '../../../src/engine/host/batch.ts'
import { runBatch } from '../../../src/engine/host/run.ts'
import { showGroup } from '../../../src/engine/tools/lvm.ts'
import { changerAmong, changerTag, changerTags } from '../../../src/engine/tools/lvmTags.ts'
import type { Clock } from '../../../src/lib/clock.ts'
import { newUuid } from '../../../src/lib/ids.ts'
import { PengxError } from '../../../src/model/error.ts'
import { act, NEW_VM, pmNamed } from '../../support/sites/acts.ts'
import { makeSan, makeVmOn } from '../../support/sites/sharedGroup.ts'
import { openWorld, type World } from '../../support/sites/world.ts'
import { createSkippingClock } from '../../support/skippingClock.ts'
import { until } from '../../support/until.ts'

/**
 * Two pengx with a store each and one volume group of a SAN, which one of its PMs changes for both: the group says which. The
 * first knows xen1 and xen2.
 */

let world: World
let others: Engine[]
let clock: Clock
beforeEach(async () => {
  world = await openWorld()
  others = []
  clock = createSkippingClock()
})
afterEach(async () => {
  for (const other of others) await other.close()
  await world.close()
})

const group = () => world.site.pm('xen1').groups.find((one) => one.name === 'san')!
const changers = () => (group().tags ?? []).filter((tag) => tag.startsWith('pengx.changer='))
const tagOf = (name: 'xen1' | 'xen2') => changerTag({ pm: pmNamed(world, name), name })
const SHARED = { name: 'san', link: '/dev/san', type: 'FC', level: 'BL', shared: true } as const

async function openOther(...pmNames: string[]): Promise<Engine> {
  const { host } = world.site
  const same = { destinations: [], local: false, readOnly: false, recovers: true, watch: 'never' } as const
  const engine = await createEngine({
    clock,
    store: 'memory',
    knownHostsPath: '/nonexistent/known_hosts',
    ...same,
    sim: { host, pmNames },
  })
  others.push(engine)
  return engine
}

/** What it ended as, or what refused it, with its notices. */
async function does(engine: Engine, operation: string, raw: Readonly<Record<string, unknown>>): Promise<string> {
  try {
    const { id } = await engine.start(operation, engine.decode(operation, raw), 'cli')
    const { job } = await engine.finished(id)
    return `${job.state} ${job.message}`.trim()
  } catch (error) {
    return `refused: ${(error as Error).message}`
  }
}

const idOf = (engine: Engine) => engine.view.storlinks().find((one) => one.name === 'san')!.id
const METADATA = /^(lv(create|remove|rename|extend|reduce)|vgchange) |^lvchange .*--(add|del)tag/

/** By which PM a job's changes of the group were made. */
async function changedBy(engine: Engine, operation: string, raw: Readonly<Record<string, unknown>>): Promise<string> {
  const { id } = await engine.start(operation, engine.decode(operation, raw), 'cli')
  const { job } = await engine.finished(id)
  const { commands } = (await engine.jobDetail(id))!
  const ran = commands.filter(({ line }) => line.split(' ; ').some((part) => METADATA.test(part)))
  return [job.state, ...new Set(ran.map(({ host }) => host))].join(' ')
}

/** A VM of the other pengx on xen2, with a disk there. */
async function makeVm(engine: Engine): Promise<string> {
  const { extraDiskSize: _, ...rest } = NEW_VM
  const boot = { type: 'pv', kernel: '/boot/vmlinuz-guest', vncPassword: '', memory: 128 }
  const uuid = newUuid()
  const disk = { diskSize: 64, diskFormat: 'raw', storlink: idOf(engine), pm: pmNamed(world, 'xen2') }
  expect(
    await changedBy(engine, 'vm.create', { ...rest, ...boot, ...disk, uuid, name: `of-${uuid.slice(0, 4)}` }),
  ).toBe('done xen1')
  return uuid
}

test('a group that several see says who changes it, and another pengx makes that PM the storlink’s', async () => {
  await makeSan(world)
  expect(changers()).toEqual([tagOf('xen1')])
  const other = await openOther('xen1', 'xen2')
  expect(await does(other, 'storlink.create', { ...SHARED, pm: pmNamed(world, 'xen2') })).toMatch(/^done/)
  expect(other.view.needStorlink(idOf(other)).pm).toBe(pmNamed(world, 'xen1'))
  const vm = await makeVm(other)
  const more = { vm, storlink: idOf(other), size: 16 }
  expect(await changedBy(other, 'disk.create', more)).toBe('done xen1')
  // After a takeover each follows what the group says, before it has looked at the storlink again.
  expect(
    await does(world.engine, 'storlink.update', { storlink: idOf(world.engine), pm: pmNamed(world, 'xen2') }),
  ).toBe('done')
  expect(changers()).toEqual([tagOf('xen2')])
  expect(await changedBy(other, 'disk.create', more)).toBe('done xen2')
  await clock.sleep(61_000)
  await other.look()
  await until(() => other.view.needStorlink(idOf(other)).pm === pmNamed(world, 'xen2'))
  expect(other.view.needStorlink(idOf(other)).pm).toBe(pmNamed(world, 'xen2'))
  expect(await does(other, 'storlink.update', { storlink: idOf(other), pm: pmNamed(world, 'xen1') })).toBe('done')
  expect(changers()).toEqual([tagOf('xen1')])
  const own = await makeVmOn(world, idOf(world.engine), 'xen2')
  expect(await changedBy(world.engine, 'disk.create', { vm: own, storlink: idOf(world.engine), size: 16 })).toBe(
    'done xen1',
  )
})

test('a PM that is not known here is named, and nothing is changed beside it', async () => {
  await makeSan(world)
  const other = await openOther('xen2')
  const UNKNOWN = new RegExp(
    `volume group san is changed by PM xen1 \\(${pmNamed(world)}\\) alone, as its tag says, which is not known here: add it here`,
  )
  for (const shared of [true, false])
    expect(await does(other, 'storlink.create', { ...SHARED, shared, pm: pmNamed(world, 'xen2') })).toMatch(UNKNOWN)
  // One that was made before the group said who changes it.
  group().tags = []
  expect(await does(other, 'storlink.create', { ...SHARED, pm: pmNamed(world, 'xen2') })).toBe('done')
  expect(changers()).toEqual([tagOf('xen2')])
  const { extraDiskSize: _, ...rest } = NEW_VM
  const boot = { type: 'pv', kernel: '/boot/vmlinuz-guest', vncPassword: '', memory: 128 }
  const vm = { ...rest, ...boot, diskSize: 64, diskFormat: 'raw', storlink: idOf(other), pm: pmNamed(world, 'xen2') }
  expect(await does(other, 'vm.create', { ...vm, name: 'vm', uuid: newUuid() })).toBe('done')
  const { uuid, disks } = other.view.vms().find((one) => one.name === 'vm')!
  expect(await does(world.engine, 'storlink.update', { storlink: idOf(world.engine), pm: pmNamed(world) })).toBe('done')
  expect(changers()).toEqual([tagOf('xen1')])

  const before = structuredClone(group().volumes)
  const disk = disks[0]!.uuid
  for (const [operation, raw] of [
    ['disk.create', { vm: uuid, storlink: idOf(other), size: 16 }],
    ['disk.grow', { vm: uuid, disk, size: 128 }],
    ['disk.delete', { vm: uuid, disk }],
    ['vm.create', { ...vm, name: 'more', uuid: newUuid() }],
    ['storlink.update', { storlink: idOf(other), pm: pmNamed(world, 'xen2') }],
  ] as const)
    expect([operation, await does(other, operation, raw)]).toEqual([operation, expect.stringMatching(UNKNOWN)])
  expect(group().volumes).toEqual(before)
  // It starts, without a claim, and what others claim is read.
  const started = await does(other, 'vm.start', { vm: uuid })
  expect(started).toMatch(/^done no claim could be put on .* changed by PM xen1/)
  expect(await does(other, 'vm.poweroff', { vm: uuid })).toMatch(/^done/)
  expect(changers()).toEqual([tagOf('xen1')])
})

test('a group that says nothing yet is named by the next change, or by a look', async () => {
  const san = await makeSan(world)
  group().tags = group().tags!.filter((tag) => !tag.startsWith('pengx.changer='))
  await makeVmOn(world, san, 'xen2')
  expect(changers()).toEqual([tagOf('xen1')])
  group().tags = group().tags!.filter((tag) => !tag.startsWith('pengx.changer='))
  const other = await openOther('xen1', 'xen2')
  expect(await does(other, 'storlink.create', { ...SHARED, pm: pmNamed(world, 'xen2') })).toBe('done')
  expect(changers()).toEqual([tagOf('xen2')])
  group().tags = group().tags!.filter((tag) => !tag.startsWith('pengx.changer='))
  await clock.sleep(61_000)
  await other.look()
  await until(() => changers().length > 0)
  expect(changers()).toEqual([tagOf('xen2')])
  // Whoever has written down another follows.
  expect(await changedBy(world.engine, 'disk.create', { vm: NEW_VM.uuid, storlink: san, size: 16 })).toBe('done xen2')
})

test('one whose PM is away is taken over by another', async () => {
  const san = await makeSan(world)
  const vm = await makeVmOn(world, san, 'xen2')
  const other = await openOther('xen1', 'xen2')
  expect(await does(other, 'storlink.create', { ...SHARED, pm: pmNamed(world, 'xen2') })).toMatch(/^done/)
  world.site.faults.unreachable('xen1', 1e12)
  await Promise.all([world.engine.look(), other.look()])
  expect(await does(world.engine, 'disk.create', { vm, storlink: san, size: 16 })).toMatch(
    /xen1 alone, which cannot be/,
  )
  expect(await does(other, 'storlink.update', { storlink: idOf(other), pm: pmNamed(world, 'xen2') })).toMatch(/^done/)
  expect(changers()).toEqual([tagOf('xen2')])
  await act(world, 'storlink.update', { storlink: san, pm: pmNamed(world, 'xen2') })
  expect(await does(world.engine, 'disk.create', { vm, storlink: san, size: 16 })).toBe('done')
})

test('a takeover that fails leaves the group to whom it was', async () => {
  await world.close()
  world = await openWorld({
    async intercept({ operation, name, phase }) {
      if (operation === 'storlink.update' && name === 'record' && phase === 'before')
        throw new PengxError('commandFailed', 'so far and no further')
    },
  })
  const san = await makeSan(world)
  const pm = pmNamed(world, 'xen2')
  expect(await does(world.engine, 'storlink.update', { storlink: san, pm })).toMatch(/so far and no further/)
  expect(changers()).toEqual([tagOf('xen1')])
  expect(world.engine.view.needStorlink(san).pm).toBe(pmNamed(world))
})

test('the tag has what LVM takes, and of several one counts for all', () => {
  const [one, two] = ['11111111-2222-4333-8444-555555555555', '22222222-2222-4333-8444-555555555555']
  expect(changerTag({ pm: one, name: 'root@xen 1.example' })).toBe(`pengx.changer=${one}:root_xen_1.example`)
  const tags = [
    changerTag({ pm: two, name: 'b' }),
    'other',
    changerTag({ pm: one }),
    'pengx.changer=',
    'pengx.changer=x',
  ]
  expect(changerAmong(tags)).toEqual({ pm: one })
  expect(changerTags(tags)).toHaveLength(2)
  expect(changerAmong(['other'])).toBeUndefined()
})

test('a look at a group that another machine has made finds it on all disks before it says that it is not there', async () => {
  await world.close()
  world = await openWorld({ clock })
  world.site.faults.unreachable('xen2', 1e12)
  await world.engine.look()
  const san = await makeSan(world)
  world.site.faults.unreachable('xen2', 0)
  const vgs = async () => (await runBatch(world.site.host('xen2'), batch([showGroup('san')])))[0]!.exit
  expect(await vgs()).toBe(5)
  await clock.sleep(61_000)
  await world.engine.look()
  await until(async () => (await vgs()) === 0)
  await world.engine.look()
  expect(world.engine.view.needStorlink(san).problems ?? {}).toEqual({})
})
