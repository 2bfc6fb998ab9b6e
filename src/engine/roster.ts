import type { Clock } from '../lib/clock.ts'
import { provisionalPm } from '../model/provisional.ts'
import { normalDestination } from './operations/pm/target.ts'
import type { Store } from './store/store.ts'

/** Makes known the PMs that the command line, this machine or a simulated site bring along. */
export async function knowPms(
  store: Store,
  config: { readonly local: boolean; readonly destinations: readonly string[] },
  simulated: readonly string[],
  clock: Clock,
): Promise<void> {
  const destinations = [
    ...(config.local ? ['local'] : []),
    ...config.destinations.map(normalDestination),
    ...simulated.map((name) => `sim:${name}`),
  ]
  for (const destination of destinations) {
    const known = store.view.pms().some((pm) => pm.destination === destination)
    if (!known) await store.inventory.putPm(provisionalPm(destination, clock.now()))
  }
}

/** What of a PM that is gone is to be let go of. */
export interface Removal {
  readonly uuid: string
  /** Where it was reached; undefined: another PM is reached there, the same machine by its identity for one. */
  readonly destination?: string
}

/** Calls `gone` for each PM that is removed, by whichever process, or gets its identity; returns how to stop it. */
export function watchRemovals(view: Store['view'], gone: (removal: Removal) => void): () => void {
  const known = new Map<string, string>()
  const learn = () => {
    for (const pm of view.pms()) known.set(pm.uuid, pm.destination)
  }
  learn()
  return view.onChange((changes) => {
    if (!changes.some((change) => change.kind === 'pm')) return
    learn()
    for (const [uuid, destination] of known) {
      if (view.getPm(uuid)) continue
      known.delete(uuid)
      const isLeft = !view.pms().some((pm) => pm.destination === destination)
      gone({ uuid, ...(isLeft ? { destination } : {}) })
    }
  })
}
