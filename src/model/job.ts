import type { Code } from './error.ts'
import type { Json } from './json.ts'
import type { Noun } from './noun.ts'

/**
 * `undone`: it failed and was rolled back. `cancelled`: the same, because somebody asked. `stuck`: an undo
 * failed, or what is past the pivot cannot be finished; it has two ways out, try again or keep as is.
 */
export type JobState = 'queued' | 'running' | 'undoing' | 'done' | 'undone' | 'cancelled' | 'stuck' | 'kept'

/** Who asked: the terminal interface, the API, the command line, a schedule. */
export type By = 'terminal' | 'http' | 'cli' | 'schedule'

export interface Subject {
  readonly kind: Noun | 'site'
  readonly id: string
  readonly name: string
}

export interface Job {
  readonly id: string
  /** Counts up from 1; how people name a job. */
  readonly number: number
  readonly operation: string
  readonly subject: Subject
  readonly state: JobState
  readonly by: By
  /** 0 to 1. */
  readonly progress: number
  /** The step at work and what it says of itself: `copy xvda: 41.2 of 65.0 GiB`. */
  readonly step: string
  readonly stepIndex: number
  readonly stepCount: number
  /** Index of the pivot in the plan, where it has one. */
  readonly pivotIndex?: number
  readonly createdAt: number
  readonly startedAt?: number
  readonly finishedAt?: number
  readonly code?: Code
  /** Why it is not done, or a notice about how it was done. */
  readonly message: string
  /** Position in the queue for its locks, while queued: 1 is next. */
  readonly queuePosition?: number
  /** The PM, by UUID, that did not answer it last. */
  readonly away?: string
  /** How often it was tried again by itself, while it is stuck, since that PM came up. */
  readonly retries?: number
  /** A person has seen the failure. */
  readonly acknowledged: boolean
}

export type StepEventKind = 'started' | 'succeeded' | 'failed' | 'undoStarted' | 'undone' | 'undoFailed'

/** One line of the journal: on disk before what it announces. */
export interface StepEvent {
  readonly seq: number
  readonly step: number
  readonly name: string
  readonly kind: StepEventKind
  readonly at: number
  readonly output?: Json
  readonly message?: string
}

/** A command that a job ran, as Jobs shows it: masked, with its output. */
export interface CommandRecord {
  readonly seq: number
  readonly host: string
  readonly line: string
  readonly at: number
  readonly tookMs?: number
  readonly exit?: number
  readonly output: string
}

export function isOver(state: JobState): boolean {
  return state === 'done' || state === 'undone' || state === 'cancelled' || state === 'kept'
}
