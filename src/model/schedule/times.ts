import { lastCron, nextCron } from '../../lib/cron.ts'
import type { Schedule } from '../backup.ts'

/** When a schedule is due, as follows from its times and from the newest that somebody took on. */

type Times = Pick<Schedule, 'cron' | 'enabled' | 'createdAt' | 'takenAt'>

/** The time that it is due for by now and that nobody has taken on, the newest of several. */
export function dueAt(schedule: Times, now: number): number | undefined {
  if (!schedule.enabled) return undefined
  const last = lastCron(schedule.cron, now)
  return last !== undefined && last > takenSince(schedule) ? last : undefined
}

/** What was due up to that moment is settled: taken on, or before it was made or changed. */
export function takenSince({ takenAt, createdAt }: Times): number {
  return takenAt ?? createdAt
}

/** When it comes next; undefined where it is switched off, or never comes. */
export function nextRun({ cron, enabled }: Times, now: number): number | undefined {
  return enabled ? nextCron(cron, now) : undefined
}

/** The newest time that was taken on; an edit notes the moment of its own there, which is no time of cron's. */
export function lastRun({ cron, takenAt }: Times): number | undefined {
  return takenAt !== undefined && lastCron(cron, takenAt) === takenAt ? takenAt : undefined
}

/** A pengx that runs looks at least every minute: what was due longer ago, none has seen, or it still waits for something. */
const LATE_MS = 120_000

/**
 * `overdue`: a time went by and nobody has taken it on: no server or terminal interface runs, or the last time,
 * or another backup onto its storlink, is still at work.
 */
export type ScheduleState = 'on' | 'off' | 'overdue'

export function scheduleState(schedule: Times, now: number): ScheduleState {
  if (!schedule.enabled) return 'off'
  const first = nextCron(schedule.cron, takenSince(schedule))
  return first !== undefined && now - first > LATE_MS ? 'overdue' : 'on'
}
