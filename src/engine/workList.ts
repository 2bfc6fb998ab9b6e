import type { Job } from '../model/job.ts'
import { pmsIn } from './jobs/jobRun.ts'
import type { AnyOperation } from './jobs/operation.ts'
import type { Runner } from './jobs/runner.ts'
import type { Store } from './store/store.ts'
import { untilTrouble } from './store/unwritten.ts'

/** The jobs that this process works on, however they came to it. */
export interface WorkList {
  /** From now on until it is over or stuck; the PMs that it touched are told then. */
  follow(jobId: string): void
  /** Takes over what dead processes have left, and follows it. */
  recover(): Recovery
  /** What would be left if this process ended now, by number. */
  atWork(): readonly Job[]
}

/** Neither fails: what cannot be taken over now is left to the next process. */
export interface Recovery {
  /** The jobs that were taken over. */
  readonly begun: Promise<readonly Job[]>
  /** Each of them is over or stuck, or the store cannot be written: they go on with it. */
  readonly over: Promise<void>
}

/** A list that is empty. `touched`: called with each PM that a job has locked or acted on, when it has ended. */
export function createWorkList(
  { view, jobs }: Store,
  operations: ReadonlyMap<string, AnyOperation>,
  runner: Pick<Runner, 'finished' | 'recover'>,
  touched: (pm: string) => void,
): WorkList {
  const followed = new Set<string>()

  /** Read from its row, so that one that another process had begun tells the same. */
  async function pmsOf(jobId: string): Promise<ReadonlySet<string>> {
    const { job, params, locks } = await jobs.load(jobId)
    const locked = pmsIn(locks)
    try {
      return new Set([...locked, ...(operations.get(job.operation)?.touches(params, view) ?? [])])
    } catch {
      // Its subject is gone by now, and names no PM.
      return locked
    }
  }

  function follow(jobId: string): void {
    followed.add(jobId)
    const ended = async () => {
      await runner.finished(jobId).finally(() => followed.delete(jobId))
      for (const pm of await pmsOf(jobId)) touched(pm)
    }
    // It is forgotten, or this process is closing.
    ended().catch(() => undefined)
  }

  return {
    follow,
    recover() {
      const begun = Promise.withResolvers<readonly Job[]>()
      const recovered = runner.recover((jobs) => {
        for (const { id } of jobs) follow(id)
        begun.resolve(jobs)
      })
      recovered.catch(() => undefined).finally(() => begun.resolve([]))
      return { begun: begun.promise, over: untilTrouble(view, recovered) }
    },
    atWork: () =>
      [...followed]
        .flatMap((id) => view.getJob(id) ?? [])
        .filter(({ state }) => state === 'queued' || state === 'running' || state === 'undoing')
        .sort((one, other) => one.number - other.number),
  }
}
