import { type PengxError, toPengxError } from '../../model/error.ts'
import { type EngineDeps, makeContext, type StepState } from './context.ts'
import type { Applied, Context } from './operation.ts'
import { didNothing, eventsOf, journal, type PlanRun } from './planRun.ts'

/** What no cancel reaches any more: a look, an undo, and all that comes behind the pivot. */
export function uncancelled(): Pick<StepState, 'signal'> {
  return { signal: new AbortController().signal }
}

/** What one step works with, or a look at it; commands are found again by its tag. */
export function contextOf(
  deps: EngineDeps,
  { stepState, gap }: PlanRun,
  index: number,
  more: Partial<StepState> = uncancelled(),
): Context {
  return makeContext(deps, { ...stepState, ...more, step: index, afterGap: gap !== undefined })
}

/**
 * Whether the effect of a step that has begun is there, by looking; false where the step cannot be asked, or has been undone
 * in part, or every attempt at it failed before any effect. The error, where nobody can tell. Writes nothing down.
 */
export async function probe(deps: EngineDeps, planRun: PlanRun, index: number): Promise<Applied | PengxError> {
  const step = planRun.steps[index]!
  if (!step.isApplied || didNothing(planRun, index)) return false
  if (eventsOf(planRun, index).some((event) => event.kind === 'undoStarted')) return false
  try {
    return await step.isApplied(contextOf(deps, planRun, index))
  } catch (thrown) {
    return toPengxError(thrown)
  }
}

/** Journals that a step's effect was found, so that it counts as succeeded. */
export async function recordFound(deps: EngineDeps, planRun: PlanRun, index: number): Promise<void> {
  await journal(deps, planRun, { step: index, kind: 'succeeded', output: null })
}
