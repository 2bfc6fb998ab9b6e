import { describe, expect, test } from 'bun:test'
import type { DomainSeen } from '../../../src/engine/hypervisor/domain.ts'
import { type Known, type Look, reconcile } from '../../../src/engine/watch/reconcile.ts'
import type { Vm, VmState } from '../../../src/model/vm.ts'

const PM = 'aaaaaaaa-0000-4000-8000-000000000001'
const OTHER = 'aaaaaaaa-0000-4000-8000-000000000002'
const WEB = 'bbbbbbbb-0000-4000-8000-000000000001'

function vm(state: VmState, more: Partial<Vm> = {}): Vm {
  const domid = state === 'shutdown' ? {} : { domid: 5 }
  return {
    uuid: WEB,
    pm: PM,
    origin: 'adopted',
    name: 'web01',
    domainName: 'web01',
    type: 'pv',
    vcpuCount: 1,
    maxVcpuCount: 1,
    memoryMib: 256,
    maxmemMib: 256,
    boot: {},
    disks: [],
    drives: [],
    nics: [],
    extraConfig: '',
    desc: '',
    os: '',
    osArch: '',
    createdAt: 0,
    configForeign: false,
    seen: { state, since: 0, drift: [], ...domid },
    ...more,
  }
}

function domain(more: Partial<DomainSeen> = {}): DomainSeen {
  return {
    domid: 5,
    uuid: WEB,
    name: 'web01',
    state: 'running',
    rawState: '-b----',
    memoryMib: 256,
    vcpuCount: 1,
    cpuSeconds: 1,
    ...more,
  }
}

function mean(
  rows: readonly Vm[],
  look: Partial<Look>,
  more: Partial<Known> = {},
  missing = new Map<string, number>(),
) {
  const known: Known = {
    vmsOn: (pm) => rows.filter((row) => row.pm === pm),
    getVm: (uuid) => rows.find((row) => row.uuid === uuid),
    isAtWork: () => false,
    isHeld: () => false,
    isUp: () => true,
    pmName: (pm) => (pm === PM ? 'xen1' : 'xen2'),
    ...more,
  }
  return reconcile({ pm: PM, domains: [], now: 10_000, ...look }, known, missing)
}

describe('what a look means', () => {
  test('a domain without a row has appeared; dom0 has not', () => {
    const dom0 = domain({ domid: 0, uuid: '00000000-0000-0000-0000-000000000000', name: 'Domain-0' })
    const meaning = mean([], { domains: [dom0, domain()] })
    expect(meaning.appeared.map((one) => one.domid)).toEqual([5])
    expect(meaning.strays).toEqual([])
  })

  test('a new domid is a new boot, and the state has begun now', () => {
    const meaning = mean([vm('running')], { domains: [domain({ domid: 6 })] })
    expect(meaning.seen[0]).toMatchObject({ uuid: WEB, bootedAt: 10_000, seen: { domid: 6, since: 10_000 } })
  })

  test('the same domain in the same state keeps since', () => {
    expect(mean([vm('running')], { domains: [domain()] }).seen[0]?.seen.since).toBe(0)
  })

  test('a domain that is missing once may be rebooting; when it stays away that is shown', () => {
    const missing = new Map<string, number>()
    expect(mean([vm('running')], {}, {}, missing).seen).toEqual([])
    const later = mean([vm('running')], { now: 12_000 }, {}, missing)
    expect(later.seen[0]?.seen.state).toBe('shutdown')
    expect(later.seen[0]?.seen.drift[0]).toContain('not by pengx')
  })

  test('what a job stops is stopped at once and no drift', () => {
    const meaning = mean([vm('running')], {}, { isAtWork: () => true })
    expect(meaning.seen[0]?.seen).toMatchObject({ state: 'shutdown', drift: [] })
  })

  test('a guest that was seen shutting down is no drift', () => {
    const missing = new Map([[WEB, 1]])
    expect(mean([vm('dying')], {}, {}, missing).seen[0]?.seen.drift).toEqual([])
  })

  test('a found domain that is gone leaves no row', () => {
    const missing = new Map([[WEB, 1]])
    expect(mean([vm('running', { origin: 'found' })], {}, {}, missing).gone).toEqual([WEB])
  })

  test('what a job has in hand is moved by that job alone, and half a domain by nobody', () => {
    const row = vm('shutdown', { pm: OTHER })
    const held = mean([row], { domains: [domain()] }, { isHeld: () => true })
    expect([held.moved, held.strays.map((stray) => stray.domid)]).toEqual([[], [5]])
    const half = mean([row], { domains: [domain({ name: 'web01--incoming', state: 'paused' })] })
    expect([half.moved, half.seen, half.strays.map((stray) => stray.name)]).toEqual([[], [], ['web01--incoming']])
    expect(mean([row], { domains: [domain({ name: 'web01' })] }).moved).toHaveLength(1)
  })

  test('a domain that changed its PM moves the row and says so', () => {
    const meaning = mean([vm('shutdown', { pm: OTHER })], { domains: [domain()] })
    expect(meaning.moved[0]).toMatchObject({
      pm: PM,
      seen: { state: 'running', drift: ['moved from xen2 to xen1, not by pengx'] },
    })
  })

  test('a second domain of a VM that runs elsewhere is a stray, and the row stays', () => {
    const meaning = mean([vm('running', { pm: OTHER })], { domains: [domain()] })
    expect(meaning.moved).toEqual([])
    expect(meaning.strays).toEqual([{ domid: 5, name: 'web01', uuid: WEB, state: '-b----' }])
  })

  test('a second domain of one UUID on one PM is a stray', () => {
    const meaning = mean([vm('running')], { domains: [domain(), domain({ domid: 9 })] })
    expect(meaning.seen).toHaveLength(1)
    expect(meaning.strays.map((stray) => stray.domid)).toEqual([9])
  })

  test('(null) is a stray', () => {
    expect(mean([], { domains: [domain({ name: '(null)', uuid: PM })] }).strays).toHaveLength(1)
  })

  test('another domain name is drift of an adopted VM', () => {
    expect(mean([vm('running')], { domains: [domain({ name: 'renamed' })] }).seen[0]?.seen.drift).toEqual([
      'runs under the domain name renamed',
    ])
  })

  test('a stopped VM on a PM that came back is shut down, without drift', () => {
    expect(mean([vm('unknown')], {}).seen[0]?.seen).toMatchObject({ state: 'shutdown', drift: [] })
  })
})

test('how it starts with its PM is seen apart, and stays with what a look says of the domain; another PM has its own', () => {
  const autostart = { order: 5, paths: ['/etc/xen/auto/05-web01.cfg'] }
  const row = vm('running', { seen: { state: 'running', since: 0, drift: [], domid: 5, autostart } })
  expect(mean([row], { domains: [domain({ domid: 6 })] }).seen[0]!.seen).toMatchObject({ domid: 6, autostart })
  expect(mean([row], { domains: [], authoritative: true }).seen[0]!.seen).toMatchObject({
    state: 'shutdown',
    autostart,
  })
  const away = vm('shutdown', { pm: OTHER, seen: { state: 'shutdown', since: 0, drift: [], autostart } })
  const [moved] = mean([away], { domains: [domain()] }, { getVm: () => away }).moved
  expect(moved).toMatchObject({ pm: PM, seen: { state: 'running' } })
  expect(moved!.seen.autostart).toBeUndefined()
})
