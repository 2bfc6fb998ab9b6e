import type { Code } from '../model/error.ts'
import type { Job } from '../model/job.ts'

/** What a script sees of how it went. */
export const EXIT = { done: 0, failed: 1, usage: 2, refused: 3, unreachable: 4 } as const

const EXIT_OF: Record<Code, number> = {
  invalid: EXIT.usage,
  notFound: EXIT.refused,
  conflict: EXIT.refused,
  busy: EXIT.refused,
  refused: EXIT.refused,
  unsupported: EXIT.refused,
  readOnly: EXIT.refused,
  unreachable: EXIT.unreachable,
  commandFailed: EXIT.failed,
  noSpace: EXIT.failed,
  cancelled: EXIT.failed,
  internal: EXIT.failed,
}

export function exitOfCode(code: Code): number {
  return EXIT_OF[code]
}

/** A job that ended without a change because of what it found is refused; a wrong value by then is a failure. */
export function exitOfJob(job: Job): number {
  if (job.state === 'done') return EXIT.done
  if (job.state !== 'undone' || job.code === undefined || job.code === 'invalid') return EXIT.failed
  return exitOfCode(job.code)
}
