/** Moments and spans for people, in the local time zone. */

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** How long something lasts or lasted, in at most six characters: `84ms`, `3.1s`, `48s`, `6m42s`, `3h05m`, `41d`. */
export function formatSpan(ms: number): string {
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))}ms`
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1)}s`
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)}s`
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}m${two(Math.floor((ms % MINUTE) / SECOND))}s`
  if (ms < DAY) return `${Math.floor(ms / HOUR)}h${two(Math.floor((ms % HOUR) / MINUTE))}m`
  return `${Math.floor(ms / DAY)}d`
}

/** The same in one unit, for narrow columns and for running text: `12s`, `6m`, `3h`, `41d`. */
export function formatAge(ms: number): string {
  if (ms < MINUTE) return `${Math.max(0, Math.floor(ms / SECOND))}s`
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}m`
  if (ms < DAY) return `${Math.floor(ms / HOUR)}h`
  return `${Math.floor(ms / DAY)}d`
}

/** `14:03:22` */
export function formatTime(at: number): string {
  const date = new Date(at)
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** `2026-08-12 09:14` */
export function formatDate(at: number): string {
  const date = new Date(at)
  return `${formatDay(date)} ${two(date.getHours())}:${two(date.getMinutes())}`
}

/** What is called after its moment, because nobody has named it: `2026-08-12 09:14:05`, and ` (2)` where that is taken. */
export function dateName(at: number, taken: readonly string[] = []): string {
  const name = `${formatDay(new Date(at))} ${formatTime(at)}`
  let free = name
  for (let count = 2; taken.includes(free); count++) free = `${name} (${count})`
  return free
}

/** The time for today, the date for anything older: what fits a column. */
export function formatMoment(at: number, now: number): string {
  return now - at < 20 * HOUR ? formatTime(at) : formatDate(at).slice(5)
}

function formatDay(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
