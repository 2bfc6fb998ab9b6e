import { PengxError, toPengxError } from '../../model/error.ts'
import type { Job, StepEvent } from '../../model/job.ts'
import type { Json } from '../../model/json.ts'
import { type Moment, type Moving, makeContext, type Parts } from './context.ts'
import type { Step } from './operation.ts'

/**
 * The steps of one job, forward and back. An event is on disk before what it announces, so a journal that ends anywhere
 * tells what may have happened: a step that started may have done all, half or nothing of its work, and its undo
 * has to cope with each.
 */
export interface Course {
  readonly job: Job
  readonly steps: readonly Step[]
  readonly moving: Moving
  /** What the journal holds of an earlier attempt. */
  readonly events: StepEvent[]
}

export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'unwound'; readonly error: PengxError }
  | { readonly kind: 'stuck'; readonly error: PengxError }

/** Past the pivot the job only goes forward. */
export function isPastPivot({ steps, events }: Course): boolean {
  const pivot = steps.findIndex((step) => step.pivot)
  return pivot >= 0 && events.some((event) => event.step === pivot && event.kind === 'succeeded')
}

/** Does the steps that have not succeeded, in order; unwinds on a failure before the pivot. */
export async function goForward(parts: Parts, course: Course): Promise<Outcome> {
  const { steps, events, moving } = course
  const total = steps.reduce((sum, step) => sum + (step.weight ?? 1), 0)
  let before = 0
  for (const [index, step] of steps.entries()) {
    const weight = step.weight ?? 1
    if (!events.some((event) => event.step === index && event.kind === 'succeeded')) {
      moving.step = index
      const share = (done: number) => (before + weight * done) / total
      const failure = await doStep(parts, course, index, share)
      if (failure && isPastPivot(course)) return { kind: 'stuck', error: failure }
      if (failure) {
        const decision = await decidePivot(parts, course)
        if (decision instanceof PengxError) return { kind: 'stuck', error: undecided(failure, decision) }
        if (!decision) return await goBack(parts, course, failure)
      }
    }
    before += weight
  }
  return { kind: 'done' }
}

async function doStep(
  parts: Parts,
  course: Course,
  index: number,
  share: (done: number) => number,
): Promise<PengxError | undefined> {
  const { job, moving } = course
  const step = course.steps[index]!
  const say = (done: number, text?: string) =>
    parts.store.jobs.progress(job.id, {
      progress: share(done),
      stepIndex: index,
      step: text ? `${step.name}: ${text}` : step.name,
    })
  try {
    if (moving.signal.aborted && !isPastPivot(course)) throw cancelledError(moving.signal)
    await journal(parts, course, { step: index, name: step.name, kind: 'started' })
    say(0)
    const context = { ...makeContext(parts, moving), tag: `${job.id}.${index}`, progress: say }
    await intercept(parts, course, index, 'before')
    const output = (await step.do(context)) ?? null
    await intercept(parts, course, index, 'after', () => step.do(context))
    await journal(parts, course, { step: index, name: step.name, kind: 'succeeded', output })
    say(1)
    ;(moving.outputs as Map<string, Json | undefined>).set(step.name, output)
    return undefined
  } catch (thrown) {
    const error =
      moving.signal.aborted && !isPastPivot(course) ? cancelledError(moving.signal, thrown) : toPengxError(thrown)
    const started = course.events.some((event) => event.step === index && event.kind === 'started')
    // What had been done by an earlier attempt at this very step is not taken back by a later refusal.
    const output = { code: error.code }
    if (started)
      await journal(parts, course, { step: index, name: step.name, kind: 'failed', message: error.message, output })
    return error
  }
}

/**
 * Whether a pivot that has started is found to have happened: then it counts as succeeded, and the job only goes forward.
 * The error, where nobody can tell.
 */
export async function decidePivot(parts: Parts, course: Course): Promise<boolean | PengxError> {
  const { job, steps, events, moving } = course
  const index = steps.findIndex((step) => step.pivot)
  const pivot = steps[index]
  const own = events.filter((event) => event.step === index)
  if (!pivot?.happened || !own.some((event) => event.kind === 'started')) return false
  if (own.some((event) => event.kind === 'undoStarted') || didNothing(own)) return false
  const calm = { ...moving, signal: new AbortController().signal }
  try {
    const context = { ...makeContext(parts, calm), tag: `${job.id}.${index}` }
    if (!(await pivot.happened(context))) return false
    await journal(parts, course, { step: index, name: pivot.name, kind: 'succeeded', output: null })
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

/** Undoes every step that started, last first; what failed with `conflict` promised that it had done nothing. */
export async function goBack(parts: Parts, course: Course, error: PengxError): Promise<Outcome> {
  const { job, steps, moving } = course
  await parts.store.jobs.update(job.id, { state: 'undoing', code: error.code, message: error.message })
  const calm = { ...moving, signal: new AbortController().signal }
  for (let index = steps.length - 1; index >= 0; index--) {
    const step = steps[index]!
    const own = course.events.filter((event) => event.step === index)
    if (!step.undo || !own.some((event) => event.kind === 'started') || own.some((event) => event.kind === 'undone'))
      continue
    if (didNothing(own)) continue
    const output = own.findLast((event) => event.kind === 'succeeded')?.output
    try {
      await journal(parts, course, { step: index, name: step.name, kind: 'undoStarted' })
      parts.store.jobs.progress(job.id, { stepIndex: index, step: `undo: ${step.name}` })
      const context = { ...makeContext(parts, calm), tag: `${job.id}.${index}` }
      await intercept(parts, course, index, 'beforeUndo')
      await step.undo(context, output)
      await intercept(parts, course, index, 'afterUndo', async () => await step.undo?.(context, output))
      await journal(parts, course, { step: index, name: step.name, kind: 'undone' })
    } catch (thrown) {
      const failed = toPengxError(thrown)
      await journal(parts, course, { step: index, name: step.name, kind: 'undoFailed', message: failed.message })
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

async function journal(parts: Parts, course: Course, event: Omit<StepEvent, 'seq' | 'at'>): Promise<void> {
  course.events.push(await parts.store.jobs.appendEvent(course.job.id, event))
}

async function intercept(
  parts: Parts,
  course: Course,
  step: number,
  phase: Moment['phase'],
  again: () => Promise<unknown> = async () => undefined,
): Promise<void> {
  const name = course.steps[step]!.name
  await parts.intercept?.({ jobId: course.job.id, operation: course.job.operation, step, name, phase, again })
}
