import type { Clock } from '../../src/lib/clock.ts'

/** A clock that a test turns: nothing passes unless it is told to. */
export interface TurnedClock extends Clock {
  /** Turns it on, waking each sleeper at its own time and letting what that starts run before the next. */
  advance(ms: number): Promise<void>
  /** How many sleep now. */
  readonly sleepers: number
}

export interface TurnedClockOptions {
  /** Milliseconds since 1970; 2026-11-23 12:00 UTC where nothing is said. */
  readonly start?: number
  /** Turns itself to the next sleeper as soon as all else is quiet: hours pass in no time, in the right order. */
  readonly auto?: boolean
}

interface Sleeper {
  readonly at: number
  wake(): void
}

export function createTurnedClock(options: TurnedClockOptions = {}): TurnedClock {
  let now = options.start ?? Date.UTC(2026, 10, 23, 12)
  let sleeping: Sleeper[] = []
  let turning = false

  const wakeNext = (until: number): boolean => {
    let next: Sleeper | undefined
    for (const sleeper of sleeping) if (next === undefined || sleeper.at < next.at) next = sleeper
    if (next === undefined || next.at > until) return false
    sleeping = sleeping.filter((sleeper) => sleeper !== next)
    now = Math.max(now, next.at)
    next.wake()
    return true
  }
  const turnByItself = async () => {
    if (turning) return
    turning = true
    while (sleeping.length > 0) {
      await quiet()
      wakeNext(Number.POSITIVE_INFINITY)
    }
    turning = false
  }

  return {
    now: () => now,
    get sleepers() {
      return sleeping.length
    },
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const sleeper: Sleeper = {
          at: now + Math.max(0, ms),
          wake: () => {
            signal?.removeEventListener('abort', stop)
            resolve()
          },
        }
        const stop = () => {
          sleeping = sleeping.filter((one) => one !== sleeper)
          reject(signal?.reason)
        }
        signal?.addEventListener('abort', stop, { once: true })
        sleeping.push(sleeper)
        if (options.auto) void turnByItself()
      }),
    async advance(ms) {
      const until = now + ms
      await quiet()
      while (wakeNext(until)) await quiet()
      now = Math.max(now, until)
      await quiet()
    },
  }
}

/** A few rounds of the event loop: promises that can settle have settled. */
async function quiet(): Promise<void> {
  for (let round = 0; round < 3; round++) await new Promise<void>((resolve) => setImmediate(resolve))
}
