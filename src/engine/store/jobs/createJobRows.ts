import { claimJobs } from './claims.ts'
import type { JobDeps, JobRows } from './jobRows.ts'
import { appendCommand, appendEvent, finishCommand } from './journal.ts'
import { loadDetail, loadFacts, loadJobs, noJob } from './loading.ts'
import { createJobProgress } from './progress.ts'
import { createJobWrites } from './writes.ts'

/** All of `JobRows`, put together from its parts: creating and changing, progress, the journal, reading. */
export function createJobRows(deps: JobDeps): JobRows {
  const { database, memory, clock } = deps
  const progress = createJobProgress(deps)
  return {
    ...createJobWrites(deps, progress),
    claimJobs: () => claimJobs(deps),
    progress: progress.put,
    tell: progress.tell,
    flush: progress.flush,
    appendEvent: (id, event) => appendEvent(database, id, { ...event, at: clock.now() }),
    appendCommand: (id, command) => appendCommand(database, id, command),
    finishCommand: (id, seq, end) => finishCommand(database, id, seq, end),

    secrets: (id) =>
      database.read(async (sql) => {
        const rows = await sql.selectFrom('secrets').select(['key', 'value']).where('job', '=', id).execute()
        return Object.fromEntries(rows.map((row) => [row.key, row.value]))
      }),

    load: (id) =>
      database.read(async (sql) => {
        const [job] = await loadJobs(sql, [id])
        if (!job) throw noJob(id)
        return job
      }),

    detail: (id) =>
      database.read(async (sql) => {
        const detail = await loadDetail(sql, id)
        if (!detail) throw noJob(id)
        return detail
      }),

    factsOf: (operations) => database.read((sql) => loadFacts(sql, operations)),

    cancelRequested: (id) => memory.get('job', id)?.cancelRequested ?? false,
  }
}
