import { turns } from '../../../lib/turns.ts'
import { PengxError } from '../../../model/error.ts'
import type { StepEvent } from '../../../model/job.ts'
import type { Json } from '../../../model/json.ts'
import { fromHeldJobRow } from '../rows/job.ts'
import { chunks } from '../sqlite/counters.ts'
import type { Sql } from '../sqlite/database.ts'
import type { JobDetail } from '../view.ts'
import { listControllers } from './controllers.ts'
import { fromCommandRow, fromEventRow } from './decoding.ts'
import type { JobFacts, PlannedStep, StoredJob } from './jobRows.ts'
import type { LockRequest } from './locks.ts'

/** Whole jobs, oldest first; those that are not there are passed over. */
export async function loadJobs(sql: Sql, ids: readonly string[]): Promise<StoredJob[]> {
  if (ids.length === 0) return []
  const controllers = await listControllers(sql)
  const jobs: StoredJob[] = []
  for (const some of chunks(ids)) {
    const rows = await sql.selectFrom('jobs').selectAll().where('id', 'in', some).execute()
    const events = new Map<string, StepEvent[]>(some.map((id) => [id, []]))
    const eventRows = await sql.selectFrom('jobEvents').selectAll().where('job', 'in', some).orderBy('seq').execute()
    for (const row of eventRows) events.get(row.job)!.push(fromEventRow(row))
    for (const row of rows) {
      const held = fromHeldJobRow(row)
      jobs.push({
        job: held.job,
        owner: held.owner === undefined ? undefined : controllers.get(held.owner),
        params: JSON.parse(row.paramsJson) as Json,
        locks: JSON.parse(row.locksJson) as LockRequest[],
        facts: row.factsJson === null ? undefined : (JSON.parse(row.factsJson) as Json),
        plan: row.planJson === null ? undefined : (JSON.parse(row.planJson) as PlannedStep[]),
        result: row.resultJson === null ? undefined : (JSON.parse(row.resultJson) as Json),
        events: events.get(row.id)!,
        cancelRequested: held.cancelRequested,
      })
    }
  }
  return jobs.sort((a, b) => a.job.number - b.job.number)
}

/** What the screens show of one job; undefined where it is forgotten. */
export async function loadDetail(sql: Sql, id: string): Promise<JobDetail | undefined> {
  const row = await sql.selectFrom('jobs').select(['planJson', 'locksJson']).where('id', '=', id).executeTakeFirst()
  if (!row) return undefined
  const events = await sql.selectFrom('jobEvents').selectAll().where('job', '=', id).orderBy('seq').execute()
  const commands = await sql.selectFrom('jobCommands').selectAll().where('job', '=', id).orderBy('seq').execute()
  return {
    steps: row.planJson === null ? [] : (JSON.parse(row.planJson) as PlannedStep[]),
    events: events.map(fromEventRow),
    commands: commands.map(fromCommandRow),
    locks: (JSON.parse(row.locksJson) as LockRequest[]).map((lock) => `${lock.key} ${lock.mode}`),
  }
}

const OVER = ['done', 'undone', 'cancelled', 'kept'] as const

/** What jobs of those operations, and all that are not over, have gathered, oldest first. */
export async function loadFacts(sql: Sql, operations: readonly string[]): Promise<JobFacts[]> {
  const rows = await sql
    .selectFrom('jobs')
    .select(['id', 'number', 'operation', 'state', 'factsJson'])
    .where(({ or, eb }) => or([eb('operation', 'in', operations), eb('state', 'not in', OVER)]))
    .where('factsJson', 'is not', null)
    .orderBy('number')
    .execute()
  const all: JobFacts[] = []
  for (const { factsJson, ...job } of rows) {
    await turns.take()
    all.push({ job, facts: JSON.parse(factsJson!) as Json })
  }
  return all
}

/** `notFound`, for a job that is forgotten or never was. */
export function noJob(id: string): PengxError {
  return new PengxError('notFound', `no job ${id} is known`)
}
