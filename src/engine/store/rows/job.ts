import { fromHeldJobRow, heldJobColumns } from '../jobs/decoding.ts'
import type { HeldJob, RowKind } from './kind.ts'

/** Jobs in memory: as many over ones as anybody scrolls through, and all that are not over. */
export const JOBS_HELD = 1_000

/** Jobs are made and changed by writes of their own (`writes.ts`). */
export const jobKind: RowKind<HeldJob> = {
  table: 'jobs',
  key: 'id',
  idOf: (held) => held.job.id,
  compare: (a, b) => b.job.number - a.job.number,

  async load(sql, since) {
    const newest = await sql
      .selectFrom('jobs')
      .select(heldJobColumns)
      .where('rev', '>', since)
      .orderBy('number', 'desc')
      .limit(JOBS_HELD)
      .execute()
    const unfinished = await sql
      .selectFrom('jobs')
      .select(heldJobColumns)
      .where('rev', '>', since)
      .where('state', 'in', ['queued', 'running', 'undoing', 'stuck'])
      .execute()
    return [...unfinished, ...newest].map((row) => ({ value: fromHeldJobRow(row), rev: row.rev }))
  },
}
