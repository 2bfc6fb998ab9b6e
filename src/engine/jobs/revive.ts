import type { Clock } from '../../lib/clock.ts'
import type { Job } from '../../model/job.ts'
import type { Pm } from '../../model/pm.ts'
import type { JobRows } from '../store/jobs/jobRows.ts'
import type { LiveView } from '../store/memory/liveView.ts'
import { untilTrouble } from '../store/unwritten.ts'
import type { View } from '../store/view.ts'
import type { Runner } from './runner.ts'

/** The first pause between two tries; each further one is twice as long as the one before, up to the longest. */
const FIRST_MS = 5_000
const LONGEST_MS = 600_000

export interface ReviverDeps {
  readonly view: LiveView
  readonly jobs: Pick<JobRows, 'takeRetry'>
  readonly clock: Clock
  readonly runner: Pick<Runner, 'retry' | 'finished'>
  /** Called with each job that this process goes on with. */
  onRetry(jobId: string): void
}

/** Goes on with what is stuck because a PM was away. */
export interface Reviver {
  /** To be called when a PM has been looked at: begins. */
  looked(): void
  /** Begins, too, since who has looked may ask before anybody was told of it; gives what is gone on with now, or is about to be. */
  atWork(): Revival
}

/** Jobs that are gone on with since the PM that was away for them answers again. */
export interface Revival {
  readonly jobs: readonly Job[]
  /** Each of them is over or stuck, or the store cannot be written: they go on with it. Does not fail. */
  readonly over: Promise<void>
}

/**
 * A job that is stuck because a PM could not be reached needs no person: it is tried again when that PM has come up, and
 * with ever longer pauses while it is up and the job gets stuck again. One that is stuck for another reason, or of which
 * nobody knows which PM was away, waits for somebody to decide. Of several processes that do, one goes on with a job, and
 * its row tells all of them when it is due again.
 */
export function createReviver({ view, jobs, clock, runner, onRetry }: ReviverDeps): Reviver {
  const atWork = new Map<string, Promise<void>>()

  async function retry(job: Job, pm: Pm): Promise<void> {
    try {
      // Another process may be quicker, and a person even then.
      if (!(await jobs.takeRetry(job.id, hasComeUp(job, pm) ? 1 : (job.retries ?? 0) + 1))) return
      await runner.retry(job.id, false)
      onRetry(job.id)
      await runner.finished(job.id)
    } catch {
      // What it failed of is written down, or the store cannot be written now; a later look asks again.
    } finally {
      atWork.delete(job.id)
    }
  }

  function looked(): void {
    for (const job of view.jobs()) {
      if (job.state !== 'stuck' || job.code !== 'unreachable' || atWork.has(job.id)) continue
      const pm = view.getPm(pmAway(job, view) ?? '')
      if (pm && isDue(job, pm, clock.now())) atWork.set(job.id, retry(job, pm))
    }
  }

  return {
    looked,
    atWork() {
      looked()
      const jobs = [...atWork.keys()].flatMap((id) => view.getJob(id) ?? [])
      return { jobs, over: untilTrouble(view, Promise.all(atWork.values())) }
    },
  }
}

/** The one that did not answer it, or its subject's, for a job of a version that did not write that down. */
function pmAway({ away, subject }: Job, view: View): string | undefined {
  return away ?? (subject.kind === 'vm' ? view.getVm(subject.id)?.pm : subject.kind === 'pm' ? subject.id : undefined)
}

/** The PM has answered since it got stuck; and has come up since, or the pause is over. */
function isDue(job: Job, pm: Pm, now: number): boolean {
  const { finishedAt: stuckAt } = job
  if (stuckAt === undefined || pm.seen.reach !== 'up' || pm.seen.at <= stuckAt) return false
  return hasComeUp(job, pm) || now - stuckAt >= Math.min(LONGEST_MS, FIRST_MS * 2 ** (job.retries ?? 0))
}

function hasComeUp(job: Job, { seen }: Pm): boolean {
  return seen.reach === 'up' && seen.since > (job.finishedAt ?? 0)
}
