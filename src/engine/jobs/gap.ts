import { PengxError } from '../../model/error.ts'
import type { StepEvent } from '../../model/job.ts'
import type { EngineDeps } from './context.ts'
import { hasBegun, hasSucceeded, isGoingBack, isPastPivot, type PlanRun } from './planRun.ts'
import { contextOf, probe, recordFound } from './probe.ts'

/**
 * After a gap: a job was cut off, and what was true then may not be now. What it had begun is looked for; what is there is
 * finished, and nothing that lives is taken away.
 */

/**
 * Whether a job that was cut off is to be finished rather than taken back, by looking at what it had begun. It is, where its
 * pivot is found to have happened; and before that where all of it is there still, and nothing is left to do, or others have
 * been led to it (`onward`), or the last of it can be done again. Journals what it finds. Throws where that cannot be told.
 */
export async function isToBeFinished(deps: EngineDeps, planRun: PlanRun, isCancelled: boolean): Promise<boolean> {
  const { steps } = planRun
  if (isPastPivot(planRun)) return true
  const begun = [...steps.keys()].filter((index) => hasBegun(planRun, index))
  const last = begun.at(-1)
  if (isGoingBack(planRun) || last === undefined) return false
  const standings = new Map<number, Standing>()
  // Last first: the pivot, which is behind all else that can be taken back, decides alone.
  for (const index of begun.reverse()) {
    const standing = await standingOf(deps, planRun, index)
    if (standing === 'found' && steps[index]!.pivot) {
      await recordFound(deps, planRun, index)
      return true
    }
    if (standing === 'gone') return false
    standings.set(index, standing)
  }
  const isAll = begun.length === steps.length && begun.every((index) => standings.get(index) !== 'again')
  const isAgain = standings.get(last) === 'again'
  const isOnItsWay = isAgain || begun.some((index) => steps[index]!.onward)
  const cannotBeCancelled = isAgain && steps[last]!.undo === undefined
  if (!isAll && !(isCancelled ? cannotBeCancelled : isOnItsWay)) return false
  for (const [index, standing] of standings) if (standing === 'found') await recordFound(deps, planRun, index)
  return true
}

/** Of a step that had begun: its journal says that it is done, and nothing contradicts; it is found; it can be done again; it is not there. */
type Standing = 'done' | 'found' | 'again' | 'gone'

async function standingOf(deps: EngineDeps, planRun: PlanRun, index: number): Promise<Standing> {
  const isDone = hasSucceeded(planRun, index)
  const { onlyReads, name } = planRun.steps[index]!
  if (onlyReads) return isDone ? 'done' : 'again'
  const found = await probe(deps, planRun, index)
  if (found instanceof PengxError) {
    const why = `whether "${name}" was done cannot be told: ${found.message}`
    throw new PengxError(found.code, why, { cause: found })
  }
  if (found === true) return isDone ? 'done' : 'found'
  if (found === 'again') return isDone ? 'done' : 'again'
  return 'gone'
}

interface Used {
  readonly index: number
  readonly why: string
}

/** The first of the steps about to be undone whose undo would take away what may have been used since; throws what looking does. */
export async function usedSince(
  deps: EngineDeps,
  planRun: PlanRun,
  indexes: readonly number[],
): Promise<Used | undefined> {
  const exposing = await lastExposing(deps, planRun)
  for (const index of indexes) {
    const what = await planRun.steps[index]!.mayBeUsed?.(contextOf(deps, planRun, index), exposing >= index)
    if (what === undefined) continue
    const why = `${what}, and may have been used since: trying again takes it away, keeping things leaves it`
    return { index, why }
  }
  return undefined
}

/** The last step that has led others to what was made before it, or may have; -1 where none has. */
async function lastExposing(deps: EngineDeps, planRun: PlanRun): Promise<number> {
  for (const [index, step] of [...planRun.steps.entries()].reverse()) {
    if (!step.onward || !hasBegun(planRun, index)) continue
    if (hasSucceeded(planRun, index) || (await probe(deps, planRun, index)) !== false) return index
  }
  return -1
}

/** What the journal of a job ends with that was stopped before it took away what may have been used. */
export const USED = { used: true }

/** Pure. Whether a journal ends so. */
export function stoppedForUse(events: readonly StepEvent[]): boolean {
  const last = events.at(-1)
  return last?.kind === 'undoFailed' && (last.output as typeof USED | undefined)?.used === true
}
