import { newUuid } from '../../../lib/ids.ts'
import { isOver, type JobState } from '../../../model/job.ts'
import type { Memory } from '../memory/memory.ts'
import { fromHeldJobRow, heldJobColumns } from '../rows/job.ts'
import type { HeldJob } from '../rows/kind.ts'
import { compiled } from '../sqlite/compiled.ts'
import { buryRows, chunks, countUp } from '../sqlite/counters.ts'
import type { Sql, WriteTransaction } from '../sqlite/database.ts'
import { toPatchRow } from './decoding.ts'
import type { JobDeps, JobRows } from './jobRows.ts'
import { noJob } from './loading.ts'
import { dropLocks } from './locks.ts'
import type { ProgressRows } from './progress.ts'

/** Over ones on disk; the oldest are forgotten when these are more. */
const JOBS_KEPT = 2_000
const PRUNED_EVERY = 50
const PRUNED_AT_ONCE = 10_000

/** Over or stuck: nobody's, no longer queued, and what was asked of its owner has been answered. */
const AT_REST = { owner: null, queuePosition: null, cancelRequested: 0 }

type JobWrites = Pick<JobRows, 'create' | 'discard' | 'recordPlan' | 'update' | 'takeRetry' | 'requestCancel' | 'prune'>

/** How jobs are made, changed and forgotten. Each write is one durable transaction; `notFound` for a job that is not there. */
export function createJobWrites(
  { database, memory, clock, controller, write }: JobDeps,
  progress: ProgressRows,
): JobWrites {
  /** With all that hangs on them: journals, locks, secrets. */
  async function forget(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await write('durable', async ({ sql, revision: rev, afterCommit }) => {
      for (const some of chunks(ids)) await sql.deleteFrom('jobs').where('id', 'in', some).execute()
      await buryRows(
        sql,
        ids.map((id) => ({ kind: 'job', id, at: clock.now(), rev })),
      )
      afterCommit(() => {
        for (const id of ids) memory.drop('job', id, rev)
      })
    })
  }

  async function prune(keep = JOBS_KEPT): Promise<void> {
    const old = await database.read((sql) =>
      sql
        .selectFrom('jobs')
        .select('id')
        .where('state', 'in', ['done', 'undone', 'cancelled', 'kept'])
        .orderBy('number', 'desc')
        .limit(PRUNED_AT_ONCE)
        .offset(keep)
        .execute(),
    )
    await forget(old.map((row) => row.id))
  }

  return {
    create: (job) =>
      write('durable', async ({ sql, revision: rev, afterCommit }) => {
        const id = newUuid()
        const number = await countUp(sql, 'job')
        await sql
          .insertInto('jobs')
          .values({
            id,
            number,
            operation: job.operation,
            subjectKind: job.subject.kind,
            subjectId: job.subject.id,
            subjectName: job.subject.name,
            state: 'queued',
            by: job.by,
            progress: 0,
            step: '',
            stepIndex: 0,
            stepCount: 0,
            createdAt: clock.now(),
            message: '',
            retries: 0,
            acknowledged: 0,
            cancelRequested: 0,
            owner: controller.id,
            paramsJson: JSON.stringify(job.params),
            locksJson: JSON.stringify(job.locks),
            rev,
          })
          .execute()
        await putSecrets(sql, id, job.secrets)
        const [held] = await showJob(sql, id, memory, afterCommit)
        if (number % PRUNED_EVERY === 0) afterCommit(() => void prune().catch(() => undefined))
        return held!.job
      }),

    discard: (id) => forget([id]),

    recordPlan: (id, { facts, steps, secrets }) =>
      write('durable', async ({ sql, revision: rev, afterCommit }) => {
        const pivot = steps.findIndex((step) => step.pivot)
        const { numUpdatedRows } = await sql
          .updateTable('jobs')
          .set({
            factsJson: JSON.stringify(facts),
            planJson: JSON.stringify(steps),
            stepCount: steps.length,
            pivotIndex: pivot < 0 ? null : pivot,
            rev,
          })
          .where('id', '=', id)
          .executeTakeFirst()
        if (numUpdatedRows === 0n) throw noJob(id)
        await putSecrets(sql, id, secrets)
        await showJob(sql, id, memory, afterCommit)
      }),

    update: (id, patch, onlyFrom) =>
      write('durable', async ({ sql, revision: rev, afterCommit }) => {
        const { state } = patch
        let query = sql
          .updateTable('jobs')
          .set({
            ...progress.take(id),
            ...toPatchRow(patch),
            ...(state === undefined ? {} : isAtWork(state) ? { owner: controller.id } : AT_REST),
            rev,
          })
          .where('id', '=', id)
        if (onlyFrom) query = query.where('state', 'in', onlyFrom)
        const { numUpdatedRows } = await query.executeTakeFirst()
        if (numUpdatedRows === 0n) {
          if (onlyFrom && (await sql.selectFrom('jobs').select('id').where('id', '=', id).executeTakeFirst()))
            return false
          throw noJob(id)
        }
        if (state !== undefined && isOver(state)) {
          await dropLocks(sql, { job: id })
          await dropSecrets(sql, { job: id })
        }
        await showJob(sql, id, memory, afterCommit)
        return true
      }),

    takeRetry(id, retries) {
      const seen = memory.revOf('job', id)
      return write('durable', async ({ sql, revision: rev, afterCommit }) => {
        const { numUpdatedRows } = await sql
          .updateTable('jobs')
          .set({ retries, rev })
          .where('id', '=', id)
          .where('state', '=', 'stuck')
          .where('rev', '=', seen)
          .executeTakeFirst()
        if (numUpdatedRows === 0n) return false
        await showJob(sql, id, memory, afterCommit)
        return true
      })
    },

    async requestCancel(id) {
      await write('durable', async ({ sql, revision: rev, afterCommit }) => {
        const { numUpdatedRows } = await sql
          .updateTable('jobs')
          .set({ cancelRequested: 1, rev })
          .where('id', '=', id)
          .executeTakeFirst()
        if (numUpdatedRows === 0n) throw noJob(id)
        await showJob(sql, id, memory, afterCommit)
      })
    },

    prune,
  }
}

function isAtWork(state: JobState): boolean {
  return !isOver(state) && state !== 'stuck'
}

const dropSecrets = compiled((sql, { job }: { readonly job: string }) =>
  sql.deleteFrom('secrets').where('job', '=', job),
)
const readHeld = compiled((sql, { id }: { readonly id: string }) =>
  sql.selectFrom('jobs').select(heldJobColumns).where('id', '=', id),
)

/** After a write to a job's row: the view gets it as it stands there, and so does the caller. */
export async function showJob(
  sql: Sql,
  id: string,
  memory: Memory,
  afterCommit: WriteTransaction['afterCommit'],
): Promise<readonly HeldJob[]> {
  const rows = await readHeld(sql, { id })
  const held = rows.map(fromHeldJobRow)
  afterCommit(() => {
    for (const [index, one] of held.entries()) memory.put('job', one, rows[index]!.rev)
  })
  return held
}

async function putSecrets(sql: Sql, job: string, secrets: Readonly<Record<string, string>> = {}): Promise<void> {
  for (const [key, value] of Object.entries(secrets)) {
    await sql
      .insertInto('secrets')
      .values({ job, key, value })
      .onConflict((conflict) => conflict.columns(['job', 'key']).doUpdateSet({ value }))
      .execute()
  }
}
