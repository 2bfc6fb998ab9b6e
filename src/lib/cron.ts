import { Cron } from 'croner'

/** Times of cron(5): minute, hour, day of the month, month, day of the week, in this machine's time zone. */

/** Why that is no such time, or undefined. */
export function refuseCron(pattern: string): string | undefined {
  if (pattern.trim().split(/\s+/).length !== 5)
    return `"${pattern}" is not a time like "30 2 * * *": five fields, minute to day of the week`
  try {
    const next = new Cron(pattern, { paused: true }).nextRun()
    return next === null ? `"${pattern}" never comes` : undefined
  } catch (error) {
    return `"${pattern}" is not a time: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** The first time after that moment; undefined where none comes. */
export function nextCron(pattern: string, at: number): number | undefined {
  let next = new Cron(pattern, { paused: true }).nextRun(new Date(at))?.getTime()
  // Croner gives each month 31 days: from February on it passes by the first of March for a "30th" that is in March too.
  for (let before = next; next !== undefined; next = before) {
    before = lastCron(pattern, next - 1000)
    if (before === undefined || before <= at) break
  }
  return next
}

/** The last time not after that moment; undefined where there was none. */
export function lastCron(pattern: string, at: number): number | undefined {
  // What is asked for are times before a moment, and this very one counts.
  return new Cron(pattern, { paused: true }).previousRuns(1, new Date(at + 1000))[0]?.getTime()
}

/** How many times there are after one moment and not after another, as far as `most`. */
export function countCron(pattern: string, after: number, until: number, most: number): number {
  const times = new Cron(pattern, { paused: true }).previousRuns(most, new Date(until + 1000))
  return times.filter((time) => time.getTime() > after).length
}
