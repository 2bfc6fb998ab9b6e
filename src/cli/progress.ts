import type { Engine } from '../engine/engine.ts'
import { cutCells } from '../lib/text.ts'
import type { Job } from '../model/job.ts'
import type { Io } from './io.ts'

/** Draws a job's progress over itself on a terminal; elsewhere it is silent. Returns how to stop. */
export function showProgress(engine: Engine, jobId: string, io: Io): () => void {
  if (!io.errIsTerminal) return () => undefined
  let shown = ''
  const draw = () => {
    const job = engine.view.getJob(jobId)
    const line = job ? cutCells(formatProgress(job), io.errColumns() - 1) : shown
    if (line === shown) return
    shown = line
    io.err(`\r\x1b[K${line}`)
  }
  draw()
  const stop = engine.subscribe((changes) => {
    if (changes.some((change) => change.kind === 'job' && change.id === jobId)) draw()
  })
  return () => {
    stop()
    io.err('\r\x1b[K')
  }
}

function formatProgress(job: Job): string {
  const what = `${job.operation} ${job.subject.name}`
  if (job.state === 'queued') return `${what}: waits${job.queuePosition ? `, ${job.queuePosition} before it` : ''}`
  const step = job.stepCount > 0 ? `step ${Math.min(job.stepIndex + 1, job.stepCount)} of ${job.stepCount} ` : ''
  const undoing = job.state === 'undoing' ? 'undoing: ' : ''
  return `${what}: ${undoing}${step}${job.step}  ${Math.floor(job.progress * 100)}%`
}
