import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine } from '../../../src/engine/engine.ts'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { run } from '../../../src/engine/host/run.ts'
import { parseMarker } from '../../../src/engine/tools/storlinkMarker.ts'
import { ownGroup } from '../../../src/engine/volumes/groupPlace.ts'
import { dropMarker, lookForMarker, putMarker } from '../../../src/engine/volumes/marker.ts'
import { newUuid } from '../../../src/lib/ids.ts'
import { findNode } from '../../../src/sim/machine/files.ts'
import { act, NEW_VM, pmNamed, startVm } from '../../support/sites/acts.ts'
import { openWorld, type World } from '../../support/sites/world.ts'
import { createSkippingClock } from '../../support/skippingClock.ts'

/** What is written on a storlink goes to the storage that is meant, or nowhere. */
let world: World
beforeEach(async () => {
  world = await openWorld()
})
afterEach(() => world.close())

const VM = NEW_VM.uuid
const BACKUP = '33333333-2222-4333-8444-555555555555'
const place = (name: string, link: string, pm = 'xen1') => ({
  name,
  link,
  type: 'LO',
  level: 'FL',
  pm: pmNamed(world, pm),
})
const idOf = (name: string) => world.engine.view.storlinks().find((one) => one.name === name)!.id
const filesUnder = (path: string, pm = 'xen1') =>
  Object.entries(world.site.filesOn(pm)).filter(([one]) => one.startsWith(`${path}/`))

/** How an operation ended, as `STATE: MESSAGE`, or the code with which it was refused. */
async function endOf(operation: string, raw: Readonly<Record<string, unknown>>): Promise<string> {
  const { engine } = world
  try {
    const { id } = await engine.start(operation, engine.decode(operation, raw), 'cli')
    const { job } = await engine.finished(id)
    return `${job.state}: ${job.message}`
  } catch (error) {
    return `${(error as { code?: string }).code}: ${(error as Error).message}`
  }
}

const AWAY =
  /^(refused|conflict|undone|cancelled): .*storlink \S+ \(\/\S+\) on xen1: its marker is not there: not mounted, or another disk\? .*storlink\.mark \d/
const OTHER =
  /storlink \S+ \(\/\S+\) on xen1: it has the marker of another storage \([0-9a-f-]{36}, which is not known here\)/

/** A VM whose disks lie on /data, its backups on /var/lib/xen/images, with a snapshot and a backup. */
async function lived(): Promise<void> {
  await act(world, 'storlink.create', place('data', '/data'))
  await act(world, 'storlink.create', place('kept', '/var/lib/xen/images'))
  await act(world, 'vm.create', { ...NEW_VM, storlink: idOf('data') })
  await act(world, 'backup.create', { vm: VM, storlink: idOf('kept'), name: 'monday', backup: BACKUP })
}

/** Each that writes on /data. */
const ON_DATA: readonly [string, () => Readonly<Record<string, unknown>>][] = [
  ['disk.create', () => ({ vm: VM, storlink: idOf('data'), size: 64 })],
  ['disk.grow', () => ({ vm: VM, disk: world.engine.view.needVm(VM).disks[0]!.uuid, size: 2048 })],
  ['disk.delete', () => ({ vm: VM, disk: world.engine.view.needVm(VM).disks[1]!.uuid })],
  ['snapshot.create', () => ({ vm: VM, name: 'now' })],
  ['vm.create', () => ({ ...NEW_VM, uuid: undefined, name: 'other', storlink: idOf('data') })],
  ['vm.delete', () => ({ vm: VM })],
  ['template.addNew', () => ({ name: 'empty', storlink: idOf('data'), size: 64 })],
  ['template.create', () => ({ vm: VM, name: 'golden', storlink: idOf('data') })],
  ['backup.restore', () => ({ backup: BACKUP, as: 'new', name: 'again', storlink: idOf('data') })],
]

