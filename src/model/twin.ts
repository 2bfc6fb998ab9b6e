import { uuidOfMachineId } from '../lib/ids.ts'
import type { Pm } from './pm.ts'

/** Machines with one machine-id: cloned ones, or one that is named twice. */

/** What a machine says of itself: /etc/machine-id, and the kernel's boot_id (random(4)). */
interface Sighting {
  readonly machineId: string
  readonly bootId: string
}

/** What two destinations with one machine-id are: one machine that is named twice, or why they cannot both be shown. */
type Twin = 'same' | { readonly problem: string }

/**
 * A machine says that it is a PM which is known at another destination. Of one machine the kernel's boot_id is one
 * (random(4)); where it differs from what was last seen, the other is looked at now, for it may have been booted since.
 */
export async function judgeTwin(known: Pm, seen: Sighting, lookAtKnown: () => Promise<Sighting>): Promise<Twin> {
  const isBootOf = (bootId: string | undefined) => seen.bootId !== '' && bootId === seen.bootId
  if (isBootOf(known.seen.bootId)) return 'same'
  const there = await lookAtKnown().catch(() => undefined)
  const { name, destination } = known
  const hint = `remove ${name} where it is the same machine (pm.remove), else give this one its own machine-id`
  if (there === undefined) {
    return { problem: `its machine-id is that of ${name} (${destination}), which cannot be asked now: ${hint}` }
  }
  if (uuidOfMachineId(there.machineId) !== known.uuid) {
    return { problem: `its machine-id is that of ${name}, but ${destination} leads to another machine now: ${hint}` }
  }
  return isBootOf(there.bootId) ? 'same' : { problem: copiedMachine(known) }
}

/**
 * Why a machine is not shown beside the PM whose machine-id it has. The one of D-Bus goes too: systemd-machine-id-setup(1)
 * would take it up again.
 */
function copiedMachine(known: Pick<Pm, 'name' | 'destination'>): string {
  return `its machine-id is that of ${known.name} (${known.destination}) too: a cloned machine; ${OWN_ID}`
}

/** What is said of the PM that was known first. */
export function copyOf(twin: Pick<Pm, 'name' | 'destination'>): string {
  const who = twin.destination.endsWith(`:${twin.name}`) ? twin.destination : `${twin.name} (${twin.destination})`
  return `${who} has its machine-id too, and is not shown until that is told apart`
}

const OWN_ID =
  'give it its own, there, with `rm -f /etc/machine-id /var/lib/dbus/machine-id && systemd-machine-id-setup`'
