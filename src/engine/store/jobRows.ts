import type { Clock } from '../../lib/clock.ts'
import { newUuid } from '../../lib/ids.ts'
import { PengxError } from '../../model/error.ts'
import {
  type By,
  type CommandRecord,
  isOver,
  type Job,
  type JobState,
  type StepEvent,
  type Subject,
} from '../../model/job.ts'
import type { Json } from '../../model/json.ts'
import { type Controller, listControllers } from './controllers.ts'
import { buryRows, chunks, countUp, nextRevision } from './counters.ts'
import type { Database, Sql, Writing } from './database.ts'
import { fromHeldJobRow, heldJobColumns, toPatchRow } from './jobDecoding.ts'
import { loadDetail, loadJobs } from './jobLoading.ts'
import { createJobProgress } from './jobProgress.ts'
import { appendCommand, appendEvent, finishCommand } from './journal.ts'
import type { Memory } from './liveView.ts'
import type { LockRequest } from './lockRows.ts'
import type { JobDetail } from './view.ts'

export interface NewJob {
  readonly operation: string
  readonly subject: Subject
  readonly by: By
  /** Without secrets: those stand in `secrets`. */
  readonly params: Json
  readonly locks: readonly LockRequest[]
  /** Kept apart until the job is over, then dropped with it. */
  readonly secrets?: Readonly<Record<string, string>>
}

export type PlannedStep = JobDetail['steps'][number]

/** What can change in a job; a key that is there with `undefined` is cleared. */
export type JobPatch = Partial<
  Pick<
    Job,
    | 'state'
    | 'progress'
    | 'step'
    | 'stepIndex'
    | 'stepCount'
    | 'pivotIndex'
    | 'startedAt'
    | 'finishedAt'
    | 'code'
    | 'message'
    | 'queuePosition'
    | 'acknowledged'
  >
> & { readonly result?: Json | undefined }

export type JobProgress = Partial<Pick<Job, 'progress' | 'step' | 'stepIndex' | 'queuePosition'>>

/** A job with all that is needed to finish or unwind it after a crash. */
export interface StoredJob {
  readonly job: Job
  readonly owner?: Controller
  readonly params: Json
  readonly locks: readonly LockRequest[]
  /** Absent until gathered. */
  readonly facts?: Json
  /** The plan as it was journalled; absent until then. */
  readonly plan?: readonly PlannedStep[]
  readonly result?: Json
  readonly events: readonly StepEvent[]
  readonly cancelRequested: boolean
}

/** Jobs and their journals. What these promises resolve on is on disk, commands and progress apart. */
export interface JobRows {
  /** Queued, owned by this controller, with the next number of the site. */
  create(job: NewJob): Promise<Job>
  /** Forgets a job that was refused before it began, with its locks: a refusal makes no job. */
  discard(id: string): Promise<void>
  /** Journals what gather found and the plan that follows from it; sets stepCount and pivotIndex. */
  recordPlan(
    id: string,
    plan: {
      readonly facts: Json
      readonly steps: readonly PlannedStep[]
      readonly secrets?: Readonly<Record<string, string>>
    },
  ): Promise<void>
  /**
   * Writes at once. With `onlyFrom` it happens only while the job is in one of those states, and the answer says whether
   * it did: of two processes that try at once, one wins; a change of state so made also makes this controller its owner.
   * A state that is over drops the job's locks and secrets in the same transaction.
   */
  update(id: string, patch: JobPatch, onlyFrom?: readonly JobState[]): Promise<boolean>
  /** The view has it at once, the disk within half a second. */
  progress(id: string, progress: JobProgress): void
  /** On disk when it resolves: before the thing happens that it announces. */
  appendEvent(id: string, event: Omit<StepEvent, 'seq' | 'at'>): Promise<StepEvent>
  /** Resolves with its seq, under which `finishCommand` completes it. */
  appendCommand(id: string, command: Omit<CommandRecord, 'seq'>): Promise<number>
  finishCommand(
    id: string,
    seq: number,
    end: { readonly tookMs: number; readonly exit?: number; readonly output: string },
  ): Promise<void>
  secrets(id: string): Promise<Readonly<Record<string, string>>>
  /** Fails with `notFound`. */
  load(id: string): Promise<StoredJob>
  detail(id: string): Promise<JobDetail>
  /** Queued, running, undoing and stuck ones, whoever owns them, oldest first. */
  unfinished(): Promise<readonly StoredJob[]>
  /** Takes over what dead controllers have left queued, running or undoing; of several that try, one gets a job. */
  claimJobs(): Promise<readonly StoredJob[]>
  /** Asks the owner, whichever process that is, to cancel it. */
  requestCancel(id: string): Promise<void>
  cancelRequested(id: string): boolean
  /** Whether this controller is the owner. */
  isOwn(id: string): boolean
  /** Forgets finished jobs but the newest `keep`; done by itself from time to time. */
  prune(keep?: number): Promise<void>
  /** Writes progress that is not on disk yet. */
  flush(): Promise<void>
}

/** Over ones on disk; the oldest are forgotten when these are more. */
const JOBS_KEPT = 2_000
const PRUNED_EVERY = 50
const PRUNED_AT_ONCE = 10_000
const AT_WORK: readonly JobState[] = ['queued', 'running', 'undoing']

export interface JobParts {
  readonly database: Database
  readonly memory: Memory
  readonly clock: Clock
  readonly controller: Controller
  isDead(owner: Controller): boolean
  ownRevision(revision: number): void
}

