import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { run } from '../../../src/engine/host/run.ts'
import { claimPathOf, readClaim } from '../../../src/engine/tools/claims.ts'
import { claimFacts } from '../../../src/engine/verify/claims.ts'
import type { SiteFacts } from '../../../src/engine/verify/facts.ts'
import type { Finding } from '../../../src/model/finding.ts'
import { act, adoptForeign, makeStorlink, makeVm, startVm } from '../../support/sites/acts.ts'
import { openWorld, type World } from '../../support/sites/world.ts'

/** Markers and claims that are not as they should be, made on purpose, found, and repaired where there is a repair. */
let world: World
beforeEach(async () => {
  world = await openWorld()
})
afterEach(() => world.close())

async function sh(argv: readonly [string, ...string[]], stdin?: string): Promise<void> {
  await run(world.site.host('xen1'), { argv, effect: 'change', ...(stdin === undefined ? {} : { stdin }) })
}

const image = (path: string) => sh(['qemu-img', 'create', '-f', 'qcow2', path, '64M'])
const found = async () => (await world.engine.verify()).findings
const codes = async () => [...new Set((await found()).map(({ code }) => code))]
const of = (findings: readonly Finding[], code: string) => findings.filter((one) => one.code === code)

/** Runs what a finding proposes, as a person would who has read its plan. */
async function repair(finding: Finding | undefined): Promise<void> {
  expect(finding?.repair).toBeDefined()
  await act(world, finding!.repair!.operation, finding!.repair!.params)
}

describe('a claim', () => {
  const claimOn = async (path: string) => (await run(world.site.host('xen1'), readClaim(path))).stdout.trim()
  const lay = (path: string, text: string) => sh(['ln', '-s', text, claimPathOf(path)])

  test('is of a domain that is gone, and vm.release takes it away', async () => {
    const vm = await startVm(world)
    const { path } = vm.disks[0]!
    const text = await claimOn(path)
    await act(world, 'vm.poweroff', { vm: vm.uuid })
    await lay(path, text)
    const [stale] = of(await found(), 'CLAIM_STALE')
    expect(stale).toMatchObject({ subject: { id: vm.uuid }, path })
    expect(stale!.text).toContain('which has no domain there')
    await repair(stale)
    expect(await codes()).toEqual([])
  })

  test('is of another VM that runs, or of a PM that nobody knows', async () => {
    const vm = await startVm(world)
    const text = await claimOn(vm.disks[0]!.path)
    const foreign = await adoptForeign(world)
    await act(world, 'vm.poweroff', { vm: foreign.uuid })
    const { path } = foreign.disks[0]!
    await lay(path, text)
    const findings = of(await found(), 'CLAIM_FOREIGN')
    expect(findings).toMatchObject([{ subject: { id: foreign.uuid }, path, severity: 'danger' }])
    expect(findings[0]!.text).toContain(`VM ${vm.name} on xen1`)
    expect(findings[0]!.text).toContain(`runs there as domain ${vm.seen.domid}`)
    await sh(['rm', claimPathOf(path)])
    await lay(path, text.replaceAll(vm.pm, 'c0ffee00-0000-4000-8000-000000000001'))
    expect(of(await found(), 'CLAIM_FOREIGN')[0]!.text).toContain('which cannot be asked')
  })

  test('is not there while its VM runs', async () => {
    const vm = await startVm(world)
    await sh(['rm', claimPathOf(vm.disks[0]!.path)])
    expect(of(await found(), 'CLAIM_MISSING')).toMatchObject([
      { subject: { id: vm.uuid }, path: vm.disks[0]!.path, severity: 'wrong' },
    ])
  })

  test('is missed of what can have one alone: files, and logical volumes that are there', async () => {
    const vm = await startVm(world)
    const paths = ['/data/a.img', 'rbd:vms/a', 'drbd:r0', '/dev/rbd/vms/a', '/dev/mapper/mpatha', '/dev/vg/a']
    const disks = paths.map((path) => ({ ...vm.disks[0]!, path }))
    const view = Object.create(world.engine.view, { vms: { value: () => [{ ...vm, disks }] } })
    const pms = new Map([[vm.pm, { domains: [] }]]) as unknown as SiteFacts['pms']
    const places = [{ entries: [{ path: '/dev/vg/a' }] }] as unknown as SiteFacts['places']
    const facts = claimFacts({ view, pms, places, now: 0 }, new Map())
    expect(facts.map(({ path, state }) => `${state} ${path}`)).toEqual(['missing /data/a.img', 'missing /dev/vg/a'])
  })
})

describe('a marker', () => {
  const MARKER = '/data/.pengx-storlink'

  test('is lost, and is written again where all is there that is written down', async () => {
    await makeVm(world)
    await sh(['rm', MARKER])
    const [finding] = await found()
    expect(finding).toMatchObject({ code: 'STORLINK_UNMARKED', path: '/data', repair: { operation: 'storlink.mark' } })
    await repair(finding)
    expect(await codes()).toEqual([])
  })

  test('is lost where nothing tells that it is the right storage', async () => {
    await makeStorlink(world)
    await sh(['rm', MARKER])
    const [finding] = await found()
    expect(finding!.code).toBe('STORLINK_UNMARKED')
    expect(finding!.repair).toBeUndefined()
  })

  test('is another’s: of what lies there nothing is judged, and nothing is removable', async () => {
    const vm = await makeVm(world)
    await image(`${vm.disks[0]!.path}.new`)
    expect(await codes()).toEqual(['LEFTOVER'])
    await sh(['tee', MARKER], 'storlink c0ffee00-0000-4000-8000-000000000001\n')
    const { findings, volumes } = await world.engine.verify()
    expect(findings.map(({ code }) => code)).toEqual(['STORLINK_OTHER_DISK'])
    expect(volumes).toEqual([])
  })

  test('is not there, nor anything else: told once, and not of each volume', async () => {
    await makeVm(world)
    await sh(['mv', '/data', '/was-data'])
    await sh(['mkdir', '/data'])
    const findings = await found()
    expect(findings).toMatchObject([{ code: 'STORLINK_AWAY', subject: { kind: 'storlink' } }])
    expect(findings[0]!.text).toContain('not mounted')
  })
})
