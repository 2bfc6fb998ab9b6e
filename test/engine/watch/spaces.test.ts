import { afterEach, beforeEach, expect, test } from 'bun:test'
import { makeStorlinks, pmNamed } from '../../support/sites/acts.ts'
import { openWorld, type World } from '../../support/sites/world.ts'
import { createTurnedClock, type TurnedClock } from '../../support/turnedClock.ts'

/** How full storlinks are is looked at once a minute, all of a PM's in one round trip. */
const MIB = 1024 * 1024
const MINUTE_MS = 60_000
let world: World
let clock: TurnedClock
let asked: string[]
beforeEach(async () => {
  clock = createTurnedClock()
  world = await openWorld({ clock })
  await makeStorlinks(world)
  asked = []
  world.engine.onCommand(({ line, exit }) => void (exit !== undefined && /\bdf |\bvgs /.test(line) && asked.push(line)))
})
afterEach(() => world.close())

const freeOf = (name: string) => world.engine.view.storlinks().find((one) => one.name === name)!.freeMib

test('once a minute, and all at once', async () => {
  await clock.advance(MINUTE_MS)
  world.site.faults.fillDisk('xen1', '/data', 1024 * MIB)
  await world.engine.look()
  expect(freeOf('data')).toBe(1024)
  world.site.faults.fillDisk('xen1', '/data', 512 * MIB)
  await clock.advance(MINUTE_MS - 1)
  await world.engine.look()
  expect(freeOf('data')).toBe(1024)
  expect(asked).toHaveLength(1)
  for (const word of ['df -P -B 1M /data', 'df -P -B 1M /srv', 'vgs ']) expect(asked[0]).toContain(word)
  await clock.advance(1)
  await world.engine.look()
  expect(freeOf('data')).toBe(512)
  expect(asked).toHaveLength(2)
})

test('a volume group as well, by its thin pool', async () => {
  const before = freeOf('fast')
  const { volumes } = world.site.pm('xen1').groups![0]!
  volumes.find((volume) => volume.segType === 'thin-pool')!.sizeBytes = 1024 * MIB
  await clock.advance(MINUTE_MS)
  await world.engine.look()
  expect([before, freeOf('fast')]).toEqual([512 * 1024, 1024])
})

test('one that does not answer keeps what it had, and the others get theirs', async () => {
  const before = freeOf('data')
  world.site.faults.fillDisk('xen1', '/data', 0)
  world.site.faults.fillDisk('xen1', '/srv', 2048 * MIB)
  world.site.faults.add({
    match: 'df -P -B 1M /data',
    effect: { kind: 'failBefore', stderr: 'df: Stale file handle\n' },
  })
  await clock.advance(MINUTE_MS)
  await world.engine.look()
  expect(world.engine.view.needPm(pmNamed(world)).seen.reach).toBe('up')
  expect([freeOf('data'), freeOf('nfs')]).toEqual([before, 2048])
})

test('a shared one is looked at by another PM while its own is away', async () => {
  world.site.faults.fillDisk('xen2', '/srv', 777 * MIB)
  await clock.advance(MINUTE_MS)
  await world.engine.look()
  expect(freeOf('nfs')).not.toBe(777)
  world.site.faults.add({ pm: 'xen1', effect: { kind: 'lostBefore' }, times: 1_000 })
  await world.engine.look(pmNamed(world))
  await clock.advance(MINUTE_MS)
  await world.engine.look(pmNamed(world, 'xen2'))
  expect(freeOf('nfs')).toBe(777)
})
