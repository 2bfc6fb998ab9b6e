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
