import { PengxError, toPengxError } from '../../model/error.ts'
import { type By, isOver, type Job } from '../../model/job.ts'
import type { Json } from '../../model/json.ts'
import type { LockRequest } from '../store/jobs/locks.ts'
import type { EngineDeps } from './context.ts'
import { conclude, createJobRun, type JobRun, prepare } from './jobRun.ts'
import { locksOf } from './locks.ts'
import type { AnyOperation } from './operation.ts'
import { goOnWith } from './recovery.ts'
import { needAllowed } from './refusal.ts'
import { splitParams } from './secrets.ts'
import { goForward } from './steps.ts'
import { createPatience } from './unwritten.ts'
import { createWaits } from './waits.ts'

/**
 * A job's life: locks → refuse → gather → plan → journal → steps, or unwind → look again → result. What is refused
 * before it begins makes no job; what has begun ends as done, undone, cancelled or stuck, whatever happens to
 * this process: another one reads the journal and goes on.
 */
export interface Runner {
  /**
   * Writes the job and gives it back when it has begun or waits for its turn. What is refused before that leaves no
   * job: `refused`, `busy` behind a stuck job, `readOnly`, and what `gather` fails with.
   */
  start(operation: AnyOperation, params: Json, by: By): Promise<Job>
  /** Resolves when it is over or stuck, whichever process works on it. */
  finished(jobId: string): Promise<{ readonly job: Job; readonly result?: Json }>
  /**
   * Asks it to stop, whichever process works on it, and waits for nothing; what it has done is undone. `refused` past
   * the pivot, or where it is over or stuck.
   */
  cancel(jobId: string): Promise<void>
  /**
   * Goes on with a stuck job from its journal, and waits for nothing; `refused` where it is not stuck. `isAsked` (true, if
   * not given): by a person, who has read why it is stuck.
   */
  retry(jobId: string, isAsked?: boolean): Promise<void>
  /**
   * Ends a stuck job and leaves everything as it is: its locks go, and nothing is undone. `refused` where it is not
   * stuck.
   */
  keep(jobId: string): Promise<void>
  /** Takes over what dead processes have left, which `onTaken` is told; resolves when all of it is over or stuck. */
  recover(onTaken?: (jobs: readonly Job[]) => void): Promise<void>
  /** Waits for nothing: what is at work here is left to the next start. */
  close(): void
}

const POLL_MS = 150
const CANCEL_POLL_MS = 500

/**
 * The runner of this process; nothing is taken over before `recover`. It asks every half second whether another
 * process wants one of its jobs cancelled.
 */
