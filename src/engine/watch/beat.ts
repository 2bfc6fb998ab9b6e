import type { Clock } from '../../lib/clock.ts'
import type { View } from '../store/view.ts'
import type { Observer } from './observe.ts'

/**
 * Looks at every PM again and again, each at its own pace: one that does not answer never delays another. A PM that is
 * down is asked less and less often.
 */
export interface Beat {
  /** Looks at a PM soon, without waiting for its turn. */
  nudge(pm: string): void
  /** Begins; until then nobody has a turn. */
  start(): void
  /** Sees to it that every PM of the view has its turn; call it when PMs come or go. */
  sync(): void
  stop(): void
}

const BEAT_MS = 2000
const LONGEST_MS = 30_000

export function createBeat(view: View, observer: Observer, clock: Clock): Beat {
  const stopped = new AbortController()
  const wakers = new Map<string, AbortController>()
  let isStarted = false

  async function follow(pm: string): Promise<void> {
    let pauseMs = BEAT_MS
    while (!stopped.signal.aborted && view.getPm(pm)) {
      await observer.look(pm)
      const down = view.getPm(pm)?.seen.reach === 'down'
      pauseMs = down ? Math.min(LONGEST_MS, pauseMs * 1.6) : BEAT_MS
      const waker = new AbortController()
      wakers.set(pm, waker)
      await clock.sleep(pauseMs, AbortSignal.any([stopped.signal, waker.signal])).catch(() => undefined)
    }
    wakers.delete(pm)
  }

  const beat: Beat = {
    nudge: (pm) => wakers.get(pm)?.abort(),
    start() {
      isStarted = true
      beat.sync()
    },
    sync() {
      if (!isStarted || stopped.signal.aborted) return
      for (const pm of view.pms()) {
        if (wakers.has(pm.uuid)) continue
        wakers.set(pm.uuid, new AbortController())
        void follow(pm.uuid)
      }
    },
    stop: () => stopped.abort(),
  }
  return beat
}
