import { keyedWords, parseFilter } from '../../lib/filter.ts'
import type { Vm } from '../vm.ts'

/** VMs by the words that their list is filtered by, where a filter is written down and looked at again each time. */

/** What is known of a site, of which the VMs are. */
export interface VmSite {
  vms(): readonly Vm[]
  pms(): readonly { readonly name: string }[]
  getPm(uuid: string): { readonly name: string } | undefined
  getTemplate(uuid: string): { readonly name: string } | undefined
}

type Names = Pick<VmSite, 'getPm' | 'getTemplate'>

const pmName = ({ pm }: Vm, site: Names) => site.getPm(pm)?.name ?? '?'

/** What each key of a filter looks in. */
export const VM_FILTERS = {
  name: (vm) => vm.name,
  status: (vm) => vm.seen.state,
  pm: pmName,
  os: (vm) => `${vm.os} ${vm.osArch}`,
  type: (vm) => vm.type,
  origin: (vm) => vm.origin,
  ip: (vm) => vm.nics.map(({ ip }) => ip).join(' '),
  mac: (vm) => vm.nics.map(({ mac }) => mac).join(' '),
  bridge: (vm) => vm.nics.map(({ bridge }) => bridge).join(' '),
  desc: (vm) => vm.desc,
  template: (vm, site) => (vm.template === undefined ? '' : (site.getTemplate(vm.template)?.name ?? '')),
} satisfies Record<string, (vm: Vm, site: Names) => string>

const KEYS = Object.keys(VM_FILTERS)
const isKey = (key: string): key is keyof typeof VM_FILTERS => Object.hasOwn(VM_FILTERS, key)

/** What a word without a key looks in. */
export function vmWords(vm: Vm, site: Names): string {
  const macs = vm.nics.map(({ mac }) => mac).join(' ')
  const address = vm.nics.find(({ ip }) => ip !== '')?.ip ?? ''
  return `${vm.name} ${pmName(vm, site)} ${vm.seen.state} ${address} ${vm.origin} ${vm.os} ${vm.desc} ${vm.uuid} ${macs}`
}

/** Those that match a filter at this moment, in the site's order. */
export function vmsMatching(filter: string, site: VmSite): readonly Vm[] {
  const { test } = parseFilter(filter, KEYS)
  return site.vms().filter((vm) => {
    const value = (key: string) => (isKey(key) ? VM_FILTERS[key](vm, site).toLowerCase() : undefined)
    return test({ text: vmWords(vm, site).toLowerCase(), value })
  })
}

/** Why VMs cannot be named by a filter for good, with what there is, or undefined. That none matches now is no reason. */
export function refuseVmFilter(filter: string, site: Pick<VmSite, 'pms'>): string | undefined {
  if (filter.trim() === '') return 'it names no VM: give words of those that are meant, as os:debian'
  const { problem } = parseFilter(filter, KEYS)
  if (problem !== undefined) return problem
  const pms = site.pms().map(({ name }) => name)
  for (const { key, wanted } of keyedWords(filter)) {
    if (!isKey(key)) return `nothing of a VM is called "${key}": there are ${KEYS.join(', ')}`
    if (wanted.length === 0) return `${key}: says nothing of it`
    const unknown = wanted.find((word) => pms.every((name) => !name.toLowerCase().includes(word)))
    if (key === 'pm' && unknown !== undefined) return `no PM is called "${unknown}": there are ${pms.join(', ')}`
  }
  return undefined
}
