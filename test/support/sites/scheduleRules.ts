import fc from 'fast-check'
import type { Backup, Retention } from '../../../src/model/backup.ts'

/** The rules of schedules as a person would say them, written down plainly and without the engine's own code. */

/** Minutes and hours of the day; days of the month and of the week (0: Sunday), either of which may be the day. */
export interface Times {
  readonly minutes: readonly number[]
  readonly hours: readonly number[]
  readonly monthDays?: readonly number[]
  readonly weekDays?: readonly number[]
}

const some = (most: number, max: number, min = 0) =>
  fc.uniqueArray(fc.integer({ min, max }), { minLength: 1, maxLength: most })

export const anyTimes: fc.Arbitrary<Times> = fc.record(
  {
    minutes: some(2, 59),
    hours: fc.oneof(some(4, 23), fc.constantFrom([0, 6, 12, 18], [23], [0])),
    monthDays: fc.oneof(some(6, 31, 1), some(3, 31, 28), fc.constant([1])),
    weekDays: some(4, 6),
  },
  { requiredKeys: ['minutes', 'hours'] },
)

export function cronText({ minutes, hours, monthDays, weekDays }: Times): string {
  return [minutes, hours, monthDays, undefined, weekDays].map((field) => field?.join(',') ?? '*').join(' ')
}

/** Every minute of the span, looked at: cron(5), where one of two days that are named is enough. */
export function dueTimes({ minutes, hours, monthDays, weekDays }: Times, from: number, to: number): readonly number[] {
  const found: number[] = []
  for (let at = from; at <= to; at += 60_000) {
    const time = new Date(at)
    if (!minutes.includes(time.getMinutes()) || !hours.includes(time.getHours())) continue
    const days = [monthDays?.includes(time.getDate()), weekDays?.includes(time.getDay())]
    if (days.every((day) => day === undefined) || days.includes(true)) found.push(at)
  }
  return found
}

/** A date as one would write it, with the hour and without the day, and that of the Monday before it. */
const dayOf = (at: number) => new Date(at).toDateString()
const hourOf = (at: number) => `${dayOf(at)} ${new Date(at).getHours()} ${new Date(at).getTimezoneOffset()}`
const monthOf = (at: number) => dayOf(at).replace(/^\w+ (\w+) \d+/, '$1')
function mondayOf(at: number): string {
  const day = new Date(at)
  while (day.getDay() !== 1) day.setDate(day.getDate() - 1)
  return day.toDateString()
}

/**
 * What stays of backups: of the good ones the newest, so many of the newest, and the last of so many hours, days, weeks and months; what
 * is not good for as long as no good one is newer; and whatever one that stays lies on.
 */
export function keptOf(backups: readonly Backup[], keeps: Retention): Backup[] {
  const below = (one: Backup) => backups.find(({ uuid }) => uuid === one.parent)
  const isSound = (one: Backup): boolean => one.state === 'verified' && (!one.parent || isSound(below(one)!))
  const sound = backups.filter(isSound).sort((a, b) => b.createdAt - a.createdAt)
  if (sound.length === 0) return [...backups]
  const lastOf = (name: (at: number) => string, count: number) => {
    const names = [...new Set(sound.map(({ createdAt }) => name(createdAt)))].slice(0, count)
    return names.map((wanted) => sound.find(({ createdAt }) => name(createdAt) === wanted)!)
  }
  const fresh = backups.filter((one) => !isSound(one) && one.createdAt >= sound[0]!.createdAt)
  const own = [
    ...[sound[0]!, ...sound.slice(0, keeps.keepLast), ...lastOf(hourOf, keeps.keepHourly)],
    ...[
      ...lastOf(dayOf, keeps.keepDaily),
      ...lastOf(mondayOf, keeps.keepWeekly),
      ...lastOf(monthOf, keeps.keepMonthly),
    ],
  ]
  const stays = new Set<Backup>()
  for (let one of [...own, ...fresh])
    for (;;) {
      stays.add(one)
      const next = below(one)
      if (!next) break
      one = next
    }
  return backups.filter((one) => stays.has(one))
}
