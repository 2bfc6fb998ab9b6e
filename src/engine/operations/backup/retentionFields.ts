import { z } from 'zod'
import type { Retention } from '../../../model/backup.ts'
import { field } from '../../jobs/params.ts'

const kept = z.number().int().min(0).max(10_000)
const count = (standard: number, title: string, help: string) => field(kept.default(standard), { title, help })
const change = (title: string) => field(kept.optional(), { title })

/** What is kept of a VM's backups on a storlink, as it is asked for: by hand, and by a schedule. */
export const retentionFields = {
  keepLast: count(7, 'Keep newest', 'so many of the newest good ones stay'),
  keepHourly: count(0, 'Keep hourly', 'the newest good one of each of so many hours stays'),
  keepDaily: count(7, 'Keep daily', 'the newest good one of each of so many days stays'),
  keepWeekly: count(4, 'Keep weekly', 'the newest good one of each of so many weeks stays'),
  keepMonthly: count(0, 'Keep monthly', 'the newest good one of each of so many months stays'),
}

/** The same for an edit: what is not given stays as it was. */
export const retentionChanges = {
  keepLast: change('Keep newest'),
  keepHourly: change('Keep hourly'),
  keepDaily: change('Keep daily'),
  keepWeekly: change('Keep weekly'),
  keepMonthly: change('Keep monthly'),
}

/** What is given to be kept, and of `before` what is not given. */
export function retentionOf(given: Partial<Retention>, before?: Retention): Retention {
  const of = (name: keyof Retention) => given[name] ?? before?.[name] ?? 0
  return {
    keepLast: of('keepLast'),
    keepHourly: of('keepHourly'),
    keepDaily: of('keepDaily'),
    keepWeekly: of('keepWeekly'),
    keepMonthly: of('keepMonthly'),
  }
}
