import { PengxError, toPengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import type { StoredJob } from '../store/jobs/jobRows.ts'
import type { EngineDeps } from './context.ts'
import { conclude, createJobRun, type JobRun, touchedBy } from './jobRun.ts'
import type { AnyOperation, Step } from './operation.ts'
import { joinFacts, joinParams } from './secrets.ts'
import { decidePivot, goBack, goForward, isPastPivot, type Outcome, type PlanRun } from './steps.ts'

/**
 * A job that another process has left, or that was stuck: its journal says what may have happened. First its commands
 * that outlived that process are ended. Past the pivot it is finished, before it unwound. What cannot be planned
 * again as it was is stuck, with what it had done in words. Does not fail for what the job fails of: that is written
 * down as its end.
 */
export async function goOnWith(deps: EngineDeps, stored: StoredJob, signal: AbortSignal): Promise<void> {
  const { store, clock } = deps
  const { job } = stored
  if (!stored.plan) {
    const message = 'pengx ended before it began; nothing had been done'
    await store.jobs.update(job.id, { state: 'undone', code: 'cancelled', message, finishedAt: clock.now() })
    return
  }
  let resumed: Resumed
  try {
    resumed = await resume(deps, stored, signal)
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
async function resume(deps: EngineDeps, stored: StoredJob, signal: AbortSignal): Promise<Resumed> {
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
  const jobRun = createJobRun(
    job,
    operation,
    params,
    signal,
    new Map(succeeded.map((event) => [event.name, event.output])),
  )
  return { jobRun, facts, planRun: { job, steps, stepState: jobRun.stepState, events: [...events] } }
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
    const { steps, events } = planRun
    const allDone = steps.every((_step, index) =>
      events.some((event) => event.step === index && event.kind === 'succeeded'),
    )
    const undoing = events.some((event) => event.kind === 'undoStarted')
    const decision = undoing || isPastPivot(planRun) ? false : await decidePivot(deps, planRun)
    if (decision instanceof PengxError) return { kind: 'stuck', error: decision }
    if (isPastPivot(planRun) || (allDone && !undoing)) {
      await deps.store.jobs.update(stored.job.id, { state: 'running' })
      return await goForward(deps, planRun)
    }
    const why = stored.job.message || 'pengx ended while it was at work'
    return await goBack(deps, planRun, new PengxError(stored.job.code ?? 'cancelled', why))
  } catch (error) {
    return { kind: 'stuck', error: toPengxError(error) }
  }
}

/** Where commands of it may still run: every PM that it has locked or acts on. */
function pmsOf(deps: EngineDeps, stored: StoredJob, jobRun: JobRun): readonly string[] {
  const locked = stored.locks.filter((lock) => lock.key.startsWith('pm:')).map((lock) => lock.key.slice(3))
  return [...new Set([...locked, ...touchedBy(deps, jobRun)])].filter((pm) => deps.store.view.getPm(pm) !== undefined)
}
