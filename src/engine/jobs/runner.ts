import { PengxError, toPengxError } from '../../model/error.ts'
import { type By, isOver, type Job } from '../../model/job.ts'
import type { Json } from '../../model/json.ts'
import type { StoredJob } from '../store/jobRows.ts'
import { type Moving, makeContext, type Parts } from './context.ts'
import type { AnyOperation, Step } from './operation.ts'
import { joinFacts, joinParams, splitFacts, splitParams } from './secrets.ts'
import { type Course, goBack, goForward, isPastPivot, type Outcome } from './steps.ts'

/**
 * A job's life: locks → refuse → gather → plan → journal → steps, or unwind → look again → result. What is refused
 * before it begins makes no job; what has begun ends as done, undone, cancelled or stuck, whatever happens to
 * this process: another one reads the journal and goes on.
 */
export interface Runner {
  start(operation: AnyOperation, params: Json, by: By): Promise<Job>
  /** Resolves when it is over or stuck, whichever process works on it. */
  finished(jobId: string): Promise<{ readonly job: Job; readonly result?: Json }>
  cancel(jobId: string): Promise<void>
  retry(jobId: string): Promise<void>
  keep(jobId: string): Promise<void>
  /** Takes over what dead processes have left; resolves when all of it is over or stuck. */
  recover(): Promise<void>
  /** Waits for nothing: what is at work here is left to the next start. */
  close(): void
}

interface Active {
  readonly abort: AbortController
  readonly done: Promise<void>
}

const POLL_MS = 150

