import { PengxError, toPengxError } from '../../model/error.ts'
import type { Job, StepEvent } from '../../model/job.ts'
import type { Json } from '../../model/json.ts'
import { type EngineDeps, type Moment, makeContext, type StepState } from './context.ts'
import type { Step } from './operation.ts'

/**
 * The steps of one job, forward and back. An event is on disk before what it announces, so a journal that ends anywhere
 * tells what may have happened: a step that started may have done all, half or nothing of its work, and its undo
 * has to cope with each.
 */
export interface PlanRun {
  readonly job: Job
  readonly steps: readonly Step[]
  readonly stepState: StepState
  /** What the journal holds of an earlier attempt. */
  readonly events: StepEvent[]
}

export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'unwound'; readonly error: PengxError }
  | { readonly kind: 'stuck'; readonly error: PengxError }

/** Pure, from the journal. Past the pivot the job only goes forward. */
export function isPastPivot({ steps, events }: PlanRun): boolean {
  const pivot = steps.findIndex((step) => step.pivot)
  return pivot >= 0 && events.some((event) => event.step === pivot && event.kind === 'succeeded')
}

/**
 * Does the steps that have not succeeded, in order; unwinds on a failure before the pivot. Journals each before and
 * after. Never fails for what a step fails of: that is the outcome.
 */
export async function goForward(deps: EngineDeps, planRun: PlanRun): Promise<Outcome> {
  const { steps, events, stepState } = planRun
  const total = steps.reduce((sum, step) => sum + (step.weight ?? 1), 0)
  let before = 0
  for (const [index, step] of steps.entries()) {
    const weight = step.weight ?? 1
    if (!events.some((event) => event.step === index && event.kind === 'succeeded')) {
      stepState.step = index
      const share = (done: number) => (before + weight * done) / total
      const failure = await doStep(deps, planRun, index, share)
      if (failure && isPastPivot(planRun)) return { kind: 'stuck', error: failure }
      if (failure) {
        const decision = await decidePivot(deps, planRun)
        if (decision instanceof PengxError) return { kind: 'stuck', error: undecided(failure, decision) }
        if (!decision) return await goBack(deps, planRun, failure)
      }
    }
    before += weight
  }
  return { kind: 'done' }
}

async function doStep(
  deps: EngineDeps,
  planRun: PlanRun,
  index: number,
  share: (done: number) => number,
): Promise<PengxError | undefined> {
  const { job, stepState } = planRun
  const step = planRun.steps[index]!
  const say = (done: number, text?: string) =>
    deps.store.jobs.progress(job.id, {
      progress: share(done),
      stepIndex: index,
      step: text ? `${step.name}: ${text}` : step.name,
    })
  try {
    if (stepState.signal.aborted && !isPastPivot(planRun)) throw cancelledError(stepState.signal)
    await journal(deps, planRun, { step: index, name: step.name, kind: 'started' })
    say(0)
    const context = { ...makeContext(deps, stepState), tag: `${job.id}.${index}`, progress: say }
    await intercept(deps, planRun, index, 'before')
    const output = (await step.do(context)) ?? null
    await intercept(deps, planRun, index, 'after', () => step.do(context))
    await journal(deps, planRun, { step: index, name: step.name, kind: 'succeeded', output })
    say(1)
    ;(stepState.outputs as Map<string, Json | undefined>).set(step.name, output)
    return undefined
  } catch (thrown) {
    const error =
      stepState.signal.aborted && !isPastPivot(planRun)
        ? cancelledError(stepState.signal, thrown)
        : toPengxError(thrown)
    const started = planRun.events.some((event) => event.step === index && event.kind === 'started')
    // What had been done by an earlier attempt at this very step is not taken back by a later refusal.
    const output = { code: error.code }
    if (started)
      await journal(deps, planRun, { step: index, name: step.name, kind: 'failed', message: error.message, output })
    return error
  }
}