export function createJobRows(parts: JobParts): JobRows {
  const { database, memory, clock, controller } = parts
  const progress = createJobProgress(parts)

  function write<T>(work: (sql: Sql, rev: number, apply: Writing['afterCommit']) => Promise<T>): Promise<T> {
    return database.write('durable', async ({ sql, afterCommit }) => {
      const rev = await nextRevision(sql)
      afterCommit(() => parts.ownRevision(rev))
      return work(sql, rev, afterCommit)
    })
  }

  /** After a write to a job's row: the view gets it as it stands there. */
  async function show(sql: Sql, ids: readonly string[], afterCommit: Writing['afterCommit']): Promise<void> {
    for (const some of chunks(ids)) {
      const rows = await sql.selectFrom('jobs').select(heldJobColumns).where('id', 'in', some).execute()
      afterCommit(() => {
        for (const row of rows) memory.putJob(fromHeldJobRow(row), row.rev)
      })
    }
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

  /** With all that hangs on them: journals, locks, secrets. */
  async function forget(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await write(async (sql, rev, afterCommit) => {
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
      write(async (sql, rev, afterCommit) => {
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
            acknowledged: 0,
            cancelRequested: 0,
            owner: controller.id,
            paramsJson: JSON.stringify(job.params),
            locksJson: JSON.stringify(job.locks),
            rev,
          })
          .execute()
        await putSecrets(sql, id, job.secrets)
        await show(sql, [id], afterCommit)
        const row = await sql.selectFrom('jobs').select(heldJobColumns).where('id', '=', id).executeTakeFirstOrThrow()
        if (number % PRUNED_EVERY === 0) afterCommit(() => void prune().catch(() => undefined))
        return fromHeldJobRow(row).job
      }),

    discard: (id) => forget([id]),

    recordPlan: (id, { facts, steps, secrets }) =>
      write(async (sql, rev, afterCommit) => {
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
        await show(sql, [id], afterCommit)
      }),

    async update(id, patch, onlyFrom) {
      return write(async (sql, rev, afterCommit) => {
        let query = sql
          .updateTable('jobs')
          .set({ ...progress.take(id), ...toPatchRow(patch), rev })
          .where('id', '=', id)
        if (onlyFrom) query = query.where('state', 'in', onlyFrom)
        if (onlyFrom && patch.state !== undefined) query = query.set({ owner: controller.id, cancelRequested: 0 })
        const { numUpdatedRows } = await query.executeTakeFirst()
        if (numUpdatedRows === 0n) {
          if (onlyFrom && (await sql.selectFrom('jobs').select('id').where('id', '=', id).executeTakeFirst()))
            return false
          throw noJob(id)
        }
        if (patch.state !== undefined && isOver(patch.state)) {
          await sql.deleteFrom('locks').where('job', '=', id).execute()
          await sql.deleteFrom('secrets').where('job', '=', id).execute()
          await sql.updateTable('jobs').set({ owner: null, queuePosition: null }).where('id', '=', id).execute()
        }
        await show(sql, [id], afterCommit)
        return true
      })
    },

    progress: progress.put,
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

    unfinished: () =>
      database.read(async (sql) => {
        const rows = await sql
          .selectFrom('jobs')
          .select('id')
          .where('state', 'in', [...AT_WORK, 'stuck'])
          .execute()
        return loadJobs(
          sql,
          rows.map((row) => row.id),
        )
      }),

    async claimJobs() {
      if ((await database.read(findLeft)).length === 0) return []
      return write(async (sql, rev, afterCommit) => {
        // What was read before may have been taken by another since.
        const ids = await findLeft(sql)
        for (const some of chunks(ids)) {
          await sql.updateTable('jobs').set({ owner: controller.id, rev }).where('id', 'in', some).execute()
        }
        await forgetDead(sql)
        await show(sql, ids, afterCommit)
        return loadJobs(sql, ids)
      })
    },

    async requestCancel(id) {
      await write(async (sql, rev, afterCommit) => {
        const { numUpdatedRows } = await sql
          .updateTable('jobs')
          .set({ cancelRequested: 1, rev })
          .where('id', '=', id)
          .executeTakeFirst()
        if (numUpdatedRows === 0n) throw noJob(id)
        await show(sql, [id], afterCommit)
      })
    },

    cancelRequested: (id) => memory.heldJob(id)?.cancelRequested ?? false,
    isOwn: (id) => memory.heldJob(id)?.owner === controller.id,
    prune,
  }

  /** At work, and nobody alive works on it. */
  async function findLeft(sql: Sql): Promise<string[]> {
    const controllers = await listControllers(sql)
    const rows = await sql
      .selectFrom('jobs')
      .select(['id', 'owner'])
      .where('state', 'in', AT_WORK)
      .orderBy('number')
      .execute()
    const dead = new Map([...controllers.values()].map((owner) => [owner.id, parts.isDead(owner)]))
    return rows
      .filter(({ owner }) => owner === null || (owner !== controller.id && (dead.get(owner) ?? true)))
      .map((row) => row.id)
  }

  async function forgetDead(sql: Sql): Promise<void> {
    for (const owner of (await listControllers(sql)).values()) {
      if (owner.id !== controller.id && parts.isDead(owner))
        await sql.deleteFrom('controllers').where('id', '=', owner.id).execute()
    }
  }
}

function noJob(id: string): PengxError {
  return new PengxError('notFound', `no job ${id} is known`)
}
