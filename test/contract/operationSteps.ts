import { expect } from 'bun:test'
import type { Json } from '../../src/model/json.ts'
import type { World } from '../support/sites/world.ts'
import type { OperationCase } from './operationCase.ts'
import type { Trials } from './trials.ts'

/** What the steps of an operation promise, and what follows from that for a trial which is cut short at one of them. */
export type Phase = 'before' | 'after'

export interface Steps {
  readonly names: readonly string[]
  /** Can be taken back, or has nothing to take back. */
  readonly comesBack: readonly boolean[]
  readonly undoable: readonly boolean[]
  readonly pivot: number
  /** Whether it happened is found by looking. */
  readonly decided: readonly boolean[]
}

export async function runToEnd(world: World, operation: string, params: Json, began?: (jobId: string) => void) {
  const started = await world.engine.start(operation, params, 'cli')
  began?.(started.id)
  const { job } = await world.engine.finished(started.id)
  return { job, detail: await world.engine.jobDetail(job.id) }
}

export async function stepsOf(one: OperationCase, trials: Trials): Promise<Steps> {
  let steps: Steps = { names: [], comesBack: [], undoable: [], pivot: -1, decided: [] }
  await trials.inWorld({}, async (world, raw) => {
    const preview = await world.engine.preview(one.operation, world.engine.decode(one.operation, raw))
    steps = {
      names: preview.steps.map((step) => step.name),
      comesBack: preview.steps.map((step) => step.undoable || step.reads === true),
      undoable: preview.steps.map((step) => step.undoable),
      pivot: preview.steps.findIndex((step) => step.pivot),
      decided: preview.steps.map((step) => step.decided === true),
    }
  })
  expect(steps.names.length).toBeGreaterThan(0)
  return steps
}

/** Whether everything that had been begun can be taken back, so that the site has to be as it was. */
export function comesBack(steps: Steps, index: number, phase: Phase): boolean {
  return steps.comesBack.slice(0, phase === 'before' ? index : index + 1).every(Boolean)
}

/** A failure in the step at `index` finds the pivot already succeeded. */
export function isPast(steps: Steps, index: number): boolean {
  return steps.pivot >= 0 && index > steps.pivot
}

/** Its effect is there and may be found by looking: the job goes on. */
export function mayBeFound(steps: Steps, index: number, phase: Phase): boolean {
  return steps.decided[index]! && phase === 'after'
}

export function hasDecidedPivot(steps: Steps, index: number): boolean {
  return index === steps.pivot && steps.decided[index]!
}

/** The last step that can be taken back. */
export function lastUndone({ names, pivot }: Steps): number {
  return pivot < 0 ? names.length - 1 : pivot - 1
}
