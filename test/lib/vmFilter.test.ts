import { describe, expect, test } from 'bun:test'
import { refuseVmFilter, VM_FILTERS, type VmSite, vmsMatching } from '../../src/model/schedule/vmFilter.ts'
import type { Vm } from '../../src/model/vm.ts'
import { aPm, aVm } from '../engine/store/samples.ts'

const pms = [aPm({ name: 'xen1' }), aPm({ name: 'xen2' })]
const [xen1, xen2] = pms.map(({ uuid }) => uuid) as [string, string]
const seen = (state: Vm['seen']['state']) => ({ state, since: 1, drift: [] })
const vms = [
  aVm(xen1, { name: 'db', os: 'debian 12', seen: seen('running') }),
  aVm(xen2, { name: 'mail', os: 'freebsd 14', seen: seen('shutdown') }),
  aVm(xen2, { name: 'web', os: 'Debian 13', seen: seen('running'), desc: 'shop' }),
]
const site: VmSite = {
  vms: () => vms,
  pms: () => pms,
  getPm: (uuid) => pms.find((pm) => pm.uuid === uuid),
  getTemplate: () => undefined,
}
const found = (filter: string) => vmsMatching(filter, site).map(({ name }) => name)

describe('VMs by a filter that is written down', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['os:debian', ['db', 'web']],
    ['os:debian pm:xen2', ['web']],
    ['os:debian !pm:xen2', ['db']],
    ['name:db|mail', ['db', 'mail']],
    ['status:running', ['db', 'web']],
    ['SHOP', ['web']],
    ['/^(db|mail) /', ['db', 'mail']],
    ['os:plan9', []],
  ]
  for (const [filter, names] of cases) {
    test(filter, () => {
      expect(found(filter)).toEqual([...names])
      expect(refuseVmFilter(filter, site)).toBeUndefined()
    })
  }

  test('what it does not know is refused with what there is', () => {
    expect(refuseVmFilter('os:debian host:xen1', site)).toBe(
      `nothing of a VM is called "host": there are ${Object.keys(VM_FILTERS).join(', ')}`,
    )
    expect(refuseVmFilter('!pm:xen1|xen9', site)).toBe('no PM is called "xen9": there are xen1, xen2')
    expect(refuseVmFilter('os:', site)).toBe('os: says nothing of it')
    expect(refuseVmFilter(' ', site)).toStartWith('it names no VM')
    expect(refuseVmFilter('/(/', site)).toContain('regular expression')
    expect(refuseVmFilter('00:16:3e:00:00:01', site)).toBeUndefined()
  })
})
