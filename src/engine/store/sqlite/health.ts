import type { Clock } from '../../../lib/clock.ts'
import type { StoreTrouble } from '../../../model/storeTrouble.ts'
import { troubleIn } from './errors.ts'

/** Whether the store can be written, as the newest attempts tell. */
export interface Health {
  readonly trouble: StoreTrouble | undefined
  /** A write failed; counts only where it was the store's fault. */
  failed(error: unknown): void
  /** A write went well. */
  written(): void
  /** Called when there is another trouble, or none any more. */
  onChange(listener: () => void): void
  stop(): void
}

/** How long after a failure the store is asked again: more and more rarely up to the second. */
const FIRST_MS = 500
const LONGEST_MS = 10_000

/**
 * While the store cannot be written it is asked again and again by itself, so that what waits goes on without anybody's
 * doing. `probe` writes as much as a job's next moments will need, and fails where that does not go.
 */
export function createHealth(clock: Clock, probe: () => Promise<void>): Health {
  const stopped = new AbortController()
  const listeners: (() => void)[] = []
  let trouble: StoreTrouble | undefined
  let isAsking = false

  function become(next: StoreTrouble | undefined): void {
    if (stopped.signal.aborted || (trouble?.why === next?.why && trouble?.code === next?.code)) return
    trouble = next
    for (const listener of listeners) listener()
  }

  async function askAgain(): Promise<void> {
    for (let pauseMs = FIRST_MS; trouble; pauseMs = Math.min(LONGEST_MS, pauseMs * 1.6)) {
      await clock.sleep(pauseMs, stopped.signal)
      if (trouble) await probe().then(() => become(undefined), health.failed)
    }
  }

  const health: Health = {
    get trouble() {
      return trouble
    },
    failed(error) {
      const found = troubleIn(error)
      if (!found) return
      become({ ...found, since: trouble?.since ?? clock.now() })
      if (isAsking || stopped.signal.aborted) return
      isAsking = true
      void askAgain()
        .catch(() => undefined)
        .finally(() => {
          isAsking = false
        })
    },
    written() {
      // On a full disk a small write may still find room: that is told by the probe alone, which needs more.
      if (trouble && trouble.code !== 'noSpace') become(undefined)
    },
    onChange: (listener) => void listeners.push(listener),
    stop: () => stopped.abort(),
  }
  return health
}