export function createRunner(parts: Parts): Runner {
  const { store, clock } = parts
  const active = new Map<string, Active>()
  let closed = false

  function moving(job: Job, signal: AbortSignal, outputs: Map<string, Json | undefined>, notices: string[]): Moving {
    return {
      jobId: job.id,
      by: job.by,
      signal,
      outputs,
      lookOnly: false,
      step: 0,
      progress: () => undefined,
      notice: (text) => void notices.push(text),
    }
  }

  /** Takes the locks, or waits for them in the queue; a cancel ends the waiting. */
  async function takeLocks(
    job: Job,
    locks: ReturnType<AnyOperation['locks']>,
    signal: AbortSignal,
    onWait: () => void,
  ): Promise<void> {
    for (;;) {
      const answer = await store.locks.acquire(job.id, locks)
      if (answer.granted) return
      onWait()
      store.jobs.progress(job.id, { queuePosition: answer.position, step: 'waits for its turn' })
      await clock.sleep(POLL_MS, signal)
      await store.view.refresh()
      if (store.jobs.cancelRequested(job.id)) throw new PengxError('cancelled', 'cancelled while it waited')
    }
  }

  /** From the locks to a journalled plan. Nothing has been changed when it fails. */
  async function prepare(
    operation: AnyOperation,
    params: Json,
    job: Job,
    signal: AbortSignal,
    notices: string[],
  ): Promise<{ facts: Json; steps: Step[] }> {
    await store.view.refresh()
    const reason = operation.refuse(params, store.view)
    if (reason !== undefined)
      throw new PengxError('refused', `cannot ${operation.title} ${job.subject.name}: ${reason}`)
    const context = makeContext(parts, { ...moving(job, signal, new Map(), notices), lookOnly: true })
    const facts: Json = await operation.gather(params, context)
    const steps = operation.plan(params, facts)
    const { open, secrets } = splitFacts(facts)
    const planned = steps.map((step) => ({
      name: step.name,
      pivot: step.pivot === true,
      undoable: step.undo !== undefined,
    }))
    await store.jobs.recordPlan(job.id, { facts: open, steps: planned, secrets })
    return { facts, steps }
  }

  async function conclude(
    operation: AnyOperation | undefined,
    params: Json,
    facts: Json,
    job: Job,
    outcome: Outcome,
    notices: readonly string[],
  ): Promise<void> {
    for (const pm of operation ? touched(operation, params) : []) await parts.look(pm).catch(() => undefined)
    const finishedAt = clock.now()
    if (outcome.kind === 'done') {
      const result = operation?.result?.(params, facts, store.view)
      await store.jobs.update(job.id, {
        state: 'done',
        progress: 1,
        finishedAt,
        message: notices.join('; '),
        code: undefined,
        ...(result === undefined ? {} : { result }),
      })
      return
    }
    const { code, message } = outcome.error
    const state = outcome.kind === 'stuck' ? 'stuck' : code === 'cancelled' ? 'cancelled' : 'undone'
    await store.jobs.update(job.id, { state, finishedAt, code, message: [message, ...notices].join('; ') })
  }

  function touched(operation: AnyOperation, params: Json): readonly string[] {
    try {
      return operation.touches(params, store.view)
    } catch {
      return []
    }
  }

  /** Registers the work on a job of this process, so that it can be waited for and cancelled. */
  function track(jobId: string, abort: AbortController, work: () => Promise<void>): Promise<void> {
    const watch = watchForCancel(jobId, abort)
    const done = work()
      .catch(async (error: unknown) => {
        if (closed) return
        const { code, message } = toPengxError(error)
        await store.jobs
          .update(jobId, { state: 'stuck', code, message: `pengx failed while it worked on it: ${message}` })
          .catch(() => undefined)
      })
      .finally(() => {
        watch()
        active.delete(jobId)
      })
    active.set(jobId, { abort, done })
    return done
  }

  /** Another process may ask for the cancel; it is seen here while the job is at work. */
  function watchForCancel(jobId: string, abort: AbortController): () => void {
    const timer = setInterval(async () => {
      await store.view.refresh().catch(() => undefined)
      if (!closed && store.jobs.cancelRequested(jobId)) abort.abort(new PengxError('cancelled', 'cancelled on request'))
    }, 500)
    timer.unref?.()
    return () => clearInterval(timer)
  }

  async function start(operation: AnyOperation, given: Json, by: By): Promise<Job> {
    if (parts.readOnly) throw new PengxError('readOnly', `${operation.name} is refused: pengx was started read-only`)
    const params: Json = operation.complete ? operation.complete(given) : given
    await store.view.refresh()
    const reason = operation.refuse(params, store.view)
    const subject = operation.subject(params, store.view)
    if (reason !== undefined) throw new PengxError('refused', `cannot ${operation.title} ${subject.name}: ${reason}`)
    const locks = operation.locks(params, store.view)
    const { open, secrets } = splitParams(operation, params)
    const job = await store.jobs.create({ operation: operation.name, subject, by, params: open, locks, secrets })
    const abort = new AbortController()
    const notices: string[] = []
    const queued = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    let waited = false
    const onWait = () => {
      waited = true
      queued.resolve()
    }
    track(job.id, abort, async () => {
      let prepared: { facts: Json; steps: Step[] }
      try {
        await takeLocks(job, locks, abort.signal, onWait)
        prepared = await prepare(operation, params, job, abort.signal, notices)
        await store.jobs.update(job.id, { state: 'running', startedAt: clock.now(), queuePosition: undefined })
        begun.resolve()
      } catch (error) {
        if (waited) await endUnbegun(job, abort, error)
        else await store.jobs.discard(job.id)
        begun.reject(error)
        return
      }
      const course: Course = {
        job,
        steps: prepared.steps,
        moving: moving(job, abort.signal, new Map(), notices),
        events: [],
      }
      await conclude(operation, params, prepared.facts, job, await goForward(parts, course), notices)
    })
    begun.promise.catch(() => undefined)
    await Promise.race([begun.promise, queued.promise])
    return store.view.getJob(job.id) ?? job
  }

  async function endUnbegun(job: Job, abort: AbortController, error: unknown): Promise<void> {
    const { code, message } = abort.signal.aborted
      ? new PengxError('cancelled', 'cancelled while it waited')
      : toPengxError(error)
    const state = code === 'cancelled' ? 'cancelled' : 'undone'
    await store.jobs.update(job.id, {
      state,
      code,
      message: `${message} (nothing had been done)`,
      finishedAt: clock.now(),
    })
  }

  /** Builds a journalled job's course again. Fails with what a person has to know where that cannot be done. */
  async function resume(
    stored: StoredJob,
    signal: AbortSignal,
    notices: string[],
  ): Promise<{ operation: AnyOperation; params: Json; facts: Json; course: Course }> {
    const operation = parts.operations.get(stored.job.operation)
    const did = stored.events.filter((event) => event.kind === 'succeeded').map((event) => event.name)
    const past = did.length > 0 ? `it had done: ${did.join(', ')}` : 'it had finished no step'
    if (!operation)
      throw new PengxError('unsupported', `this pengx does not know the operation ${stored.job.operation}; ${past}`)
    const secrets = await store.jobs.secrets(stored.job.id)
    const params = joinParams(stored.params, secrets)
    const facts = joinFacts(stored.facts ?? null, secrets)
    const steps = operation.plan(params, facts)
    const same =
      steps.length === stored.plan?.length && steps.every((step, index) => step.name === stored.plan?.[index]?.name)
    if (!same) throw new PengxError('unsupported', `another version of pengx planned it otherwise; ${past}`)
    const outputs = new Map(
      stored.events.filter((event) => event.kind === 'succeeded').map((event) => [event.name, event.output]),
    )
    const course: Course = {
      job: stored.job,
      steps,
      moving: moving(stored.job, signal, outputs, notices),
      events: [...stored.events],
    }
    return { operation, params, facts, course }
  }

  async function goOn(stored: StoredJob): Promise<void> {
    const { job } = stored
    if (!stored.plan) {
      await store.jobs.update(job.id, {
        state: 'undone',
        code: 'cancelled',
        message: 'pengx ended before it began; nothing had been done',
        finishedAt: clock.now(),
      })
      return
    }
    const abort = new AbortController()
    await track(job.id, abort, async () => {
      const notices: string[] = []
      let resumed: Awaited<ReturnType<typeof resume>>
      try {
        resumed = await resume(stored, abort.signal, notices)
      } catch (error) {
        const { code, message } = toPengxError(error)
        await store.jobs.update(job.id, { state: 'stuck', code, message })
        return
      }
      const { operation, params, facts, course } = resumed
      let outcome: Outcome
      try {
        for (const pm of pmsOf(stored, operation, params)) await parts.endLost(pm, job.id)
        outcome = await finishOrUnwind(stored, course)
      } catch (error) {
        outcome = { kind: 'stuck', error: toPengxError(error) }
      }
      await conclude(operation, params, facts, job, outcome, notices)
    })
  }

  async function finishOrUnwind(stored: StoredJob, course: Course): Promise<Outcome> {
    const allDone = course.steps.every((_step, index) =>
      course.events.some((event) => event.step === index && event.kind === 'succeeded'),
    )
    const undoing = course.events.some((event) => event.kind === 'undoStarted')
    if (isPastPivot(course) || (allDone && !undoing)) {
      await store.jobs.update(stored.job.id, { state: 'running' })
      return await goForward(parts, course)
    }
    const why = stored.job.message || 'pengx ended while it was at work'
    return await goBack(parts, course, new PengxError(stored.job.code ?? 'cancelled', why))
  }

  /** Where commands of it may still run: every PM it has locked or acts on. */
  function pmsOf(stored: StoredJob, operation: AnyOperation, params: Json): readonly string[] {
    const locked = stored.locks.filter((lock) => lock.key.startsWith('pm:')).map((lock) => lock.key.slice(3))
    return [...new Set([...locked, ...touched(operation, params)])].filter((pm) => store.view.getPm(pm) !== undefined)
  }

  return {
    start,
    async finished(jobId) {
      await active.get(jobId)?.done
      for (;;) {
        await store.view.refresh()
        const job = store.view.getJob(jobId) ?? (await store.jobs.load(jobId)).job
        if (isOver(job.state) || job.state === 'stuck') {
          const { result } = await store.jobs.load(jobId)
          return { job, ...(result === undefined ? {} : { result }) }
        }
        if (closed) throw new PengxError('cancelled', 'pengx is closing; the job goes on at the next start')
        await clock.sleep(POLL_MS)
      }
    },
    async cancel(jobId) {
      const stored = await store.jobs.load(jobId)
      const { job } = stored
      if (isOver(job.state)) throw new PengxError('refused', `job ${job.number} is ${job.state} already`)
      if (job.state === 'stuck')
        throw new PengxError('refused', `job ${job.number} is stuck: try again, or keep things as they are`)
      const pivot = job.pivotIndex
      if (pivot !== undefined && stored.events.some((event) => event.step === pivot && event.kind === 'succeeded')) {
        throw new PengxError(
          'refused',
          `job ${job.number} is past its point of no return (${stored.plan?.[pivot]?.name}): it goes forward to its end`,
        )
      }
      const own = active.get(jobId)
      if (own) own.abort.abort(new PengxError('cancelled', 'cancelled on request'))
      else await store.jobs.requestCancel(jobId)
    },
    async retry(jobId) {
      if (!(await store.jobs.update(jobId, { state: 'running', finishedAt: undefined }, ['stuck']))) {
        throw new PengxError('refused', `job ${store.view.needJob(jobId).number} is not stuck`)
      }
      void goOn(await store.jobs.load(jobId))
    },
    async keep(jobId) {
      const { message, number } = store.view.needJob(jobId)
      const kept = await store.jobs.update(
        jobId,
        { state: 'kept', finishedAt: clock.now(), message: `kept as it is: ${message}` },
        ['stuck'],
      )
      if (!kept) throw new PengxError('refused', `job ${number} is not stuck`)
    },
    async recover() {
      const left = await store.jobs.claimJobs()
      await Promise.all(left.map(goOn))
    },
    close() {
      closed = true
    },
  }
}