/**
 * Whether a pivot that has started is found to have happened, by looking (`isApplied`): then it counts as succeeded,
 * and the job only goes forward. The error, where nobody can tell.
 */
export async function decidePivot(deps: EngineDeps, planRun: PlanRun): Promise<boolean | PengxError> {
  const { job, steps, events, stepState } = planRun
  const index = steps.findIndex((step) => step.pivot)
  const pivot = steps[index]
  const own = events.filter((event) => event.step === index)
  if (!pivot?.isApplied || !own.some((event) => event.kind === 'started')) return false
  if (own.some((event) => event.kind === 'undoStarted') || didNothing(own)) return false
  const uncancellable = { ...stepState, signal: new AbortController().signal }
  try {
    const context = { ...makeContext(deps, uncancellable), tag: `${job.id}.${index}` }
    if (!(await pivot.isApplied(context))) return false
    await journal(deps, planRun, { step: index, name: pivot.name, kind: 'succeeded', output: null })
    return true
  } catch (thrown) {
    return toPengxError(thrown)
  }
}

function undecided(failure: PengxError, why: PengxError): PengxError {
  return new PengxError(why.code, `${failure.message}; and whether it happened cannot be told: ${why.message}`, {
    cause: why,
  })
}

function cancelledError(signal: AbortSignal, cause?: unknown): PengxError {
  const reason = signal.reason instanceof PengxError ? signal.reason.message : 'cancelled'
  return new PengxError('cancelled', reason, { cause })
}

/**
 * Undoes every step that started, last first; what failed with `conflict` promised that it had done nothing. Cannot
 * be cancelled. `stuck` at the first undo that fails: those before it are not tried.
 */
export async function goBack(deps: EngineDeps, planRun: PlanRun, error: PengxError): Promise<Outcome> {
  const { job, steps, stepState } = planRun
  await deps.store.jobs.update(job.id, { state: 'undoing', code: error.code, message: error.message })
  const uncancellable = { ...stepState, signal: new AbortController().signal }
  for (let index = steps.length - 1; index >= 0; index--) {
    const step = steps[index]!
    const own = planRun.events.filter((event) => event.step === index)
    if (!step.undo || !own.some((event) => event.kind === 'started') || own.some((event) => event.kind === 'undone'))
      continue
    if (didNothing(own)) continue
    const output = own.findLast((event) => event.kind === 'succeeded')?.output
    try {
      await journal(deps, planRun, { step: index, name: step.name, kind: 'undoStarted' })
      deps.store.jobs.progress(job.id, { stepIndex: index, step: `undo: ${step.name}` })
      const context = { ...makeContext(deps, uncancellable), tag: `${job.id}.${index}` }
      await intercept(deps, planRun, index, 'beforeUndo')
      await step.undo(context, output)
      await intercept(deps, planRun, index, 'afterUndo', async () => await step.undo?.(context, output))
      await journal(deps, planRun, { step: index, name: step.name, kind: 'undone' })
    } catch (thrown) {
      const failed = toPengxError(thrown)
      await journal(deps, planRun, { step: index, name: step.name, kind: 'undoFailed', message: failed.message })
      const words = `${error.message}; and the undo of "${step.name}" failed: ${failed.message}`
      return { kind: 'stuck', error: new PengxError(failed.code, words, { cause: thrown }) }
    }
  }
  return { kind: 'unwound', error }
}

/** Every attempt at the step ended in `conflict`. */
function didNothing(own: readonly StepEvent[]): boolean {
  const attempts = own.filter((event) => event.kind === 'started').length
  const conflicts = own.filter(
    (event) => event.kind === 'failed' && (event.output as { code?: string } | undefined)?.code === 'conflict',
  )
  return attempts > 0 && conflicts.length === attempts
}

async function journal(deps: EngineDeps, planRun: PlanRun, event: Omit<StepEvent, 'seq' | 'at'>): Promise<void> {
  planRun.events.push(await deps.store.jobs.appendEvent(planRun.job.id, event))
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
