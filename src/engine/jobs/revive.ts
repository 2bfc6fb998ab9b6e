import type { Job } from '../../model/job.ts'
import type { View } from '../store/view.ts'
import type { Runner } from './runner.ts'

/**
 * A job that is stuck because a PM could not be reached needs no person: when the PM has answered since, it is tried
 * again. One that is stuck for another reason waits for somebody to decide. Call it when something has changed.
 */
export async function reviveStuck(view: View, runner: Runner): Promise<void> {
  const ready = view
    .jobs()
    .filter((job) => job.state === 'stuck' && job.code === 'unreachable' && hasAnswered(job, view))
  await Promise.all(
    ready.map(async ({ id }) => {
      try {
        await runner.retry(id, false)
        await runner.finished(id)
      } catch {
        // Another process was quicker, or this one is closing.
      }
    }),
  )
}

/** The PM of its subject, or any where that cannot be told, was seen after it got stuck. */
function hasAnswered(job: Job, view: View): boolean {
  const pm = job.subject.kind === 'vm' ? view.getVm(job.subject.id)?.pm : view.getPm(job.subject.id)?.uuid
  const pms = view.pms().filter((one) => pm === undefined || one.uuid === pm)
  return pms.some((one) => one.seen.reach === 'up' && one.seen.at > (job.finishedAt ?? 0))
}