describe('the mount of a storlink is taken away', () => {
  beforeEach(lived)

  test.each(ON_DATA)('%s is refused by name, and nothing is written below it', async (operation, raw) => {
    world.site.faults.mount('xen1', '/data', 'away')
    const rows = JSON.stringify(world.engine.view.vms())
    expect(await endOf(operation, raw())).toMatch(AWAY)
    expect(filesUnder('/data')).toEqual([])
    expect(JSON.stringify(world.engine.view.vms())).toBe(rows)
    expect(world.engine.view.jobs().filter((job) => job.state === 'stuck')).toEqual([])
    world.site.faults.mount('xen1', '/data', 'again')
    expect(await endOf(operation, raw())).toMatch(/^done: /)
  })

  test.each([
    ['backup.create', () => ({ vm: VM, storlink: idOf('kept'), name: 'tuesday' })],
    ['backup.delete', () => ({ backup: BACKUP })],
  ] as const)('%s, of where backups lie', async (operation, raw) => {
    world.site.faults.mount('xen1', '/var/lib/xen/images', 'away')
    expect(await endOf(operation, raw())).toMatch(AWAY)
    expect(filesUnder('/var/lib/xen/images')).toEqual([])
    expect(world.engine.view.backups().map((backup) => backup.name)).toEqual(['monday'])
    world.site.faults.mount('xen1', '/var/lib/xen/images', 'again')
    expect(await endOf(operation, raw())).toMatch(/^done: /)
  })

  test('while a job is at work: what had been made stays where it is, and the job says why it is stuck', async () => {
    world.site.faults.add({
      pm: 'xen1',
      match: 'sync',
      effect: { kind: 'meanwhile', happens: async () => world.site.faults.mount('xen1', '/data', 'away') },
    })
    const end = await endOf('disk.create', { vm: VM, storlink: idOf('data'), size: 64 })
    expect(end).toMatch(/^stuck: .*its marker is not there/)
    world.site.faults.mount('xen1', '/data', 'again')
    const { id } = world.engine.view.jobs().find((job) => job.state === 'stuck')!
    await world.engine.retry(id)
    expect((await world.engine.finished(id)).job.state).toBe('undone')
  })
})

test('another disk in its place: refused by name, until a person says that it is the one', async () => {
  await lived()
  world.site.faults.mount('xen1', '/data', 'another')
  const raw = { name: 'empty', storlink: idOf('data'), size: 64 }
  expect(await endOf('template.addNew', raw)).toMatch(AWAY)
  const marker = `storlink 99999999-2222-4333-8444-555555555555\n`
  await run(world.site.host('xen1'), { argv: ['tee', '/data/.pengx-storlink'], effect: 'change', stdin: marker })
  expect(await endOf('template.addNew', raw)).toMatch(OTHER)
  expect(filesUnder('/data').map(([path]) => path)).toEqual(['/data/.pengx-storlink'])
  const { notices } = await world.engine.preview('storlink.mark', { storlink: idOf('data') })
  expect(notices.join('; ')).toMatch(/found on xen1: 2 of its 2 volumes .* are not there; it has the marker of another/)
  await act(world, 'storlink.mark', { storlink: idOf('data') })
  expect(world.engine.view.needStorlink(idOf('data')).uuid).toStartWith('99999999')
  expect(await endOf('template.addNew', raw)).toMatch(/^done: /)
})

