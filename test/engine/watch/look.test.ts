import { Database } from 'bun:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../../../src/engine/host/run.ts'
import { xen } from '../../../src/engine/hypervisor/xen.ts'
import type { Change } from '../../../src/engine/store/view.ts'
import type { Vm } from '../../../src/model/vm.ts'
import { makeStorlinks, pmNamed } from '../../support/sites/acts.ts'
import { openWorld, type World } from '../../support/sites/world.ts'
import { createTurnedClock, type TurnedClock } from '../../support/turnedClock.ts'

/** What looks at PMs owe: each is one write, and what hangs keeps nothing else from being seen. */
const MIB = 1024 * 1024
const MINUTE_MS = 60_000

function runningOn(world: World, name = 'xen1') {
  return world.engine.view.vmsOn(pmNamed(world, name)).filter((vm) => vm.seen.state === 'running')
}

async function xl(world: World, pm: string, ...words: string[]): Promise<void> {
  await run(world.site.host(pm), { argv: ['xl', ...words], effect: 'change' })
}

/** Its domain, built by somebody else than pengx. */
async function build(world: World, vm: Vm): Promise<void> {
  const path = `/etc/xen/${vm.name}.cfg`
  await xen.writeConfig(world.site.host('xen1'), path, xen.formatConfig(vm.uuid, vm), 'test.0')
  await xl(world, 'xen1', 'create', path)
}

describe('a look', () => {
  test('is one transaction and one notice, whatever it has found', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'pengx-look-'))
    const place = { db: join(dir, 'pengx.db'), state: join(dir, 'site.json') }
    const revision = () => {
      const file = new Database(place.db, { readonly: true })
      const row = file.query("select value from counters where name = 'revision'").get() as { value: number }
      file.close()
      return row.value
    }
    const world = await openWorld({}, place)
    try {
      const [gone, paused, returned] = runningOn(world)
      // Found as it is: it appears again with the look, and the first is seen no more.
      await xl(world, 'xen1', 'destroy', String(returned!.seen.domid))
      await world.engine.look()
      expect(world.engine.view.getVm(returned!.uuid)).toBeUndefined()
      await xl(world, 'xen1', 'destroy', String(gone!.seen.domid))
      await xl(world, 'xen1', 'pause', String(paused!.seen.domid))
      // How large disks are is looked at apart.
      await build(world, { ...returned!, disks: [] })
      await new Promise(setImmediate)
      const notices: (readonly Change[])[] = []
      const stop = world.engine.subscribe((changes) => notices.push(changes))
      const before = revision()
      await world.engine.look(pmNamed(world))
      await new Promise(setImmediate)
      stop()
      const { view } = world.engine
      expect(view.getVm(gone!.uuid)).toBeUndefined()
      expect(view.needVm(paused!.uuid).seen.state).toBe('paused')
      expect(view.needVm(returned!.uuid)).toMatchObject({ name: returned!.name, origin: 'found' })
      expect(revision() - before).toBe(1)
      expect(notices).toHaveLength(1)
      expect(new Set(notices[0]!.map((change) => change.kind))).toEqual(new Set(['vm', 'pm', 'perf']))
    } finally {
      await world.close()
      rmSync(dir, { recursive: true, force: true })
    }
  })
})

describe('a file system that hangs', () => {
  let world: World
  let clock: TurnedClock
  let begun: string[]
  beforeEach(async () => {
    clock = createTurnedClock()
    world = await openWorld({ clock })
    await makeStorlinks(world)
    begun = []
    world.engine.onCommand(({ line, tookMs }) => void (tookMs === undefined && begun.push(line)))
  })
  afterEach(() => world.close())

  const freeOf = (name: string) => world.engine.view.storlinks().find((one) => one.name === name)!.freeMib
  const isosOf = () => world.engine.view.needPm(pmNamed(world)).seen.isos?.map(({ path }) => path) ?? []

  /** The domains are seen at once, and whoever asked waits for no more than two seconds. */
  async function lookAndPause(): Promise<void> {
    const [vm] = runningOn(world)
    await xl(world, 'xen1', 'pause', String(vm!.seen.domid))
    let isOver = false
    const looking = world.engine.look().then(() => {
      isOver = true
    })
    await clock.advance(0)
    expect(world.engine.view.needVm(vm!.uuid).seen.state).toBe('paused')
    expect(isOver).toBe(false)
    await clock.advance(2_000)
    await looking
  }

  test('df: domains and the other storlinks are seen, and it is not asked a second time', async () => {
    const before = freeOf('data')
    for (const path of ['/data', '/srv']) world.site.faults.fillDisk('xen1', path, 512 * MIB)
    world.site.faults.add({ match: 'df -P -B 1M /data', effect: { kind: 'hang' } })
    await clock.advance(MINUTE_MS)
    await lookAndPause()
    await clock.advance(10_000)
    expect([freeOf('data'), freeOf('nfs')]).toEqual([before, 512])
    world.site.faults.fillDisk('xen1', '/srv', 256 * MIB)
    for (let round = 0; round < 3; round++) {
      await clock.advance(MINUTE_MS)
      await world.engine.look()
    }
    expect([freeOf('data'), freeOf('nfs')]).toEqual([before, 256])
    expect(begun.filter((line) => line.includes('df -P -B 1M /data'))).toHaveLength(1)
  })

  test('find: domains and the other directories are seen, and it is not asked a second time', async () => {
    for (const path of ['/data/a.iso', '/srv/b.iso'])
      await run(world.site.host('xen1'), { argv: ['truncate', '-s', '1M', path], effect: 'change' })
    world.site.faults.add({ match: /^find .*\/data/, effect: { kind: 'hang' } })
    // Files are looked at every thirtieth time, and a look has been before.
    for (let round = 1; round < 30; round++) await world.engine.look()
    await lookAndPause()
    await clock.advance(10_000)
    expect(isosOf()).toContain('/srv/b.iso')
    expect(isosOf()).not.toContain('/data/a.iso')
    for (let round = 0; round < 60; round++) await world.engine.look()
    expect(begun.filter((line) => /find '?\/data/.test(line))).toHaveLength(1)
    expect(begun.filter((line) => /find '?\/srv/.test(line)).length).toBeGreaterThan(2)
  })

  test('qemu-img: a domain that is found gets its row all the same', async () => {
    const [vm] = runningOn(world).filter((one) => one.disks.length > 0)
    await xl(world, 'xen1', 'destroy', String(vm!.seen.domid))
    await world.engine.look()
    expect(world.engine.view.getVm(vm!.uuid)).toBeUndefined()
    const [first, ...others] = vm!.disks
    world.site.faults.add({ match: `qemu-img info --output=json -U ${first!.path}`, effect: { kind: 'hang' } })
    await build(world, vm!)
    const looking = world.engine.look()
    await clock.advance(0)
    expect(world.engine.view.needVm(vm!.uuid).seen.domid).toBeGreaterThan(vm!.seen.domid!)
    await clock.advance(20_000)
    await looking
    const { disks } = world.engine.view.needVm(vm!.uuid)
    expect(disks.map(({ sizeMib }) => sizeMib)).toEqual([undefined, ...others.map(({ sizeMib }) => sizeMib)])
  })
})
