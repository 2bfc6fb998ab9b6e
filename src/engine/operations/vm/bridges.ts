import { z } from 'zod'
import { PengxError } from '../../../model/error.ts'
import type { Nic } from '../../../model/nic.ts'
import type { Pm } from '../../../model/pm.ts'
import type { Vm } from '../../../model/vm.ts'
import { field } from '../../jobs/params.ts'

/**
 * Whether a PM has the bridge that an interface is to be on. What xl starts, pengx starts: seen are Linux bridges alone,
 * and of Xen's scripts `vif-bridge` alone needs one.
 */

/** The way past a bridge that is not seen. */
export const unseenBridgeField = field(z.boolean().default(false), {
  title: 'Although the bridge is not seen',
  help: 'the bridge need not be among the Linux bridges of the PM: xl.conf may name another script for all interfaces',
  advanced: true,
})

/**
 * Another script, a driver domain, or the bridge that xl.conf(5) names (`vif.default.bridge`; else xenbr0), which is
 * found when it is started (xl-network-configuration(5)).
 */
function isByItself({ bridge, extra = '' }: Pick<Nic, 'bridge' | 'extra'>): boolean {
  return (
    bridge === '' || extra.split(',').some((word) => /^(script|backend)=./.test(word) && !/[=/]vif-bridge$/.test(word))
  )
}

/**
 * Why the interface would find no bridge on the PM as it was seen last, as a clause, or undefined; a PM that was never
 * looked at has any.
 */
export function missingBridge(nic: Pick<Nic, 'bridge' | 'extra'>, { name, seen }: Pm): string | undefined {
  if (!seen.bridges || isByItself(nic) || seen.bridges.includes(nic.bridge)) return undefined
  return `is not on ${name}, which has ${seen.bridges.join(', ') || 'none'}`
}

/** What is said behind that. */
export const UNSEEN_HINT = 'make it there, or give --unseen-bridge where it is no Linux bridge (Open vSwitch)'

/** Throws `refused` for an interface of the VM that would find no bridge on the PM; `unseen`: it may. */
export function needBridges(vm: Pick<Vm, 'name' | 'nics'>, pm: Pm, unseen: boolean): void {
  for (const nic of unseen ? [] : vm.nics) {
    const missing = missingBridge(nic, pm)
    if (missing === undefined) continue
    const text = `${vm.name}: bridge ${nic.bridge} of ${nic.name} ${missing}: ${UNSEEN_HINT}`
    throw new PengxError('refused', text)
  }
}