test('a volume group whose tag is gone, or that has that of another, is written to no more', async () => {
  await act(world, 'storlink.create', { ...place('fast', '/dev/vg-fast'), level: 'BL' })
  await act(world, 'vm.create', { ...NEW_VM, storlink: idOf('fast') })
  const group = world.site.pm('xen1').groups[0]!
  const raw = { vm: VM, storlink: idOf('fast'), size: 64 }
  const volumes = () => group.volumes.map(({ name }) => name)
  const before = volumes()
  const right = group.tags
  for (const [tags, words] of [
    [[], /storlink fast \(\/dev\/vg-fast\) on xen1: its marker is not there/],
    [[`pengx.storlink=${BACKUP}`], /has the marker of another storage \(33333333/],
  ] as const) {
    group.tags = [...tags]
    expect(await endOf('disk.create', raw)).toMatch(words)
    expect(await endOf('vm.delete', { vm: VM })).toMatch(words)
  }
  expect(volumes()).toEqual(before)
  // Two that marked it at once: either is right.
  group.tags = [`pengx.storlink=${BACKUP}`, ...right!]
  expect(await endOf('disk.create', raw)).toMatch(/^done: /)
})

test('what runs is not touched: a guest goes on, and its live snapshot is refused', async () => {
  await startVm(world)
  world.site.faults.mount('xen1', '/data', 'away')
  expect(await endOf('snapshot.create', { vm: VM, name: 'now' })).toMatch(AWAY)
  expect(filesUnder('/data')).toEqual([])
  await world.engine.look()
  expect(world.engine.view.needVm(VM).seen.state).toBe('running')
})

test('two that keep disks on one directory have one identity, whoever came first', async () => {
  world.site.share('/shared', ['xen1', 'xen2'])
  await using other = await secondEngine()
  const raw = (engine: World['engine']) => {
    const { uuid: pm } = engine.view.pms().find(({ name }) => name === 'xen1')!
    return { name: 'nfs', link: '/shared', type: 'NFS', level: 'FL', shared: true, pm }
  }
  const both = [world.engine, other.engine]
  const jobs = await Promise.all(
    both.map((engine) => engine.start('storlink.create', engine.decode('storlink.create', raw(engine)), 'cli')),
  )
  const ends = await Promise.all(both.map((engine, index) => engine.finished(jobs[index]!.id)))
  expect(ends.map(({ job }) => job.state)).toEqual(['done', 'done'])
  const uuids = both.map((engine) => engine.view.storlinks()[0]!.uuid)
  const node = findNode(world.site.pm('xen2'), '/shared/.pengx-storlink')
  expect(uuids).toEqual([uuids[0], uuids[0]])
  expect(node?.kind === 'file' && parseMarker(node.text ?? '')).toBe(uuids[0]!)
})

test('many that mark a real directory at once agree, and leave the marker alone there', async () => {
  const link = mkdtempSync(join(tmpdir(), 'pengx-mark-'))
  const host = openLocalHost('here')
  const uuids = Array.from({ length: 8 }, () => newUuid())
  const found = await Promise.all(uuids.map((uuid) => putMarker(host, { link, level: 'FL' }, uuid, 'mark.0', ownGroup)))
  const { uuid } = found[0]!
  expect(found.map((one) => one.uuid)).toEqual(uuids.map(() => uuid))
  expect(found.filter(({ isNew }) => isNew)).toHaveLength(1)
  expect(readdirSync(link)).toEqual(['.pengx-storlink'])
  // One that says something else is not taken away.
  await dropMarker(host, { link, level: 'FL' }, newUuid(), 'mark.0', ownGroup)
  expect(await lookForMarker(host, { link, level: 'FL' })).toEqual({ uuids: [uuid] })
  await dropMarker(host, { link, level: 'FL' }, uuid, 'mark.0', ownGroup)
  expect((await lookForMarker(host, { link, level: 'FL' })).problem).toMatch(/not there/)
  rmSync(link, { recursive: true })
  await host.close()
})

/** Another controller with another store, on the same machines. */
async function secondEngine() {
  const { site } = world
  const engine = await createEngine({
    clock: createSkippingClock(),
    store: 'memory',
    destinations: [],
    local: false,
    readOnly: false,
    knownHostsPath: '/nonexistent/known_hosts',
    watch: 'once',
    recovers: true,
    sim: { host: site.host, pmNames: site.pmNames.slice(0, 2) },
  })
  return { engine, [Symbol.asyncDispose]: () => engine.close() }
}
