/** A thing that a job needs for itself (`exclusive`) or needs to stay as it is (`shared`). */
export interface LockRequest {
  /** `vm:UUID`, `pm:UUID`, `storlink:ID`, `name:vm:NAME`, … */
  readonly key: string
  readonly mode: 'exclusive' | 'shared'
}

export type LockAnswer =
  | { readonly granted: true }
  | {
      readonly granted: false
      /** 1: next, as soon as those that hold are done. */
      readonly position: number
      /** Jobs that hold, or wait before this one for, something that it needs; holders first. */
      readonly waitsFor: readonly string[]
    }

export interface HeldLock extends LockRequest {
  readonly job: string
  readonly state: 'held' | 'waiting'
}

/** Locks of jobs, across all processes on this store. */
export interface LockRows {
  /**
   * All or nothing, in one transaction. What is not granted stays in the queue, in the order of job numbers: ask again
   * when a job has changed. A waiting exclusive lock is not overtaken by later shared ones. Asking again for what is
   * held is granted; a job that holds locks cannot ask for others (it could wait for one that waits for it).
   */
  acquire(jobId: string, locks: readonly LockRequest[]): Promise<LockAnswer>
  /** Gives back what it holds and leaves the queue. A job that becomes over is released by the store itself. */
  release(jobId: string): Promise<void>
  all(): Promise<readonly HeldLock[]>
}
