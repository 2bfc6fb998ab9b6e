import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine, type Engine } from '../../../src/engine/engine.ts'
import { xen } from '../../../src/engine/hypervisor/xen.ts'
import { claimPathOf } from '../../../src/engine/tools/claims.ts'
import { dropClaims, readClaims } from '../../../src/engine/volumes/claims/claim.ts'
import { type Claim, claimedPaths } from '../../../src/model/storage/claim.ts'
import type { Vm } from '../../../src/model/vm.ts'
import { makeLink, unlink } from '../../../src/sim/machine/files.ts'
import { act, adoptRunning, pmNamed } from '../../support/sites/acts.ts'
import { openWorld, type World } from '../../support/sites/world.ts'
import { until } from '../../support/until.ts'
import { makeSharedVm } from '../operations/cases/migrateCases.ts'

/** Two pengx with a store each, on one site whose machines see one directory; neither knows what the other does. */

const TWIN = '66666666-2222-4333-8444-555555555555'

let world: World
let other: Engine
let vm: Vm

async function openOther(pmNames: readonly string[]): Promise<Engine> {
  const { host } = world.site
  const same = { destinations: [], local: false, readOnly: false, recovers: true, watch: 'never' } as const
  const rest = { ...same, sim: { host, pmNames } }
  return await createEngine({ store: 'memory', knownHostsPath: '/nonexistent/known_hosts', ...rest })
}

