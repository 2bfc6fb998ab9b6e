import type { Memory } from '../memory/memory.ts'
import type { Write } from '../sqlite/revisions.ts'
import type { JobRow } from '../sqlite/schema.ts'
import { toPatchRow } from './decoding.ts'
import type { JobProgress } from './jobRows.ts'

/** How long progress stays in memory alone: a copy tells of itself many times a second. */
const WRITTEN_EVERY_MS = 500

export interface ProgressDeps {
  readonly memory: Memory
  readonly write: Write
}

export interface ProgressRows {
  put(id: string, progress: JobProgress): void
  tell(id: string, step: string): void
  flush(): Promise<void>
  /** What is not on disk yet, for somebody who writes the row anyway. */
  take(id: string): Partial<JobRow>
}

/** Progress of jobs at work: in the view at once, written every half second, or with the next write of the row. */
export function createJobProgress({ memory, write }: ProgressDeps): ProgressRows {
  const pending = new Map<string, JobProgress>()
  let timer: ReturnType<typeof setTimeout> | undefined

  async function flush(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    if (pending.size === 0) return
    await write('relaxed', async ({ sql, revision: rev }) => {
      for (const [id, progress] of pending) {
        await sql
          .updateTable('jobs')
          .set({ ...toPatchRow(progress), rev })
          .where('id', '=', id)
          .execute()
      }
      pending.clear()
    })
  }

  function show(id: string, progress: JobProgress): boolean {
    const held = memory.get('job', id)
    if (!held) return false
    memory.put('job', { ...held, job: { ...held.job, ...progress } }, memory.revOf('job', id))
    return true
  }

  return {
    tell(id, step) {
      if (memory.get('job', id)?.job.step !== step) show(id, { step })
    },
    put(id, progress) {
      if (!show(id, progress)) return
      pending.set(id, { ...pending.get(id), ...progress })
      // A failure to write is told by the next event, which must be written.
      timer ??= setTimeout(() => void flush().catch(() => undefined), WRITTEN_EVERY_MS)
    },
    flush,
    take(id) {
      const progress = pending.get(id) ?? {}
      pending.delete(id)
      return toPatchRow(progress)
    },
  }
}
