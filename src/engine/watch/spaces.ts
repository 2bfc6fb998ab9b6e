import type { Clock } from '../../lib/clock.ts'
import type { Host } from '../host/host.ts'
import type { View } from '../store/view.ts'
import { type StorlinkSpace, spacesOf } from '../volumes/spaces.ts'

/** How full storlinks are changes slowly, and asking costs a round trip and a few programs. */
const EVERY_MS = 60_000

/**
 * What a PM's storlinks hold, where that is due; what cannot be looked at stays as it was. A shared one is looked at by
 * another while its own PM is away.
 */
export function createSpaceLook(view: View, clock: Clock): (host: Host, pm: string) => Promise<StorlinkSpace[]> {
  const lookedAt = new Map<string, number>()
  const isAway = (pm: string) => view.getPm(pm)?.seen.reach !== 'up'
  return async (host, pm) => {
    const now = clock.now()
    if (now - (lookedAt.get(pm) ?? Number.NEGATIVE_INFINITY) < EVERY_MS) return []
    lookedAt.set(pm, now)
    const seen = view.storlinks().filter((storlink) => storlink.pm === pm || (storlink.shared && isAway(storlink.pm)))
    return await spacesOf(host, seen).catch(() => [])
  }
}