/** Another VM on the same disks, on xen2, by an administrator who does not know better. */
async function adoptTwin(): Promise<void> {
  const twin = { ...vm, name: 'twin', domainName: 'twin', nics: [] }
  await xen.writeConfig(world.site.host('xen2'), '/etc/xen/twin.cfg', xen.formatConfig(TWIN, twin), 'prepare.0')
  await other.look()
  expect(await does(other, 'vm.adopt', { what: '/etc/xen/twin.cfg', pm: pmNamed(world, 'xen2') })).toStartWith('done')
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

async function claims(pm = 'xen1', row = vm): Promise<(Claim | undefined)[]> {
  return (await readClaims(world.site.host(pm), claimedPaths(row))).map(({ claim }) => claim)
}

beforeEach(async () => {
  world = await openWorld()
  vm = await makeSharedVm(world)
  other = await openOther(['xen1', 'xen2'])
})

afterEach(async () => {
  await other.close()
  await world.close()
})

describe('a VM that one has started', () => {
  test('has a claim on each disk, and the other is refused with who holds it, until it is shut down', async () => {
    await adoptTwin()
    await act(world, 'vm.start', { vm: vm.uuid })
    const { domid } = world.site.pm('xen1').domains.find(({ uuid }) => uuid === vm.uuid)!
    const { bootId } = world.engine.view.needPm(vm.pm).seen
    expect(await claims()).toMatchObject([0, 1].map(() => ({ vm: vm.uuid, vmName: 'fresh', pm: vm.pm, domid, bootId })))

    const said = `disk xvda \\(/shared/[^)]*\\) is in use by VM fresh: domain ${domid} on xen1 \\(claimed .* by pengx on `
    for (const force of [false, true])
      expect(await does(other, 'vm.start', { vm: TWIN, force })).toMatch(new RegExp(`^refused: ${said}`))
    expect(await does(other, 'vm.release', { vm: TWIN, force: true })).toMatch(new RegExp(said))
    expect(await does(other, 'disk.grow', { vm: TWIN, disk: 'xvda', size: 4096 })).toMatch(/in use by VM fresh/)
    expect(await does(other, 'vm.delete', { vm: TWIN, disks: 'all' })).toMatch(/in use by VM fresh/)

    await act(world, 'vm.shutdown', { vm: vm.uuid })
    expect(await claims()).toEqual([])
    expect(await does(other, 'vm.start', { vm: TWIN })).toBe('done')
    expect(await does(world.engine, 'vm.start', { vm: vm.uuid })).toMatch(/in use by VM twin: domain \d+ on xen2/)
    expect(await does(other, 'vm.poweroff', { vm: TWIN })).toBe('done')
    expect(await claims()).toEqual([])
  })

  test('keeps its claims when it is reset, with the new domid', async () => {
    await act(world, 'vm.start', { vm: vm.uuid })
    const [before] = await claims()
    await until(async () => {
      await world.engine.look()
      return world.engine.view.needVm(vm.uuid).seen.state === 'running'
    })
    await act(world, 'vm.reset', { vm: vm.uuid })
    const [after] = await claims()
    expect(after!.domid).toBe(before!.domid! + 1)
  })

  test('takes its claims with it to another PM', async () => {
    await act(world, 'vm.start', { vm: vm.uuid })
    await until(async () => {
      await world.engine.look()
      return world.engine.view.needVm(vm.uuid).seen.state === 'running'
    })
    await act(world, 'vm.migrate', { vm: vm.uuid, pm: pmNamed(world, 'xen2') })
    const { domid } = world.site.pm('xen2').domains.find(({ uuid }) => uuid === vm.uuid)!
    expect(await claims('xen2')).toMatchObject([0, 1].map(() => ({ vm: vm.uuid, pm: pmNamed(world, 'xen2'), domid })))
  })

  test('claims what a snapshot moves it onto, and a disk that comes to it', async () => {
    await act(world, 'vm.start', { vm: vm.uuid })
    await until(async () => {
      await world.engine.look()
      return world.engine.view.needVm(vm.uuid).seen.state === 'running'
    })
    await act(world, 'snapshot.create', { vm: vm.uuid, name: 'one' })
    // Who knows nothing of the snapshot would start from what is frozen now.
    expect(await claims()).toHaveLength(2)
    const above = world.engine.view.needVm(vm.uuid)
    expect(await claims('xen1', above)).toHaveLength(4)
    await act(world, 'disk.create', { vm: vm.uuid, size: 16 })
    const more = world.engine.view.needVm(vm.uuid)
    expect(await claims('xen1', more)).toHaveLength(5)
    await act(world, 'disk.delete', { vm: vm.uuid, disk: 'xvdc' })
    expect(await claims('xen1', more)).toHaveLength(4)
    await act(world, 'vm.poweroff', { vm: vm.uuid })
    expect(await claims('xen1', more)).toEqual([])
  })
})

describe('where the PM that a claim names', () => {
  beforeEach(async () => {
    await adoptTwin()
    await act(world, 'vm.start', { vm: vm.uuid })
  })

  test('does not answer, it is refused, and forced past with a word', async () => {
    world.site.faults.unreachable('xen1', 3_600_000)
    expect(await does(other, 'vm.start', { vm: TWIN })).toMatch(
      /^refused: disk xvda .* is in use by VM fresh on xen1 .*, and xen1 cannot be asked \(.*no route to host\): make sure that xen1 is powered off or has no such domain, since two guests writing one disk ruin it; then --force goes past it/,
    )
    expect(await does(other, 'vm.start', { vm: TWIN, force: true })).toMatch(/^done .*: its claim was taken over/)
    expect(await claims('xen2')).toMatchObject([{ vm: TWIN }, { vm: TWIN }])
  })

  test('is not known, it is refused by its name', async () => {
    await other.close()
    other = await openOther(['xen2'])
    await adoptTwin()
    expect(await does(other, 'vm.start', { vm: TWIN })).toMatch(/VM fresh on xen1 .*, and xen1 is not known here: make/)
    expect(await does(other, 'vm.release', { vm: TWIN })).toMatch(/^refused: .*xen1 is not known here/)
    expect(await does(other, 'vm.release', { vm: TWIN, force: true })).toBe('done')
    expect(await does(other, 'vm.start', { vm: TWIN })).toBe('done')
  })

  test('was booted since, it is stale and taken over', async () => {
    const pm = world.site.pm('xen1')
    pm.domains = pm.domains.filter(({ uuid }) => uuid !== vm.uuid)
    expect(await does(other, 'vm.start', { vm: TWIN })).toMatch(
      /^done .*was in use by VM fresh on xen1 .*, which has no such domain any more: its claim was taken over/,
    )
    expect(await claims('xen2')).toMatchObject([{ vm: TWIN }, { vm: TWIN }])
  })

  test('was booted since, and another takes the stale claims away in the same moment', async () => {
    const pm = world.site.pm('xen1')
    pm.domains = pm.domains.filter(({ uuid }) => uuid !== vm.uuid)
    let swaps = 0
    other.onCommand(({ line, exit }) => {
      if (exit !== undefined || !/pengx-claim swap/.test(line) || swaps++ > 0) return
      for (const path of claimedPaths(vm)) unlink(pm, claimPathOf(path))
    })
    expect(await does(other, 'vm.start', { vm: TWIN })).toBe('done')
    expect(swaps).toBeGreaterThan(0)
    expect(await claims('xen2')).toMatchObject([{ vm: TWIN }, { vm: TWIN }])
  })

  test('was booted since, and somebody was cut off while he took a stale claim over', async () => {
    const pm = world.site.pm('xen1')
    pm.domains = pm.domains.filter(({ uuid }) => uuid !== vm.uuid)
    for (const path of claimedPaths(vm)) makeLink(pm, `${claimPathOf(path)}.next`, 'gone', 0)
    expect(await does(other, 'vm.start', { vm: TWIN })).toMatch(
      /cut off while taking it over \(vm.release clears that\)/,
    )
    expect(await does(other, 'vm.release', { vm: TWIN, force: true })).toBe('done')
    expect(await does(other, 'vm.start', { vm: TWIN })).toBe('done')
  })
})

describe('who watches', () => {
  async function claimedBy(engine: Engine, row: Vm, domid: number | undefined): Promise<void> {
    const pm = world.engine.view.needPm(row.pm).name
    await until(async () => {
      await engine.look()
      const found = await claims(pm, row)
      return domid === undefined ? found.length === 0 : found.length > 0 && found.every((one) => one?.domid === domid)
    })
  }

  const guestOf = (row: Vm) =>
    world.site.pm(world.engine.view.needPm(row.pm).name).domains.find(({ uuid }) => uuid === row.uuid)

  test('gives a VM that was started by other means its claims, follows its reboot, and takes them away when it has gone', async () => {
    await world.close()
    world = await openWorld({ watch: 'beat' })
    await world.engine.look()
    const own = await adoptRunning(world)
    await claimedBy(world.engine, own, guestOf(own)!.domid)
    const [before] = await claims('xen1', own)
    await act(world, 'vm.reboot', { vm: own.uuid })
    expect(guestOf(own)!.domid).not.toBe(before!.domid)
    await claimedBy(world.engine, own, guestOf(own)!.domid)
    expect((await claims('xen1', own))[0]!.at).toBe(before!.at)
    world.site.faults.vanishDomain(guestOf(own)!.name ?? '')
    await claimedBy(world.engine, own, undefined)
  })

  test('asks the storage only where something is new', async () => {
    await world.close()
    world = await openWorld({ watch: 'beat' })
    await world.engine.look()
    const own = await adoptRunning(world)
    await claimedBy(world.engine, own, guestOf(own)!.domid)
    const asked: string[] = []
    world.engine.onCommand(({ line }) => void (line.includes('.claim') && asked.push(line)))
    for (let look = 0; look < 5; look++) await world.engine.look()
    expect(asked).toEqual([])
  })

  test('touches no claim by itself where it only looks, or looks once', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'pengx-claimants-'))
    const place = { db: join(dir, 'pengx.db'), state: join(dir, 'site.json') }
    try {
      await world.close()
      world = await openWorld({}, place)
      const own = await adoptRunning(world)
      // As of one that was started by other means since.
      const host = world.site.host('xen1')
      await dropClaims(host, await readClaims(host, claimedPaths(own)))
      for (const config of [{}, { readOnly: true, watch: 'beat' }, { recovers: false, watch: 'beat' }] as const) {
        await world.close()
        world = await openWorld(config, place)
        for (let look = 0; look < 3; look++) await world.engine.look()
        expect(await claims('xen1', own)).toEqual([])
      }
      await world.close()
      world = await openWorld({ watch: 'beat' }, place)
      await claimedBy(world.engine, own, guestOf(own)!.domid)
    } finally {
      await world.close()
      world = await openWorld()
      rmSync(dir, { recursive: true, force: true })
    }
  })
})
