import type { Clock } from '../../src/lib/clock.ts'

/**
 * The time of day, but that nobody waits: as soon as all else is quiet it jumps to the next sleeper, so that what takes
 * minutes is over at once and in the right order.
 */
export function createSkippingClock(): Clock {
  let skipped = 0
  let sleeping: readonly Sleeper[] = []
  let skipping = false
  const now = () => Date.now() + skipped
  const first = () => sleeping.reduce((one, other) => (other.at < one.at ? other : one))

  async function skip(): Promise<void> {
    skipping = true
    while (sleeping.length > 0) {
      const waiting = sleeping
      const rounds = first().at - now() > FAR_MS ? FAR_ROUNDS : 1
      for (let round = 0; round < rounds && sleeping === waiting; round++) await settled()
      if (sleeping !== waiting) continue
      const next = first()
      skipped += Math.max(0, Math.ceil(next.at - now()))
      sleeping = sleeping.filter((sleeper) => sleeper !== next)
      next.wake()
    }
    skipping = false
  }

  return {
    now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const sleeper: Sleeper = {
          at: now() + Math.max(0, ms),
          wake() {
            signal?.removeEventListener('abort', stop)
            resolve()
          },
        }
        const stop = () => {
          sleeping = sleeping.filter((one) => one !== sleeper)
          reject(signal?.reason)
        }
        signal?.addEventListener('abort', stop, { once: true })
        sleeping = [...sleeping, sleeper]
        if (!skipping) void skip()
      }),
  }
}

interface Sleeper {
  readonly at: number
  wake(): void
}

/** Whoever sleeps longer than this bounds something, mostly; that gets many rounds of the event loop to end by itself. */
const FAR_MS = 5_000
const FAR_ROUNDS = 40

/** A few rounds of the event loop, timers of no time among them, as streams need when they end. */
async function settled(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
    await new Promise<void>((resolve) => setTimeout(resolve, 0))
  }
}
