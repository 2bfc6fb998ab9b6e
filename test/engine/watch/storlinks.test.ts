import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine } from '../../../src/engine/engine.ts'
import { run } from '../../../src/engine/host/run.ts'
import { openStore } from '../../../src/engine/store/store.ts'
import { parseMarker } from '../../../src/engine/tools/storlinkMarker.ts'
import { findNode } from '../../../src/sim/machine/files.ts'
import { act, makeStorlinks, NEW_VM, pmNamed } from '../../support/sites/acts.ts'
import { openWorld, type World } from '../../support/sites/world.ts'
import { createTurnedClock, type TurnedClock } from '../../support/turnedClock.ts'

/** Whether what lies under a storlink's link is its storage is looked at once a minute, on each PM that is to see it. */
const MINUTE_MS = 60_000
let world: World
let clock: TurnedClock
beforeEach(async () => {
  clock = createTurnedClock()
  world = await openWorld({ clock })
})
afterEach(() => world.close())

async function lookAgain(): Promise<void> {
  await clock.advance(MINUTE_MS)
  await world.engine.look()
}
const one = (name: string) => world.engine.view.storlinks().find((storlink) => storlink.name === name)!
const markerIn = (link: string, pm = 'xen1') => {
  const node = findNode(world.site.pm(pm), `${link}/.pengx-storlink`)
  return node?.kind === 'file' ? parseMarker(node.text ?? '') : undefined
}
const change = (pm: string, ...argv: [string, ...string[]]) => run(world.site.host(pm), { argv, effect: 'change' })

test('a mount that is taken away is told of each PM, and that it is back', async () => {
  world.site.share('/shared', ['xen1', 'xen2'])
  const place = { link: '/shared', type: 'NFS', level: 'FL', shared: true, pm: pmNamed(world) }
  await act(world, 'storlink.create', { name: 'nfs', ...place })
  await lookAgain()
  expect(one('nfs')).not.toContainKey('problems')
  world.site.faults.mount('xen2', '/shared', 'away')
  await lookAgain()
  const problem = 'its marker is not there: not mounted, or another disk?'
  expect(one('nfs').problems).toEqual({ [pmNamed(world, 'xen2')]: problem })
  world.site.faults.mount('xen2', '/shared', 'again')
  await lookAgain()
  expect(one('nfs')).not.toContainKey('problems')
})

test('a shared storlink of which another PM has another storage is told as it is made', async () => {
  const place = { link: '/srv', type: 'LO', level: 'FL', shared: true, pm: pmNamed(world) }
  await act(world, 'storlink.create', { name: 'srv', ...place })
  expect(Object.keys(one('srv').problems!)).toEqual([pmNamed(world, 'xen2')])
  expect(world.engine.view.jobs()[0]!.message).toMatch(/^srv \(\/srv\) is not seen by xen2: its marker is not there/)
  // and where a copy of the marker of another lies there
  await change('xen2', 'cp', '/etc/hostname', '/srv/.pengx-storlink')
  await lookAgain()
  expect(Object.values(one('srv').problems!)).toEqual(['its marker (/srv/.pengx-storlink) says no UUID'])
})

/** A store that an earlier version has written, on the site as it is. */
async function older(more: { readonly readOnly?: boolean } = {}): Promise<void> {
  const rows = world.engine.view.storlinks().map(({ uuid: _uuid, ...row }) => row)
  const vms = world.engine.view.vms().filter((vm) => vm.origin !== 'found')
  const { site } = world
  await world.engine.close()
  const directory = mkdtempSync(join(tmpdir(), 'pengx-older-'))
  const path = join(directory, 'db')
  const store = await openStore({ at: { path }, clock })
  for (const pm of world.engine.view.pms()) await store.inventory.putPm(pm)
  for (const row of rows) await store.inventory.putStorlink(row)
  await store.inventory.putVms(vms)
  await store.close()
  const rest = {
    destinations: [],
    local: false,
    knownHostsPath: '/nonexistent',
    watch: 'once',
    recovers: true,
  } as const
  const sim = { host: site.host, pmNames: site.pmNames.slice(0, 2) }
  const engine = await createEngine({ ...rest, readOnly: false, ...more, clock, store: { path }, sim })
  world = { engine, site, close: () => engine.close().finally(() => rmSync(directory, { recursive: true })) }
}

async function unmarkAll(): Promise<void> {
  for (const link of ['/data', '/srv']) await change('xen1', 'rm', '-f', `${link}/.pengx-storlink`)
  world.site.pm('xen1').groups[0]!.tags = []
}

test('storlinks of an earlier version get their marker at the next look where there is no doubt', async () => {
  await makeStorlinks(world)
  await act(world, 'vm.create', { ...NEW_VM, storlink: one('data').id })
  await unmarkAll()
  await older()
  expect(one('data').uuid).toBe(markerIn('/data')!)
  expect(world.site.pm('xen1').groups[0]!.tags).toEqual([`pengx.storlink=${one('fast').uuid}`])
  // it is called NFS, and lies on the disk of dom0
  expect(one('nfs')).not.toContainKey('uuid')
  expect(Object.values(one('nfs').problems!)).toEqual([
    'it has no marker yet, and its type is NFS, and it lies on /dev/sda2 (ext4, mounted on /)',
  ])
  await act(world, 'storlink.mark', { storlink: one('nfs').id })
  expect(one('nfs').uuid).toBe(markerIn('/srv')!)
})

test('where a volume is missing there is doubt, and what writes there is refused until a person has said so', async () => {
  await makeStorlinks(world)
  await act(world, 'vm.create', { ...NEW_VM, storlink: one('data').id })
  const { path } = world.engine.view.needVm(NEW_VM.uuid).disks[0]!
  await unmarkAll()
  world.site.faults.mount('xen1', '/data', 'away')
  await older()
  const problem = Object.values(one('data').problems!)[0]
  expect(problem).toMatch(/^it has no marker yet, and 2 of its 2 volumes \(\/data\/.* …\) are not there$/)
  const raw = { name: 'empty', storlink: one('data').id, size: 64 }
  const writes = act(world, 'template.addNew', raw)
  await expect(writes).rejects.toThrow(/no marker yet, and 2 of its 2 volumes .* storlink\.mark 1/)
  expect(markerIn('/data')).toBeUndefined()
  // What is written first marks what is not doubted any more.
  world.site.faults.mount('xen1', '/data', 'again')
  await act(world, 'template.addNew', raw)
  expect(one('data').uuid).toBe(markerIn('/data')!)
  expect(findNode(world.site.pm('xen1'), path)?.kind).toBe('file')
})

test('a directory that is to be mounted and is not is doubted; one that nobody has heard of is not', async () => {
  await makeStorlinks(world)
  await unmarkAll()
  const stdin = '/dev/sdc1 /data ext4 noauto 0 0\n'
  await run(world.site.host('xen1'), { argv: ['tee', '/etc/fstab'], effect: 'change', stdin })
  world.site.faults.mount('xen1', '/data', 'away')
  await older()
  expect(Object.values(one('data').problems!)).toEqual([
    'it has no marker yet, and /data is in /etc/fstab (/dev/sdc1) and not mounted',
  ])
})

test('who is read-only marks nothing', async () => {
  await makeStorlinks(world)
  await unmarkAll()
  await older({ readOnly: true })
  expect(one('data')).not.toContainAnyKeys(['uuid', 'problems'])
  expect([markerIn('/data'), markerIn('/srv')]).toEqual([undefined, undefined])
})
