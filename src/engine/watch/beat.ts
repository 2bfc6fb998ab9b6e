import type { Clock } from '../../lib/clock.ts'
import type { View } from '../store/view.ts'
import type { Observer } from './observe.ts'

/**
 * Looks at every PM again and again, each at its own pace: one that does not answer never delays another. A PM that is
 * down is asked less and less often, one that is slow to answer not as often as others.
 */
export interface Beat {
  /** Looks at a PM soon, without waiting for its turn; while it is being looked at, once more after that. */
  nudge(pm: string): void
  /** Begins; until then nobody has a turn. */
  start(): void
  /** Sees to it that every PM of the view has its turn, and no other; call it when PMs come or go. */
  sync(): void
  stop(): void
}

const BEAT_MS = 2000
const LONGEST_MS = 30_000
/** Of a PM that is slow (overloaded, far away) looks take no more than a fifth of the time, but for what is known to stay new. */
const PAUSES_PER_LOOK = 4
const LONGEST_UP_MS = 10_000

export function createBeat(view: View, observer: Pick<Observer, 'look'>, clock: Clock): Beat {
  /** What ends the pause of a PM: the one to come, while it is being looked at. */
  const pauses = new Map<string, AbortController>()
  let isAtWork = false

  async function follow(pm: string): Promise<void> {
    let downMs = BEAT_MS
    while (isAtWork && view.getPm(pm)) {
      const pause = new AbortController()
      pauses.set(pm, pause)
      const began = clock.now()
      await observer.look(pm)
      const down = view.getPm(pm)?.seen.reach === 'down'
      const slowMs = Math.max(BEAT_MS, PAUSES_PER_LOOK * (clock.now() - began))
      downMs = down ? Math.min(LONGEST_MS, downMs * 1.6) : BEAT_MS
      await clock.sleep(down ? downMs : Math.min(LONGEST_UP_MS, slowMs), pause.signal).catch(() => undefined)
    }
    pauses.delete(pm)
  }

  const beat: Beat = {
    nudge: (pm) => pauses.get(pm)?.abort(),
    start() {
      isAtWork = true
      beat.sync()
    },
    sync() {
      if (!isAtWork) return
      for (const [pm, pause] of pauses) if (!view.getPm(pm)) pause.abort()
      for (const { uuid } of view.pms()) if (!pauses.has(uuid)) void follow(uuid)
    },
    stop() {
      isAtWork = false
      for (const pause of pauses.values()) pause.abort()
    },
  }
  return beat
}
