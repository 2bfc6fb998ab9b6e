import { type Code, PengxError, toPengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import type { StoredJob } from '../store/jobs/jobRows.ts'
import type { EngineDeps } from './context.ts'
import { isToBeFinished, stoppedForUse } from './gap.ts'
import { conclude, createJobRun, type JobRun, pmsIn, touchedBy } from './jobRun.ts'
import type { AnyOperation, Step } from './operation.ts'
import type { Outcome, PlanRun } from './planRun.ts'
import { joinFacts, joinParams } from './secrets.ts'
import { goBack, goForward } from './steps.ts'

export interface Resumption {
  readonly signal: AbortSignal
  /** A person has asked for it, and knows what the job says of itself. */
  readonly isAsked: boolean
}

/**
 * A job that another process has left, or that was stuck: its journal says what may have happened. First its commands
 * that outlived that process are waited for, or ended where they only copy. Then what it had begun is looked for: what is
 * there is finished, what is not is unwound, and what may have been used since is left alone until a person has said so.
 * What cannot be planned again as it was is stuck, with what it had done in words. Does not fail for what the job
 * fails of: that is written down as its end.
 */
export async function goOnWith(deps: EngineDeps, stored: StoredJob, resumption: Resumption): Promise<void> {
  const { store, clock } = deps
  const { job } = stored
  if (!stored.plan) {
    const message = 'pengx ended before it began; nothing had been done'
    await store.jobs.update(job.id, { state: 'undone', code: 'cancelled', message, finishedAt: clock.now() })
    return
  }
  let resumed: Resumed
  try {
    resumed = await resume(deps, stored, resumption)
  } catch (error) {
    const { code, message } = toPengxError(error)
    await store.jobs.update(job.id, { state: 'stuck', code, message })
    return
  }
  const { jobRun, facts, planRun } = resumed
  await conclude(deps, jobRun, facts, await finishOrUnwind(deps, stored, jobRun, planRun))
}

interface Resumed {
  readonly jobRun: JobRun
  readonly facts: Json
  readonly planRun: PlanRun
}

/** Plans a journalled job again, and takes its run up where the journal ends. */
async function resume(deps: EngineDeps, stored: StoredJob, { signal, isAsked }: Resumption): Promise<Resumed> {
  const { job, events } = stored
  const operation = deps.operations.get(job.operation)
  const succeeded = events.filter((event) => event.kind === 'succeeded')
  const names = succeeded.map((event) => event.name).join(', ')
  const past = names ? `it had done: ${names}` : 'it had finished no step'
  if (!operation)
    throw new PengxError('unsupported', `this pengx does not know the operation ${job.operation}; ${past}`)
  const secrets = await deps.store.jobs.secrets(job.id)
  const params = joinParams(stored.params, secrets)
  const facts = joinFacts(stored.facts ?? null, secrets)
  const steps = planAgain(operation, params, facts, past)
  const same =
    steps.length === stored.plan?.length && steps.every(({ name }, index) => name === stored.plan?.[index]?.name)
  if (!same) throw new PengxError('unsupported', `another version of pengx planned it otherwise; ${past}`)
  const outputs = new Map(succeeded.map((event) => [event.name, event.output]))
  const jobRun = createJobRun({ job, operation, params, signal, locks: stored.locks, outputs })
  const gap = { consents: isAsked && stoppedForUse(events) }
  return { jobRun, facts, planRun: { job, steps, stepState: jobRun.stepState, events: [...events], gap } }
}

/** Facts that another version gathered may hold other fields, which a plan of this one stumbles over. */
function planAgain(operation: AnyOperation, params: Json, facts: Json, past: string): Step[] {
  try {
    return operation.plan(params, facts)
  } catch (error) {
    if (error instanceof PengxError) throw error
    const text = `another version of pengx found other facts for it than this one knows; ${past}`
    throw new PengxError('unsupported', text, { cause: error })
  }
}

async function finishOrUnwind(deps: EngineDeps, stored: StoredJob, jobRun: JobRun, planRun: PlanRun): Promise<Outcome> {
  try {
    for (const pm of pmsOf(deps, stored, jobRun)) await deps.endLost(pm, stored.job.id)
    if (await isToBeFinished(deps, planRun, stored.cancelRequested)) {
      await deps.store.jobs.update(stored.job.id, { state: 'running' })
      return await goForward(deps, planRun)
    }
    return await goBack(deps, planRun, causeOf(stored))
  } catch (error) {
    return { kind: 'stuck', error: toPengxError(error) }
  }
}

/** Why a job goes back: what it had failed with, or that nobody was there to go on. */
function causeOf({ events, cancelRequested }: StoredJob): PengxError {
  const failed = events.findLast((event) => event.kind === 'failed')
  const { code } = (failed?.output ?? {}) as { readonly code?: Code }
  if (failed && code) return new PengxError(code, failed.message ?? code)
  return new PengxError('cancelled', cancelRequested ? 'cancelled on request' : 'pengx ended while it was at work')
}

/** Where commands of it may still run: every PM that it has locked or acts on. */
function pmsOf(deps: EngineDeps, stored: StoredJob, jobRun: JobRun): readonly string[] {
  return [...new Set([...pmsIn(stored.locks), ...touchedBy(deps, jobRun)])].filter(
    (pm) => deps.store.view.getPm(pm) !== undefined,
  )
}
