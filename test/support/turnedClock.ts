import type { Clock } from '../../src/lib/clock.ts'
import { turns } from '../../src/lib/turns.ts'
import { createSleepers } from './sleepers.ts'

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

export function createTurnedClock(options: TurnedClockOptions = {}): TurnedClock {
  let now = options.start ?? Date.UTC(2026, 10, 23, 12)
  const sleepers = createSleepers()
  let turning = false

  const wakeNext = (until: number): boolean => {
    const next = sleepers.first()
    if (next === undefined || next.at > until) return false
    now = Math.max(now, next.at)
    sleepers.wake(next)
    return true
  }
  const turnByItself = async () => {
    if (turning) return
    turning = true
    while (sleepers.first()) {
      await quiet()
      wakeNext(Number.POSITIVE_INFINITY)
    }
    turning = false
  }

  return {
    now: () => now,
    get sleepers() {
      return sleepers.all().length
    },
    sleep(ms, signal) {
      const slept = sleepers.sleepUntil(now + Math.max(0, ms), signal)
      if (options.auto) void turnByItself()
      return slept
    },
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
  for (let round = 0; round < 3; round++) {
    await new Promise<void>((resolve) => setImmediate(resolve))
    // Who waits for a turn is not quiet, however long the machine lets it wait.
    for (; turns.isBusy; round = 0) await new Promise<void>((resolve) => setTimeout(resolve, 0))
  }
}
