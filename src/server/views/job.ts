import type { Job, JobState } from '../../model/job.ts'
import type { Shape } from './shape.ts'

/** A caller waits for an end: one that a person has put up with is still not done and not rolled back. */
export const JOB_STATE: Record<JobState, string> = {
  queued: 'queued',
  running: 'running',
  undoing: 'running',
  done: 'done',
  undone: 'undone',
  cancelled: 'cancelled',
  stuck: 'stuck',
  kept: 'stuck',
}

export const jobShape: Shape<Job> = {
  name: 'job',
  id: (job) => job.id,
  fields: [
    { kind: 'text', name: 'operation', get: (job) => job.operation },
    { kind: 'text', name: 'target', get: (job) => job.subject.name },
    {
      kind: 'text',
      name: 'state',
      help: 'queued, running, done, undone (failed and rolled back), cancelled or stuck',
      get: (job) => JOB_STATE[job.state],
    },
    { kind: 'number', name: 'progress', help: 'percent', get: (job) => Math.floor(100 * job.progress) },
    {
      kind: 'text',
      name: 'step',
      help: 'what it is at, or its place in line',
      get: (job) => (job.state === 'queued' && job.queuePosition ? `number ${job.queuePosition} in line` : job.step),
    },
    { kind: 'text', name: 'by', help: 'terminal, http, cli or schedule', get: (job) => job.by },
    { kind: 'time', name: 'created', get: (job) => job.createdAt },
    { kind: 'time', name: 'finished', get: (job) => job.finishedAt },
    { kind: 'text', name: 'message', get: (job) => job.message },
  ],
}
