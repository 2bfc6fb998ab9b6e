import { z } from 'zod'
import { field } from '../../jobs/params.ts'

const count = (standard: number, title: string, help: string) =>
  field(z.number().int().min(0).max(10_000).default(standard), { title, help })

/** What is kept of a VM's backups on a storlink, as it is asked for: by hand, and by a schedule. */
export const retentionFields = {
  keepLast: count(7, 'Keep newest', 'so many of the newest good ones stay'),
  keepDaily: count(7, 'Keep daily', 'the newest good one of each of so many days stays'),
  keepWeekly: count(4, 'Keep weekly', 'the newest good one of each of so many weeks stays'),
}
