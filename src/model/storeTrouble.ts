import type { Code } from './error.ts'

/** What keeps the store from being written; what is remembered is still shown, and looks still reach the view. */
export interface StoreTrouble {
  readonly code: Code
  /** In a few words: `the disk is full`. */
  readonly why: string
  /** Milliseconds since 1970. */
  readonly since: number
}
