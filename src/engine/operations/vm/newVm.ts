import { newXenMac } from '../../../lib/ids.ts'
import type { Nic } from '../../../model/nic.ts'
import type { Vm } from '../../../model/vm.ts'
import type { ChangingStep } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'

/** What every way of making a VM begins with: its row, so that name and addresses are its own from then on. */

/** `row` is asked for when it is written: what facts may not hold it brings along. */
export function takeNameStep(uuid: string, name: string, row: () => Vm): ChangingStep {
  return {
    name: `take the name ${name}`,
    async do(cx) {
      await cx.inventory.putVm(row())
      return null
    },
    isApplied: async (cx) => cx.view.getVm(uuid) !== undefined,
    undo: (cx) => cx.inventory.dropVm(uuid),
  }
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
