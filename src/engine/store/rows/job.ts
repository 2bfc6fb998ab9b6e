import type { Code } from '../../../model/error.ts'
import type { By, Job } from '../../../model/job.ts'
import type { JobRow } from '../sqlite/schema.ts'
import type { HeldJob, RowKind } from './kind.ts'

/** Jobs in memory: as many over ones as anybody scrolls through, and all that are not over. */
export const JOBS_HELD = 1_000

/** Jobs are made and changed by writes of their own (`jobs/writes.ts`). */
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

/** What a job in memory is made of; its params, facts and plan stay on disk until somebody wants them. */
export const heldJobColumns = [
  'id',
  'number',
  'operation',
  'subjectKind',
  'subjectId',
  'subjectName',
  'state',
  'by',
  'progress',
  'step',
  'stepIndex',
  'stepCount',
  'pivotIndex',
  'createdAt',
  'startedAt',
  'finishedAt',
  'code',
  'message',
  'queuePosition',
  'away',
  'retries',
  'acknowledged',
  'cancelRequested',
  'owner',
  'rev',
] as const

export type HeldJobRow = Pick<JobRow, (typeof heldJobColumns)[number]>

/** What of a row is held in memory. */
export function fromHeldJobRow(row: HeldJobRow): HeldJob {
  const job: Job = {
    id: row.id,
    number: row.number,
    operation: row.operation,
    subject: { kind: row.subjectKind, id: row.subjectId, name: row.subjectName },
    state: row.state,
    by: row.by as By,
    progress: row.progress,
    step: row.step,
    stepIndex: row.stepIndex,
    stepCount: row.stepCount,
    pivotIndex: row.pivotIndex ?? undefined,
    createdAt: row.createdAt,
    startedAt: row.startedAt ?? undefined,
    finishedAt: row.finishedAt ?? undefined,
    code: (row.code as Code | null) ?? undefined,
    message: row.message,
    queuePosition: row.queuePosition ?? undefined,
    away: row.away ?? undefined,
    retries: row.retries,
    acknowledged: row.acknowledged === 1,
  }
  return { job, owner: row.owner ?? undefined, cancelRequested: row.cancelRequested === 1 }
}
