import { PengxError } from '../../../model/error.ts'
import { isOver } from '../../../model/job.ts'
import { compiled } from '../sqlite/compiled.ts'
import { chunks } from '../sqlite/counters.ts'
import type { Database, Sql } from '../sqlite/database.ts'
import type { LockRow } from '../sqlite/schema.ts'

/** A thing that a job needs for itself (`exclusive`) or needs to stay as it is (`shared`). */
export interface LockRequest {
  /** `vm:UUID`, `pm:UUID`, `storlink:ID`, `name:vm:NAME`, … */
  readonly key: string
  readonly mode: 'exclusive' | 'shared'
}

type LockAnswer =
  | { readonly granted: true }
  | {
      readonly granted: false
      /** 1: next, as soon as those that hold are done. */
      readonly position: number
      /** Jobs that hold, or wait before this one for, something that it needs; holders first. */
      readonly waitsFor: readonly string[]
    }

/** Locks of jobs, across all processes on this store. */
export interface LockRows {
  /**
   * All or nothing, in one transaction. What is not granted stays in the queue, in the order of job numbers: ask again
   * when a job has changed. A waiting exclusive lock is not overtaken by later shared ones. Asking again for what is
   * held is granted; a job that holds locks cannot ask for others (it could wait for one that waits for it).
   */
  acquire(jobId: string, locks: readonly LockRequest[]): Promise<LockAnswer>
  /** Gives back what it holds and leaves the queue. A job that becomes over is released by the store itself. */
  release(jobId: string): Promise<void>
}

/**
 * Nobody waits for ever: a job waits with empty hands, and only for holders and for jobs with a lower number, so what
 * waits for what has no circle.
 */
export function createLockRows(database: Database): LockRows {
  return {
    acquire: (jobId, requests) =>
      // Locks end with the machine: after a power cut their owners are dead and take them again with their jobs.
      database.write('relaxed', async ({ sql }) => {
        const number = await queueNumber(sql, jobId)
        const wanted = merge(requests)
        const mine = await locksOf(sql, { job: jobId })
        if (mine.some((lock) => lock.state === 'held')) return reaffirm(jobId, wanted, mine)
        const blockers = await findBlockers(sql, jobId, number, wanted)
        const state = blockers.length === 0 ? 'held' : 'waiting'
        await enqueue(
          sql,
          jobId,
          mine,
          wanted.map((lock) => ({ ...lock, job: jobId, number, state })),
        )
        return state === 'held' ? { granted: true } : waiting(blockers)
      }),

    release: (jobId) =>
      database.write('relaxed', async ({ sql }) => {
        await dropLocks(sql, { job: jobId })
      }),
  }
}

type OfJob = { readonly job: string }
/** Inside a transaction: gives back what a job holds and takes it out of the queues. */
export const dropLocks = compiled((sql, { job }: OfJob) => sql.deleteFrom('locks').where('job', '=', job))
const locksOf = compiled((sql, { job }: OfJob) => sql.selectFrom('locks').selectAll().where('job', '=', job))
const placeOf = compiled((sql, { id }: { readonly id: string }) =>
  sql.selectFrom('jobs').select(['number', 'state']).where('id', '=', id),
)

async function queueNumber(sql: Sql, jobId: string): Promise<number> {
  const [job] = await placeOf(sql, { id: jobId })
  if (!job) throw new PengxError('notFound', `no job ${jobId} is known`)
  if (isOver(job.state)) throw new PengxError('internal', `job ${job.number} is over and cannot take locks`)
  return job.number
}

/** One request a key: who needs a thing for itself needs it to stay as it is too. */
function merge(requests: readonly LockRequest[]): LockRequest[] {
  const modes = new Map<string, LockRequest['mode']>()
  for (const { key, mode } of requests) if (modes.get(key) !== 'exclusive') modes.set(key, mode)
  return [...modes].map(([key, mode]) => ({ key, mode }))
}

function reaffirm(jobId: string, wanted: readonly LockRequest[], mine: readonly LockRow[]): LockAnswer {
  for (const { key, mode } of wanted) {
    const held = mine.find((lock) => lock.key === key)
    if (!held || (mode === 'exclusive' && held.mode === 'shared'))
      throw new PengxError('internal', `job ${jobId} holds locks and cannot wait for ${key} too`)
  }
  return { granted: true }
}

async function findBlockers(
  sql: Sql,
  jobId: string,
  number: number,
  wanted: readonly LockRequest[],
): Promise<LockRow[]> {
  const modes = new Map(wanted.map((lock) => [lock.key, lock.mode]))
  const blockers: LockRow[] = []
  for (const keys of chunks([...modes.keys()])) {
    const others = await sql
      .selectFrom('locks')
      .selectAll()
      .where('key', 'in', keys)
      .where('job', '<>', jobId)
      .where((eb) => eb.or([eb('state', '=', 'held'), eb('number', '<', number)]))
      .execute()
    blockers.push(...others.filter((other) => other.mode === 'exclusive' || modes.get(other.key) === 'exclusive'))
  }
  return blockers
}

/** Mostly somebody asks again and nothing is new: then nothing is written. */
async function enqueue(sql: Sql, jobId: string, before: readonly LockRow[], now: readonly LockRow[]): Promise<void> {
  const nameOf = (lock: LockRow) => `${lock.state} ${lock.mode} ${lock.key}`
  const names = new Set(before.map(nameOf))
  if (before.length === now.length && now.every((lock) => names.has(nameOf(lock)))) return
  await dropLocks(sql, { job: jobId })
  for (const some of chunks(now)) await sql.insertInto('locks').values(some).execute()
}

function waiting(blockers: readonly LockRow[]): LockAnswer {
  const inOrder = [...blockers].sort((a, b) =>
    a.state !== b.state ? (a.state === 'held' ? -1 : 1) : a.number - b.number,
  )
  const ahead = new Set(blockers.filter((lock) => lock.state === 'waiting').map((lock) => lock.job))
  return { granted: false, position: ahead.size + 1, waitsFor: [...new Set(inOrder.map((lock) => lock.job))] }
}
