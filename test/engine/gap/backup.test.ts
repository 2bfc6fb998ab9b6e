import { expect, test } from 'bun:test'
import type { Backup } from '../../../src/model/backup.ts'
import type { SimSite } from '../../../src/sim/site.ts'
import { act, NEW_VM, startVm } from '../../support/sites/acts.ts'
import type { World } from '../../support/sites/world.ts'
import { wanted } from '../operations/cases/backupCases.ts'
import { afterGap, destroyByHand, fill, type Gap, startByHand } from './gap.ts'

/** A backup that was cut off is one moment of a VM's disks, or none. */
const BACKUP = '99999999-2222-4333-8444-555555555555'
const ANEW = '99999999-4444-4333-8444-555555555555'

const cold = { operation: 'backup.create', prepare: wanted() } satisfies Partial<Gap>
/** By a QEMU that can show a moment. */
const live = {
  operation: 'backup.create',
  async prepare(world: World) {
    world.site.pm('xen1').qemuVersion = [10, 0, 13]
    const raw = await wanted()(world)
    await startVm(world, raw.vm)
    return raw
  },
} satisfies Partial<Gap>

const volumesOf = (site: SimSite) =>
  Object.keys(site.filesOn('xen1')).filter((path) => /^\/srv\/backups\/[^.]/.test(path))
const imagesOf = (site: SimSite) =>
  Object.keys(site.filesOn('xen1')).filter((path) => /^\/data\/[0-9a-f-]{36}\.(?!.*\.claim$)/.test(path))
const backupOf = (world: World): Backup | undefined => world.engine.view.getBackup(BACKUP)

function expectNone(world: World): void {
  expect(backupOf(world)).toBeUndefined()
  expect(volumesOf(world.site)).toEqual([])
  const known = world.engine.view.needVm(NEW_VM.uuid).disks.map(({ path }) => path)
  expect(imagesOf(world.site).filter((path) => !known.includes(path))).toEqual([])
}

function expectGood(world: World): void {
  expect(backupOf(world)).toMatchObject({
    state: 'verified',
    kind: 'full',
    volumes: [{ vdev: 'xvda' }, { vdev: 'xvdb' }],
  })
  expect(volumesOf(world.site)).toHaveLength(3)
  const known = world.engine.view.needVm(NEW_VM.uuid).disks.map(({ path }) => path)
  expect(imagesOf(world.site).filter((path) => !known.includes(path))).toEqual([])
}

test('what was written whole is read back and kept', async () => {
  await afterGap({ ...cold, step: 'write xvdb', phase: 'after' }, (world, job) => {
    expect(job).toMatchObject({ state: 'done' })
    expectGood(world)
  })
}, 60_000)

test('of a VM that ran since, what was read back is not what its disks hold: there is no backup', async () => {
  const meanwhile = async (site: SimSite) => {
    const [path] = imagesOf(site)
    await startByHand(site, 'xen1', NEW_VM.uuid)
    await destroyByHand(site, 'xen1', NEW_VM.uuid)
    for (const copy of volumesOf(site)) fill(site, 'xen1', copy, 'as it was')
    fill(site, 'xen1', path!, 'what the guest has written since')
  }
  await afterGap({ ...cold, step: 'write xvdb', phase: 'after', meanwhile }, (world, job) => {
    expect(job).toMatchObject({ state: 'undone', code: 'commandFailed' })
    expect(job.message).toContain('is not what was read from')
    expectNone(world)
  })
}, 60_000)

test('a disk is never copied after a gap to go with one that was copied before it', async () => {
  for (const phase of ['before', 'after'] as const) {
    const step = phase === 'before' ? 'write xvdb' : 'write xvda'
    await afterGap({ ...cold, step, phase }, (world, job) => {
      expect(job).toMatchObject({ state: 'cancelled' })
      expectNone(world)
    })
  }
}, 60_000)

