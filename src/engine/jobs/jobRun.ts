import { PengxError } from '../../model/error.ts'
import type { Job } from '../../model/job.ts'
import type { Json } from '../../model/json.ts'
import { type EngineDeps, makeContext, type StepState } from './context.ts'
import type { AnyOperation, Lock, Step } from './operation.ts'
import type { Outcome } from './planRun.ts'
import { splitFacts } from './secrets.ts'

/** One job at work in this process: what was asked, and what came to light on the way. */
export interface JobRun {
  readonly job: Job
  readonly operation: AnyOperation
  readonly params: Json
  readonly stepState: StepState
  readonly notices: readonly string[]
}

interface JobRunParts extends Pick<JobRun, 'job' | 'operation' | 'params'> {
  readonly signal: AbortSignal
  readonly locks: readonly Lock[]
  /** Of steps that an earlier process has done. */
  readonly outputs?: Map<string, Json | undefined>
}

/** A job as this process works on it; nothing is written or run yet. */
export function createJobRun({ job, operation, params, signal, locks, outputs }: JobRunParts): JobRun {
  const notices: string[] = []
  const stepState: StepState = {
    jobId: job.id,
    by: job.by,
    signal,
    pms: pmsIn(locks),
    outputs: outputs ?? new Map(),
    fresh: new Set(),
    lookOnly: false,
    step: 0,
    progress: () => undefined,
    notice: (text) => void notices.push(text),
  }
  return { job, operation, params, stepState, notices }
}

/** Pure. PMs that locks name, by UUID. */
export function pmsIn(locks: readonly Lock[]): ReadonlySet<string> {
  return new Set(locks.filter((lock) => lock.key.startsWith('pm:')).map((lock) => lock.key.slice(3)))
}

/**
 * From the locks to a journalled plan. Fails as `refuse` and `gather` do; nothing on any host has been changed then.
 */
export async function prepare(
  deps: EngineDeps,
  jobRun: JobRun,
): Promise<{ readonly facts: Json; readonly steps: Step[] }> {
  const { job, operation, params, stepState } = jobRun
  const { store } = deps
  await store.view.refresh()
  const reason = operation.refuse(params, store.view)
  if (reason !== undefined) throw new PengxError('refused', `cannot ${operation.title} ${job.subject.name}: ${reason}`)
  const facts: Json = await operation.gather(params, makeContext(deps, { ...stepState, lookOnly: true }))
  const steps = operation.plan(params, facts)
  const { open, secrets } = splitFacts(facts)
  const planned = steps.map((step) => ({
    name: step.name,
    pivot: step.pivot === true,
    undoable: step.undo !== undefined && !step.lasting,
  }))
  await store.jobs.recordPlan(job.id, { facts: open, steps: planned, secrets })
  return { facts, steps }
}

/** Looks again, whatever the end, and writes down how it ended; what was looked at after the last change is known. */
export async function conclude(deps: EngineDeps, jobRun: JobRun, facts: Json, outcome: Outcome): Promise<void> {
  const { job, operation, params, notices, stepState } = jobRun
  const { store, clock } = deps
  const unseen = touchedBy(deps, jobRun).filter((pm) => !stepState.fresh.has(pm))
  for (const pm of unseen) await deps.look(pm).catch(() => undefined)
  const finishedAt = clock.now()
  if (outcome.kind === 'done') {
    const result = operation.result?.(params, facts, store.view)
    const end = { state: 'done', progress: 1, finishedAt, message: notices.join('; '), code: undefined } as const
    await store.jobs.update(job.id, { ...end, ...(result === undefined ? {} : { result }) })
    return
  }
  const { code, message } = outcome.error
  const state = outcome.kind === 'stuck' ? 'stuck' : code === 'cancelled' ? 'cancelled' : 'undone'
  await store.jobs.update(job.id, { state, finishedAt, code, message: [message, ...notices].join('; ') })
}

/** PMs that it acts on; a subject that is gone by now names none. */
export function touchedBy(deps: EngineDeps, { operation, params }: JobRun): readonly string[] {
  try {
    return operation.touches(params, deps.store.view)
  } catch {
    return []
  }
}
