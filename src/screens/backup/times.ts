import { lastCron, nextCron } from '../../lib/cron.ts'
import { getOrMake } from '../../lib/getOrMake.ts'
import type { Schedule } from '../../model/backup.ts'
import { lastRun as lastOf } from '../../model/schedule/times.ts'

/**
 * Times of schedules, which are asked for at every frame: each is worked out again when it has gone by, and not before. A
 * site has many schedules and few times of day, so they are remembered by those.
 */

interface Times {
  readonly at: number
  readonly last: number | undefined
  readonly next: number | undefined
}

const byPattern = new Map<string, Times>()
const runs = new Map<string, { readonly at: number | undefined }>()
/** So many are remembered. */
const MOST = 5_000

function timesOf(pattern: string, now: number): Times {
  const known = byPattern.get(pattern)
  if (known !== undefined && now >= known.at && (known.next === undefined || now < known.next)) return known
  const times = { at: now, last: lastCron(pattern, now), next: nextCron(pattern, now) }
  if (byPattern.size >= MOST) byPattern.clear()
  byPattern.set(pattern, times)
  return times
}

/** When it makes the next one; undefined while it is switched off. */
export function nextOf({ cron, enabled }: Schedule, now: number): number | undefined {
  return enabled ? timesOf(cron, now).next : undefined
}

/** Its newest time by now, taken on or not. */
export function newestDue({ cron }: Schedule, now: number): number | undefined {
  return timesOf(cron, now).last
}

/** The newest of its times that somebody took on. */
export function lastRun(schedule: Schedule): number | undefined {
  if (runs.size >= MOST) runs.clear()
  return getOrMake(runs, `${schedule.takenAt} ${schedule.cron}`, () => ({ at: lastOf(schedule) })).at
}