test('a moment that QEMU still holds is read back and let go of', async () => {
  await afterGap({ ...live, step: 'write xvdb', phase: 'after' }, (world, job) => {
    expect(job).toMatchObject({ state: 'done' })
    expectGood(world)
    const domain = world.site.pm('xen1').domains.find(({ uuid }) => uuid === NEW_VM.uuid)!
    expect([domain.blockJobs ?? [], domain.addedNodes ?? []]).toEqual([[], []])
  })
}, 60_000)

test('a moment whose guest is another by now is lost, and the guest is left alone', async () => {
  const meanwhile = async (site: SimSite) => {
    await destroyByHand(site, 'xen1', NEW_VM.uuid)
    await startByHand(site, 'xen1', NEW_VM.uuid)
  }
  await afterGap({ ...live, step: 'write xvdb', phase: 'after', meanwhile }, (world, job) => {
    expect(job).toMatchObject({ state: 'cancelled' })
    expectNone(world)
    expect(world.engine.view.needVm(NEW_VM.uuid).seen.state).toBe('running')
  })
}, 60_000)

test('a moment that was read and let go of is not missed', async () => {
  for (const phase of ['before', 'after'] as const) {
    await afterGap({ ...live, step: 'let go of the moment', phase }, (world, job) => {
      expect([phase, job.state]).toEqual([phase, 'done'])
      expectGood(world)
    })
  }
}, 60_000)

test('a VM that was started since keeps the disks that a restore was to take away', async () => {
  const prepare = async (world: World) => {
    await act(world, 'backup.create', await wanted()(world))
    return { backup: BACKUP }
  }
  const meanwhile = (site: SimSite) => startByHand(site, 'xen1', NEW_VM.uuid)
  await afterGap(
    { operation: 'backup.restore', prepare, step: 'read xvdb back', phase: 'after', meanwhile },
    async (world, job) => {
      expect(job).toMatchObject({ state: 'undone', code: 'refused' })
      expect(job.message).toContain('was started meanwhile')
      const { seen, disks } = world.engine.view.needVm(NEW_VM.uuid)
      expect([seen.state, seen.drift]).toEqual(['running', []])
      expect(imagesOf(world.site).sort()).toEqual(disks.map(({ path }) => path).sort())
    },
  )
}, 60_000)

const drill = {
  operation: 'backup.drill',
  async prepare(world: World) {
    await act(world, 'backup.create', await wanted()(world))
    return { backup: BACKUP, seconds: 1, uuid: ANEW }
  },
} satisfies Partial<Gap>

function expectTakenAway(world: World): void {
  expect(world.engine.view.getVm(ANEW)).toBeUndefined()
  expect(world.site.pm('xen1').domains.filter(({ uuid }) => uuid === ANEW)).toEqual([])
  expect(imagesOf(world.site)).toHaveLength(2)
}

test('a drill goes on where its VM is up, and takes it away where that is gone', async () => {
  await afterGap({ ...drill, step: 'watch it come up', phase: 'before' }, (world, job) => {
    expect(job).toMatchObject({ state: 'done' })
    expect(backupOf(world)?.drilledAt).toBeGreaterThan(0)
    expectTakenAway(world)
  })
  const meanwhile = (site: SimSite) => destroyByHand(site, 'xen1', ANEW)
  await afterGap({ ...drill, step: 'watch it come up', phase: 'before', meanwhile }, (world, job) => {
    expect(job).toMatchObject({ state: 'cancelled' })
    expect(backupOf(world)).toMatchObject({ state: 'verified' })
    expect(backupOf(world)?.drilledAt).toBeUndefined()
    expectTakenAway(world)
  })
}, 60_000)

test('a drill that has seen what it wanted to see is done, whatever of its VM is gone by then', async () => {
  await afterGap({ ...drill, step: 'take it away', phase: 'after' }, (world, job) => {
    expect(job).toMatchObject({ state: 'done' })
    expect(backupOf(world)?.drilledAt).toBeGreaterThan(0)
    expectTakenAway(world)
  })
}, 60_000)
