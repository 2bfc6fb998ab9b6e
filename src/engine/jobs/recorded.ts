import type { Host } from '../host/host.ts'
import { type CommandRecord, logHost } from '../host/logged.ts'
import type { JobRows } from '../store/jobs/jobRows.ts'
import type { JobRecord } from './context.ts'

/** A host whose commands are kept with a job, as Jobs shows them; a preview, which has no job, keeps none. */
export function withRecord(host: Host, jobs: JobRows, record: JobRecord | undefined): Host {
  if (!record || record.jobId === 'preview') return host
  const { jobId } = record
  const seqs = new Map<number, Promise<number>>()
  return logHost(host, (told) => void keep(told).catch(() => undefined))

  async function keep(told: CommandRecord): Promise<void> {
    const { id, host: name, line, startedAt: at } = told
    const begun = seqs.get(id)
    if (!begun) {
      const seq = jobs.appendCommand(jobId, { host: name, line, at, output: '' })
      seqs.set(id, seq)
      // Waited for when the command ends, which may be long after: a failure must not be nobody's until then.
      await seq
      return
    }
    seqs.delete(id)
    const output = told.tail ?? told.problem ?? ''
    await jobs.finishCommand(jobId, await begun, {
      tookMs: told.tookMs ?? 0,
      output,
      polls: told.effect === 'read',
      ...(told.exit === undefined ? {} : { exit: told.exit }),
    })
  }
}
