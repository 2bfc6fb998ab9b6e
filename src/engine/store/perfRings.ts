import type { PerfSample } from '../../model/perf.ts'

/** How many samples of a PM or VM are kept. */
export const RING_SIZE = 360

/** Samples of PMs and VMs: the newest exactly, older ones to about 0.03 percent. */
export interface PerfRings {
  add(subject: string, sample: PerfSample): void
  /** Brings back what was saved; before what has been added since. */
  load(): Promise<void>
  /** Writes what has changed since the last time; done by itself at most once a minute, and on close. */
  save(): Promise<void>
}
