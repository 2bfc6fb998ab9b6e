import type { WorldPlace } from '../sites/world.ts'

/**
 * A moment of an operation: before or after the effect of one of its steps, before its undo, or within the step, behind so
 * many commands.
 */
export interface CrashPoint {
  readonly index: number
  readonly phase: 'before' | 'after' | 'beforeUndo' | number
}

/** What the process that is killed is told (crashChild.ts). */
export interface CrashOrder extends CrashPoint {
  /** It is cancelled when that step has done its work. */
  readonly cancelledAt?: number | undefined
  readonly place: WorldPlace
  readonly config: Readonly<Record<string, unknown>> | undefined
  readonly operation: string
  readonly raw: Readonly<Record<string, unknown>>
}

/** Where a copy lies of what the world's files held at a point that came before the one of the kill. */
export function placeAt({ db, state }: WorldPlace, { index, phase }: CrashPoint): WorldPlace {
  const ending = `${index}.${phase}`
  return { db: `${db}.${ending}`, state: `${state}.${ending}` }
}
