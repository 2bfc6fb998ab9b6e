import { type Backup, isGood, type Retention } from '../backup.ts'

/**
 * Which backups of one VM on one storlink may go. Only good ones count: a damaged one never takes the place of a good
 * one, whatever its age. Kept are the newest `keepLast`; of each of the newest `keepHourly` hours that have one, the
 * newest; of days, weeks (Monday to Sunday) and months of the calendar likewise; always the newest good one; and all that
 * a kept one lies on. What is not good and nothing lies on goes as soon as a good one is newer.
 */
export function pruned(backups: readonly Backup[], retention: Retention, dayOf: DayOf = localDay): readonly Backup[] {
  const newestFirst = [...backups].sort((a, b) => b.createdAt - a.createdAt || (a.uuid < b.uuid ? 1 : -1))
  const good = newestFirst.filter((backup) => isGood(backup, backups))
  const [newest] = good
  if (!newest) return []
  const kept = new Set<string>([newest.uuid])
  for (const backup of good.slice(0, retention.keepLast)) kept.add(backup.uuid)
  keepNewestOf(good, retention.keepHourly, (backup) => hourOf(backup.createdAt), kept)
  keepNewestOf(good, retention.keepDaily, (backup) => dayOf(backup.createdAt), kept)
  keepNewestOf(good, retention.keepWeekly, (backup) => weekOf(dayOf(backup.createdAt)), kept)
  keepNewestOf(good, retention.keepMonthly, (backup) => monthOf(dayOf(backup.createdAt)), kept)
  // What is not good may be made good again (its storlink was away) for as long as nothing newer stands in for it.
  for (const backup of newestFirst)
    if (!good.includes(backup) && backup.createdAt >= newest.createdAt) kept.add(backup.uuid)
  const byUuid = new Map(backups.map((backup) => [backup.uuid, backup]))
  for (const uuid of [...kept]) {
    for (
      let below = byUuid.get(uuid)?.parent;
      below !== undefined && !kept.has(below);
      below = byUuid.get(below)?.parent
    )
      kept.add(below)
  }
  // What lies on others goes before them.
  return newestFirst.filter((backup) => !kept.has(backup.uuid)).sort((a, b) => b.depth - a.depth)
}

/** The number of a day in some calendar: days that follow each other have numbers that do. */
export type DayOf = (at: number) => number

const DAY_MS = 86_400_000

/** Of this machine's time zone. */
const localDay: DayOf = (at) => {
  const time = new Date(at)
  return Math.floor(Date.UTC(time.getFullYear(), time.getMonth(), time.getDate()) / DAY_MS)
}

/** When the hour of this machine's clock began: the one that comes twice when the clock is put back is two. */
function hourOf(at: number): number {
  const time = new Date(at)
  return at - ((time.getMinutes() * 60 + time.getSeconds()) * 1000 + time.getMilliseconds())
}

/** The first of January 1970 was a Thursday; weeks begin on Monday. */
function weekOf(day: number): number {
  return Math.floor((day + 3) / 7)
}

/** The number of the month that a day is in. */
function monthOf(day: number): number {
  const date = new Date(day * DAY_MS)
  return date.getUTCFullYear() * 12 + date.getUTCMonth()
}

/** Of each of so many periods that have one, newest first, the newest. */
function keepNewestOf(
  good: readonly Backup[],
  count: number,
  periodOf: (backup: Backup) => number,
  kept: Set<string>,
): void {
  const seen = new Set<number>()
  for (const backup of good) {
    const period = periodOf(backup)
    if (seen.has(period)) continue
    if (seen.size >= count) return
    seen.add(period)
    kept.add(backup.uuid)
  }
}
