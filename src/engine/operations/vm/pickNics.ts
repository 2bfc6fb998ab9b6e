import { newXenMac } from '../../../lib/ids.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Nic } from '../../../model/nic.ts'
import type { Pm } from '../../../model/pm.ts'
import type { View } from '../../store/view.ts'
import { missingBridge, UNSEEN_HINT } from './bridges.ts'

/** The bridge that is meant: its name as it is given, and for a number N xenbrN. */
export function bridgeName(given: string): string {
  return /^\d+$/.test(given) ? `xenbr${given}` : given
}

/**
 * Interfaces of a VM that is still to be made: one on each bridge, which has to be on the PM; a number N means xenbrN.
 * Addresses are random among those that nobody on the site has; the store refuses a second one all the same. Asks nobody;
 * throws `invalid` for a bridge that the PM did not have when it was looked at, unless it may be `unseen`.
 */
export function pickNics(pm: Pm, given: readonly string[], view: View, unseen: boolean): readonly (Nic & Json)[] {
  const bridges = given.map(bridgeName)
  for (const bridge of unseen ? [] : bridges) {
    const missing = missingBridge({ bridge }, pm)
    if (missing !== undefined) throw new PengxError('invalid', `bridges: ${bridge} ${missing}: ${UNSEEN_HINT}`)
  }
  const nextMac = freeMacs(view)
  return bridges.map((bridge, index) => ({ id: 0, name: `eth${index}`, mac: nextMac(), bridge, ip: '' }))
}

/** Addresses that nobody on the site has, and each of which is given once. Asks nobody. */
export function freeMacs(view: View): (wished?: string) => string {
  const taken = new Set(view.vms().flatMap((vm) => vm.nics.map((nic) => nic.mac.toLowerCase())))
  return (wished) => {
    let mac = (wished ?? newXenMac()).toLowerCase()
    while (taken.has(mac)) mac = newXenMac()
    taken.add(mac)
    return mac
  }
}

/** Interfaces as another VM has them: where they were, with addresses of its own. */
export function renewedNics(nics: readonly Nic[], nextMac: (wished?: string) => string): Nic[] {
  return nics.map((nic) => ({ ...nic, id: 0, mac: nextMac() }))
}
