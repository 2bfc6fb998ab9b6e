import type { Code, PengxError } from '../../model/error.ts'
import type { Job, StepEvent } from '../../model/job.ts'
import type { EngineDeps, StepState } from './context.ts'
import type { Step } from './operation.ts'

/**
 * The steps of one job with what its journal holds of them. An event is on disk before what it announces, so a journal that
 * ends anywhere tells what may have happened: a step that started may have done all, half or nothing of its work.
 */
export interface PlanRun {
  readonly job: Job
  readonly steps: readonly Step[]
  readonly stepState: StepState
  /** What the journal holds of an earlier attempt. */
  readonly events: StepEvent[]
  /** It was cut off, and the world has moved on since; `consents`: a person has been told what an undo would take away. */
  readonly gap?: { readonly consents: boolean }
}

export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'unwound'; readonly error: PengxError }
  | { readonly kind: 'stuck'; readonly error: PengxError }

/** Pure. What the journal holds of one step. */
export function eventsOf({ events }: PlanRun, index: number): StepEvent[] {
  return events.filter((event) => event.step === index)
}

/** Pure. The step has begun, whatever became of it. */
export function hasBegun(planRun: PlanRun, index: number): boolean {
  return eventsOf(planRun, index).some((event) => event.kind === 'started')
}

/** Pure. The step has done its work, or was found to have done it. */
export function hasSucceeded(planRun: PlanRun, index: number): boolean {
  return eventsOf(planRun, index).some((event) => event.kind === 'succeeded')
}

/** Pure. Past the pivot the job only goes forward. */
export function isPastPivot(planRun: PlanRun): boolean {
  const pivot = planRun.steps.findIndex((step) => step.pivot)
  return pivot >= 0 && hasSucceeded(planRun, pivot)
}

/** Pure. Its undo has begun, or was kept from beginning: from then on the job only goes back. */
export function isGoingBack({ events }: PlanRun): boolean {
  return events.some((event) => event.kind === 'undoStarted' || event.kind === 'undoFailed')
}

type FailedOutput = { readonly code: Code; readonly changed?: true }

/** Pure. What the journal keeps of a failure; `changed`: something had been changed by then. */
export function failedOutput({ code }: PengxError, changed: boolean): FailedOutput {
  return { code, ...(changed ? { changed } : {}) }
}

/** Pure. Every attempt at the step ended in `conflict`, which promises that nothing was changed, and nothing tells otherwise. */
export function didNothing(planRun: PlanRun, index: number): boolean {
  const own = eventsOf(planRun, index)
  const attempts = own.filter((event) => event.kind === 'started').length
  const conflicts = own.filter((event) => {
    const { code, changed } = (event.output ?? {}) as Partial<FailedOutput>
    return event.kind === 'failed' && code === 'conflict' && !changed
  })
  return attempts > 0 && conflicts.length === attempts
}

/** Appends to the journal, durably, before what it announces. */
export async function journal(
  deps: EngineDeps,
  planRun: PlanRun,
  event: Omit<StepEvent, 'seq' | 'at' | 'name'>,
): Promise<void> {
  const { name } = planRun.steps[event.step]!
  planRun.events.push(await deps.store.jobs.appendEvent(planRun.job.id, { ...event, name }))
}
