import { PengxError, toPengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import type { EngineDeps, Moment } from './context.ts'
import { createEffects } from './effects.ts'
import { USED, usedSince } from './gap.ts'
import {
  didNothing,
  eventsOf,
  failedOutput,
  hasBegun,
  hasSucceeded,
  isPastPivot,
  journal,
  type Outcome,
  type PlanRun,
} from './planRun.ts'
import { contextOf, probe, recordFound, uncancelled } from './probe.ts'

/** The steps of one job, forward and back. */

/**
 * Does the steps that have not succeeded, in order; unwinds on a failure before the pivot. Journals each before and
 * after. A failure is no verdict: what is found to be there is done. Never fails for what a step fails of: that is the
 * outcome.
 */
export async function goForward(deps: EngineDeps, planRun: PlanRun): Promise<Outcome> {
  const { steps, stepState } = planRun
  const total = steps.reduce((sum, step) => sum + (step.weight ?? 1), 0)
  let before = 0
  for (const [index, step] of steps.entries()) {
    const weight = step.weight ?? 1
    if (!hasSucceeded(planRun, index)) {
      stepState.step = index
      const share = (done: number) => (before + weight * done) / total
      const failure = await doStep(deps, planRun, index, share)
      const outcome = failure && (await judge(deps, planRun, index, failure))
      if (outcome) return outcome
    }
    before += weight
  }
  return { kind: 'done' }
}

/** What becomes of the job when a step has failed; undefined where its effect is found, and the job goes on. */
async function judge(
  deps: EngineDeps,
  planRun: PlanRun,
  index: number,
  failure: PengxError,
): Promise<Outcome | undefined> {
  const isDecisive = planRun.steps[index]!.pivot === true || isPastPivot(planRun)
  const isLookedFor = hasBegun(planRun, index) && (failure.code !== 'cancelled' || isDecisive)
  const found = isLookedFor && (await probe(deps, planRun, index))
  if (found === true) {
    await recordFound(deps, planRun, index)
    return undefined
  }
  if (found instanceof PengxError && isDecisive) return { kind: 'stuck', error: undecided(failure, found) }
  if (isPastPivot(planRun)) return { kind: 'stuck', error: failure }
  return await goBack(deps, planRun, failure)
}

function undecided(failure: PengxError, why: PengxError): PengxError {
  return new PengxError(why.code, `${failure.message}; and whether it happened cannot be told: ${why.message}`, {
    cause: why,
  })
}

async function doStep(
  deps: EngineDeps,
  planRun: PlanRun,
  index: number,
  share: (done: number) => number,
): Promise<PengxError | undefined> {
  const { job, stepState } = planRun
  const step = planRun.steps[index]!
  const { signal } = stepState
  const effects = createEffects()
  const isCancelled = () => signal.aborted && !isPastPivot(planRun)
  const progress = (done: number, text?: string) =>
    deps.store.jobs.progress(job.id, {
      progress: share(done),
      stepIndex: index,
      step: text ? `${step.name}: ${text}` : step.name,
    })
  try {
    if (isCancelled()) throw cancelledError(signal)
    await journal(deps, planRun, { step: index, kind: 'started' })
    progress(0)
    // A cancel that came while the pivot was at work ends nothing behind it.
    const cx = contextOf(deps, planRun, index, { progress, effects, ...(isPastPivot(planRun) ? uncancelled() : {}) })
    await intercept(deps, planRun, index, 'before')
    // A cancel may have come while that was written down: then nothing is begun.
    if (isCancelled()) throw cancelledError(signal)
    const output = (await step.do(cx)) ?? null
    // Whatever fails from here on, a line of the journal: the step has done its work.
    effects.begin()(true)
    await intercept(deps, planRun, index, 'after', () => step.do(cx))
    await journal(deps, planRun, { step: index, kind: 'succeeded', output })
    progress(1)
    ;(stepState.outputs as Map<string, Json | undefined>).set(step.name, output)
    return undefined
  } catch (thrown) {
    const error = isCancelled() ? cancelledError(signal, thrown) : toPengxError(thrown)
    // What had been done by an earlier attempt at this very step is not taken back by a later refusal.
    const output = failedOutput(error, effects.has())
    if (hasBegun(planRun, index))
      await journal(deps, planRun, { step: index, kind: 'failed', message: error.message, output })
    return error
  }
}

function cancelledError(signal: AbortSignal, cause?: unknown): PengxError {
  const reason = signal.reason instanceof PengxError ? signal.reason.message : 'cancelled'
  return new PengxError('cancelled', reason, { cause })
}

/**
 * Undoes every step that started, last first; what failed with `conflict` promised that it had done nothing. Cannot
 * be cancelled. `stuck` at the first undo that fails: those before it are not tried. After a gap nothing is undone where
 * one of them would take away what may have been used since, unless a person who knows has said so.
 */
export async function goBack(deps: EngineDeps, planRun: PlanRun, error: PengxError): Promise<Outcome> {
  const { job, steps } = planRun
  await deps.store.jobs.update(job.id, { state: 'undoing', code: error.code, message: error.message })
  const indexes = [...steps.keys()].filter((index) => needsUndo(planRun, index)).reverse()
  // Asked after that write, which may have waited for the store: for so long that it is a gap.
  const { gap } = planRun
  try {
    const used = gap && !gap.consents ? await usedSince(deps, planRun, indexes) : undefined
    if (used) {
      const { index: step, why } = used
      await journal(deps, planRun, { step, kind: 'undoFailed', message: why, output: USED })
      return stuckBehind(error, new PengxError('refused', why))
    }
  } catch (thrown) {
    const failed = toPengxError(thrown)
    const why = `what was used since cannot be told: ${failed.message}`
    return stuckBehind(error, new PengxError(failed.code, why, { cause: thrown }))
  }
  for (const index of indexes) {
    const step = steps[index]!
    const output = eventsOf(planRun, index).findLast((event) => event.kind === 'succeeded')?.output
    try {
      await journal(deps, planRun, { step: index, kind: 'undoStarted' })
      deps.store.jobs.progress(job.id, { stepIndex: index, step: `undo: ${step.name}` })
      const cx = contextOf(deps, planRun, index)
      await intercept(deps, planRun, index, 'beforeUndo')
      await step.undo!(cx, output)
      await intercept(deps, planRun, index, 'afterUndo', async () => await step.undo!(cx, output))
      await journal(deps, planRun, { step: index, kind: 'undone' })
    } catch (thrown) {
      const failed = toPengxError(thrown)
      await journal(deps, planRun, { step: index, kind: 'undoFailed', message: failed.message })
      const why = `the undo of "${step.name}" failed: ${failed.message}`
      return stuckBehind(error, new PengxError(failed.code, why, { cause: thrown }))
    }
  }
  return { kind: 'unwound', error }
}

function needsUndo(planRun: PlanRun, index: number): boolean {
  const isUndone = eventsOf(planRun, index).some((event) => event.kind === 'undone')
  return (
    planRun.steps[index]!.undo !== undefined && hasBegun(planRun, index) && !isUndone && !didNothing(planRun, index)
  )
}

/** Why it was to be undone, and why it was not. */
function stuckBehind(error: PengxError, why: PengxError): Outcome {
  return { kind: 'stuck', error: new PengxError(why.code, `${error.message}; and ${why.message}`, { cause: why }) }
}

async function intercept(
  deps: EngineDeps,
  planRun: PlanRun,
  step: number,
  phase: Moment['phase'],
  again: () => Promise<unknown> = async () => undefined,
): Promise<void> {
  const name = planRun.steps[step]!.name
  await deps.intercept?.({ jobId: planRun.job.id, operation: planRun.job.operation, step, name, phase, again })
}
