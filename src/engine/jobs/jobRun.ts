import { PengxError } from '../../model/error.ts'
import type { Job } from '../../model/job.ts'
import type { Json } from '../../model/json.ts'
import { type Moving, makeContext, type Parts } from './context.ts'
import type { AnyOperation, Step } from './operation.ts'
import { splitFacts } from './secrets.ts'
import type { Outcome } from './steps.ts'

/** One job at work in this process: what was asked, and what came to light on the way. */
export interface Work {
  readonly job: Job
  readonly operation: AnyOperation
  readonly params: Json
  readonly moving: Moving
  readonly notices: readonly string[]
}

export function makeWork(
  job: Job,
  operation: AnyOperation,
  params: Json,
  signal: AbortSignal,
  outputs: Map<string, Json | undefined> = new Map(),
): Work {
  const notices: string[] = []
  const moving: Moving = {
    jobId: job.id,
    by: job.by,
    signal,
    outputs,
    fresh: new Set(),
    lookOnly: false,
    step: 0,
    progress: () => undefined,
    notice: (text) => void notices.push(text),
  }
  return { job, operation, params, moving, notices }
}

/** From the locks to a journalled plan. Nothing has been changed when it fails. */
export async function prepare(parts: Parts, work: Work): Promise<{ readonly facts: Json; readonly steps: Step[] }> {
  const { job, operation, params, moving } = work
  const { store } = parts
  await store.view.refresh()
  const reason = operation.refuse(params, store.view)
  if (reason !== undefined) throw new PengxError('refused', `cannot ${operation.title} ${job.subject.name}: ${reason}`)
  const facts: Json = await operation.gather(params, makeContext(parts, { ...moving, lookOnly: true }))
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
export async function conclude(parts: Parts, work: Work, facts: Json, outcome: Outcome): Promise<void> {
  const { job, operation, params, notices, moving } = work
  const { store, clock } = parts
  const unseen = touchedBy(parts, work).filter((pm) => !moving.fresh.has(pm))
  for (const pm of unseen) await parts.look(pm).catch(() => undefined)
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
export function touchedBy(parts: Parts, { operation, params }: Work): readonly string[] {
  try {
    return operation.touches(params, parts.store.view)
  } catch {
    return []
  }
}
