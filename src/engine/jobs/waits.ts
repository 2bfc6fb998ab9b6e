import { isOver } from '../../model/job.ts'
import type { EngineDeps } from './context.ts'

/**
 * Jobs of this process that wait for others to give back what they need. Whoever waits knows for which jobs: it asks
 * again when one of them is over, stuck or forgotten, and not all of them again and again.
 */
export interface Waits {
  /**
   * Resolves when it is worth asking again: one of `blockers` lets go, the job is to be cancelled, or a while has gone by.
   * Rejects as soon as the signal is aborted.
   */
  untilFree(jobId: string, blockers: readonly string[], signal: AbortSignal): Promise<void>
  /** A job of this process has given back locks and goes on: whoever waits for it asks again. */
  released(jobId: string): void
}

/** What of the engine it needs. */
export interface WaitsDeps {
  readonly clock: EngineDeps['clock']
  readonly store: {
    readonly view: Pick<EngineDeps['store']['view'], 'getJob' | 'refresh' | 'onChange'>
    readonly jobs: Pick<EngineDeps['store']['jobs'], 'cancelRequested'>
  }
}

interface Wait {
  readonly jobId: string
  readonly blockers: readonly string[]
  readonly since: number
  end(): void
  fail(error: unknown): void
}

/** How often all of them together look at what other processes have written. */
const POLL_MS = 150
/** What another process gives back without an end of its job is found by asking all the same. */
const ASK_ANYWAY_MS = 2_000

/** Nobody waits yet, and while nobody does nothing runs. After `closing` those who wait fail with the store. */
export function createWaits({ store, clock }: WaitsDeps, closing: AbortSignal): Waits {
  const waits = new Set<Wait>()
  let isPolling = false

  function isGone(id: string): boolean {
    const job = store.view.getJob(id)
    return job === undefined || isOver(job.state) || job.state === 'stuck'
  }

  function check(): void {
    for (const wait of [...waits]) {
      const isLong = clock.now() - wait.since >= ASK_ANYWAY_MS
      if (isLong || store.jobs.cancelRequested(wait.jobId) || wait.blockers.some(isGone)) wait.end()
    }
  }

  async function poll(): Promise<void> {
    isPolling = true
    const unwatch = store.view.onChange((changes) => {
      if (changes.some(({ kind }) => kind === 'job')) check()
    })
    try {
      while (waits.size > 0) {
        await clock.sleep(POLL_MS)
        try {
          await store.view.refresh()
        } catch (error) {
          if (closing.aborted) for (const wait of [...waits]) wait.fail(error)
        }
        check()
      }
    } finally {
      unwatch()
      isPolling = false
    }
  }

  return {
    untilFree(jobId, blockers, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const leave = () => {
          waits.delete(wait)
          signal.removeEventListener('abort', onAbort)
        }
        const fail = (error: unknown) => {
          leave()
          reject(error)
        }
        const end = () => {
          leave()
          resolve()
        }
        const onAbort = () => fail(signal.reason)
        const wait: Wait = { jobId, blockers, since: clock.now(), end, fail }
        waits.add(wait)
        signal.addEventListener('abort', onAbort, { once: true })
        if (!isPolling) void poll()
        // It may have let go between the answer and this; one that is not known yet is asked for with the next poll.
        if (blockers.some((id) => store.view.getJob(id) && isGone(id))) end()
      })
    },
    released(jobId) {
      for (const wait of [...waits]) if (wait.blockers.includes(jobId)) wait.end()
    },
  }
}
