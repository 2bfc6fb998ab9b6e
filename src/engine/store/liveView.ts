import type { Change, View } from './view.ts'

/** The view with what keeps it alive. */
export interface LiveView extends View {
  /** Brings in what other processes have written; costs microseconds where there is nothing. */
  refresh(): Promise<void>
  /** Called with what changed, at most once a tick; returns how to stop it. */
  onChange(listener: (changes: readonly Change[]) => void): () => void
}
