/** What an xl leaves of a domain that is cut off while it builds it or tears it down. */
import { forgetDues, stopCounting } from './guests.ts'
import type { SimWorld } from './program.ts'
import type { Domain, PmState } from './state.ts'

/** Of `xl create`: what has been built stays, paused, until somebody destroys it. */
export function leaveHalfBuilt(pm: PmState, domain: Domain): void {
  forgetDues(pm, domain)
  domain.paused = true
  domain.unfinished = true
}

/** Of `xl destroy`: it has paused the domain, ended its QEMU and begun with its devices. */
export function leaveHalfTorn(world: SimWorld, pm: PmState, domain: Domain): void {
  stopCounting(domain, world.clock.now())
  forgetDues(pm, domain)
  domain.phase = 'up'
  domain.paused = true
  domain.torn = true
}