export function createRunner(deps: EngineDeps): Runner {
  const { store, clock } = deps
  const active = new Map<string, { readonly abort: AbortController; readonly done: Promise<void> }>()
  const closing = new AbortController()
  const patience = createPatience(deps, closing.signal)
  const waits = createWaits(deps, closing.signal)
  let closed = false
  let cancelPoll: ReturnType<typeof setInterval> | undefined

  /** Registers the work on a job of this process, so that it can be waited for and cancelled. */
  function track(jobId: string, abort: AbortController, work: () => Promise<void>): Promise<void> {
    const done = work()
      .catch(async (error: unknown) => {
        if (closed) return
        const { code, message: why } = toPengxError(error)
        const message = `pengx failed while it worked on it: ${why}`
        const stuck = { state: 'stuck', code, message } as const
        await patience.write(jobId, () => store.jobs.update(jobId, stuck)).catch(() => undefined)
      })
      .finally(() => {
        active.delete(jobId)
        if (active.size === 0) clearInterval(cancelPoll)
        patience.forget(jobId)
      })
    if (active.size === 0) watchForCancels()
    active.set(jobId, { abort, done })
    return done
  }

  /** Another process may ask for a cancel; it is seen here while jobs are at work, for all of them at once. */
  function watchForCancels(): void {
    clearInterval(cancelPoll)
    cancelPoll = setInterval(async () => {
      await store.view.refresh().catch(() => undefined)
      if (closed) return
      for (const [jobId, { abort }] of active) if (store.jobs.cancelRequested(jobId)) abort.abort(cancelled())
    }, CANCEL_POLL_MS)
    cancelPoll.unref()
  }

  /**
   * Takes the locks, or waits for them in the queue; a cancel ends the waiting. What it waited for may have changed what
   * there is to lock (a VM has migrated): then it begins anew. Gives those that it has.
   */
  async function takeLocks(
    { job, operation, params, signal }: Asked,
    wanted: readonly LockRequest[],
    onWait: () => void,
    able: () => EngineDeps,
  ): Promise<readonly LockRequest[]> {
    for (let locks = wanted; ; ) {
      const { store } = able()
      const answer = await store.locks.acquire(job.id, locks)
      if (answer.granted) {
        await store.view.refresh()
        const now = locksOf(operation, params, store.view)
        if (isSameLocks(now, locks)) return locks
        await store.locks.release(job.id)
        await store.jobs.update(job.id, { locks: now })
        waits.released(job.id)
        locks = now
        continue
      }
      needUnstuck(answer.waitsFor.map((id) => store.view.getJob(id)))
      onWait()
      store.jobs.progress(job.id, { queuePosition: answer.position, step: 'waits for its turn' })
      await waits.untilFree(job.id, answer.waitsFor, signal)
      if (store.jobs.cancelRequested(job.id)) throw cancelled()
    }
  }

  async function start(operation: AnyOperation, given: Json, by: By): Promise<Job> {
    if (deps.readOnly) throw new PengxError('readOnly', `${operation.name} is refused: pengx was started read-only`)
    const params: Json = operation.complete ? operation.complete(given) : given
    await store.view.refresh()
    await needAllowed(deps, operation, params)
    const subject = operation.subject(params, store.view)
    const locks = locksOf(operation, params, store.view)
    const { open, secrets } = splitParams(operation, params)
    const job = await store.jobs.create({ operation: operation.name, subject, by, params: open, locks, secrets })
    const abort = new AbortController()
    const asked = { job, operation, params, signal: abort.signal }
    const queued = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    begun.promise.catch(() => undefined)
    track(job.id, abort, () => perform(asked, locks, queued.resolve, begun))
    await Promise.race([begun.promise, queued.promise])
    return store.view.getJob(job.id) ?? job
  }

  async function perform(
    asked: Asked,
    locks: readonly LockRequest[],
    onQueued: () => void,
    begun: PromiseWithResolvers<void>,
  ): Promise<void> {
    const { job } = asked
    const patient = patience.depsFor(job.id)
    let waited = false
    const onWait = () => {
      waited = true
      onQueued()
    }
    // Who has been told that it waits is not told that it was not taken on: it waits for the store too.
    const able = () => (waited ? patient : deps)
    let jobRun: JobRun
    let prepared: Awaited<ReturnType<typeof prepare>>
    try {
      jobRun = createJobRun({ ...asked, locks: await takeLocks(asked, locks, onWait, able) })
      prepared = await prepare(able(), jobRun)
      const running = { state: 'running', startedAt: clock.now(), queuePosition: undefined } as const
      await able().store.jobs.update(job.id, running)
    } catch (error) {
      try {
        const discard = () => store.jobs.discard(job.id)
        if (waited) await endUnbegun(asked, error)
        else await patience.write(job.id, discard, begun.reject)
      } finally {
        begun.reject(error)
      }
      return
    }
    begun.resolve()
    const { steps, facts } = prepared
    const outcome = await goForward(patient, {
      ...{ job, steps, stepState: jobRun.stepState, events: [] },
      get gap() {
        return patience.gapOf(job.id)
      },
    })
    await conclude(patient, jobRun, facts, outcome)
  }

  async function endUnbegun({ job, signal }: Asked, error: unknown): Promise<void> {
    // What fails now fails because this process lets go of everything: the next one ends it.
    if (closed) return
    const { code, message: why } = signal.aborted ? cancelled() : toPengxError(error)
    const state = code === 'cancelled' ? 'cancelled' : 'undone'
    const message = `${why} (nothing had been done)`
    const end = { state, code, message, finishedAt: clock.now() } as const
    await patience.write(job.id, () => store.jobs.update(job.id, end))
  }

  async function goOn(jobId: string, isAsked: boolean): Promise<void> {
    const abort = new AbortController()
    const resumption = { signal: abort.signal, isAsked }
    const able = patience.depsFor(jobId)
    await track(jobId, abort, async () => await goOnWith(able, await able.store.jobs.load(jobId), resumption))
  }

  return {
    start,
    async finished(jobId) {
      const own = active.get(jobId)
      if (own) await patience.attend(jobId, own.done)
      for (;;) {
        if (closed) throw new PengxError('cancelled', 'pengx is closing; the job goes on at the next start')
        await store.view.refresh()
        const job = store.view.getJob(jobId) ?? (await store.jobs.load(jobId)).job
        if (isOver(job.state) || job.state === 'stuck') {
          const { result } = await store.jobs.load(jobId)
          return { job, ...(result === undefined ? {} : { result }) }
        }
        patience.needStore(jobId)
        await clock.sleep(POLL_MS)
      }
    },
    async cancel(jobId) {
      const { job, events, plan } = await store.jobs.load(jobId)
      if (isOver(job.state)) throw new PengxError('refused', `job ${job.number} is ${job.state} already`)
      if (job.state === 'stuck')
        throw new PengxError('refused', `job ${job.number} is stuck: try again, or keep things as they are`)
      const past = events.find((event) => event.step === job.pivotIndex && event.kind === 'succeeded')
      if (past) {
        const pivot = plan?.[past.step]?.name
        throw new PengxError(
          'refused',
          `job ${job.number} is past its point of no return (${pivot}): it goes forward to its end`,
        )
      }
      const own = active.get(jobId)
      if (own) own.abort.abort(cancelled())
      else await store.jobs.requestCancel(jobId)
    },
    async retry(jobId, isAsked = true) {
      if (!(await store.jobs.update(jobId, { state: 'running', finishedAt: undefined }, ['stuck'])))
        throw notStuck(jobId)
      void goOn(jobId, isAsked)
    },
    async keep(jobId) {
      const message = `kept as it is: ${store.view.needJob(jobId).message}`
      const kept = await store.jobs.update(jobId, { state: 'kept', finishedAt: clock.now(), message }, ['stuck'])
      if (!kept) throw notStuck(jobId)
    },
    async recover(onTaken) {
      await patience.soon(async () => {
        const left = await store.jobs.claimJobs()
        onTaken?.(left.map(({ job }) => job))
        await Promise.all(left.map(({ job }) => goOn(job.id, false)))
      })
    },
    close() {
      closed = true
      clearInterval(cancelPoll)
      closing.abort(new PengxError('cancelled', 'pengx is closing'))
    },
  }

  function notStuck(jobId: string): PengxError {
    return new PengxError('refused', `job ${store.view.needJob(jobId).number} is not stuck`)
  }
}

/** A job that has been written down and not begun. */
interface Asked extends Pick<JobRun, 'job' | 'operation' | 'params'> {
  readonly signal: AbortSignal
}

function isSameLocks(some: readonly LockRequest[], others: readonly LockRequest[]): boolean {
  const namesOf = (locks: readonly LockRequest[]) =>
    locks
      .map(({ key, mode }) => `${mode} ${key}`)
      .sort()
      .join('\n')
  return namesOf(some) === namesOf(others)
}

/** What a stuck job holds it holds until a person has decided: who waited for that would wait for nobody. */
function needUnstuck(holders: readonly (Job | undefined)[]): void {
  const stuck = holders.find((job) => job?.state === 'stuck')
  if (!stuck) return
  const what = `job ${stuck.number} (${stuck.operation} ${stuck.subject.name}) is stuck on what this needs`
  throw new PengxError('busy', `${what}: try its undo again, or keep things as they are`)
}

function cancelled(): PengxError {
  return new PengxError('cancelled', 'cancelled on request')
}
