/** What a simulated program is given, and how it answers. */
import type { Clock } from '../../lib/clock.ts'
import type { PmState, SiteState } from './state.ts'

/** What programs and guests share of the site. */
export interface SimWorld {
  readonly state: SiteState
  readonly clock: Clock
  /** Simulated durations are multiplied by this; 0: everything is over at once. */
  readonly pace: number
  /** Writes the state down, where the site has a file. */
  save(): void
}

export interface Call {
  readonly world: SimWorld
  readonly pm: PmState
  readonly argv: readonly string[]
  readonly pty?: { columns: number; rows: number }
  /** All of standard input, as text. */
  stdin(): Promise<string>
  /** The next piece of standard input; undefined at its end. */
  read(): Promise<string | undefined>
  out(text: string): void
  err(text: string): void
  /** Aborted when the program is ended from outside. */
  readonly signal: AbortSignal
  now(): number
  /** Runs another program with the same input and output (`timeout`, `nice`, a shell's words), here or there (`ssh`). */
  run(argv: readonly string[], there?: PmState): Promise<number>
  /** Lets simulated time pass (times the site's pace), then brings the guests up to date. */
  pass(ms: number): Promise<void>
}

/** Returns its exit status. */
export type Program = (call: Call) => number | Promise<number>
