import type { Clock } from '../../src/lib/clock.ts'
import { turns } from '../../src/lib/turns.ts'
import { createSleepers } from './sleepers.ts'

/**
 * The time of day, but that nobody waits: as soon as all else is quiet it jumps to the next sleeper, so that what takes
 * minutes is over at once and in the right order. `notBefore`: milliseconds since 1970 that it has shown somewhere already.
 */
export function createSkippingClock(notBefore = 0): Clock {
  const sleepers = createSleepers()
  let skipped = Math.max(0, notBefore - Date.now())
  let skipping = false
  const now = () => Date.now() + skipped

  async function skip(): Promise<void> {
    skipping = true
    for (let next = sleepers.first(); next; next = sleepers.first()) {
      const waiting = sleepers.all()
      const rounds = next.at - now() > FAR_MS ? FAR_ROUNDS : 1
      for (let round = 0; round < rounds && sleepers.all() === waiting; round++) await settled()
      if (sleepers.all() !== waiting) continue
      skipped += Math.max(0, Math.ceil(next.at - now()))
      sleepers.wake(next)
    }
    skipping = false
  }

  return {
    now,
    sleep(ms, signal) {
      const slept = sleepers.sleepUntil(now() + Math.max(0, ms), signal)
      if (!skipping) void skip()
      return slept
    },
  }
}

/** Whoever sleeps longer than this bounds something, mostly; that gets many rounds of the event loop to end by itself. */
const FAR_MS = 5_000
const FAR_ROUNDS = 40

/** A few rounds of the event loop, timers of no time among them, as streams need when they end. */
async function settled(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    // Who waits for a turn is not quiet, however long the machine lets it wait.
    while (turns.isBusy) await new Promise<void>((resolve) => setTimeout(resolve, 0))
    for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
    await new Promise<void>((resolve) => setTimeout(resolve, 0))
  }
}
