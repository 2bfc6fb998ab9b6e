import { z } from 'zod'
import { PengxError } from '../../../model/error.ts'
import type { Nic } from '../../../model/nic.ts'
import type { Vm } from '../../../model/vm.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { missingBridge, UNSEEN_HINT } from '../vm/bridges.ts'
import { refuseChange } from '../vm/change.ts'
import { bridgeName } from '../vm/pickNics.ts'

/** What the operations on interfaces have in common: which one is meant, on which bridge it can be, when it is left alone. */

export const nicField = field(z.string().min(1), {
  title: 'Interface',
  from: 'nic',
  help: 'its number, its name (eth1) or its MAC address',
})

/** An interface by its number, its name or its MAC address. Throws `notFound`, naming those that there are. */
export function needNic(vm: Vm, named: string): Nic {
  const nic =
    vm.nics.find((one) => String(one.id) === named) ??
    vm.nics.find((one) => one.name === named || (one.mac !== '' && one.mac === named.toLowerCase()))
  if (nic) return nic
  const there = vm.nics.map((one) => one.name).join(', ') || 'none'
  throw new PengxError('notFound', `${vm.name} has no interface ${named}; it has ${there}`)
}

/** The interface in a row or in what a file says now, where it has no number yet. */
export function isSame(nic: Nic, other: Nic): boolean {
  return other.id === nic.id || (nic.mac !== '' && other.mac === nic.mac)
}

/**
 * Why an interface of the VM cannot be on a bridge, or undefined; a PM that was never looked at allows any. `extra`: what
 * else its specification says; `unseen`: it need not be seen.
 */
export function refuseBridge(
  vm: Vm,
  given: string,
  view: View,
  { extra = '', unseen }: { readonly extra?: string | undefined; readonly unseen: boolean },
): string | undefined {
  const bridge = bridgeName(given)
  const missing = unseen ? undefined : missingBridge({ bridge, extra }, view.needPm(vm.pm))
  return missing && `bridge ${bridge} ${missing}: ${UNSEEN_HINT}`
}

/** Why what ruins the network of a running guest cannot be done, or undefined; `what` begins the sentence. */
export function refuseRunning(vm: Vm, view: View, what: string): string | undefined {
  const reason = refuseChange(vm, view)
  if (reason) return reason
  return vm.seen.state === 'shutdown' ? undefined : `${what} of a running VM ruins its network: shut it down first`
}
