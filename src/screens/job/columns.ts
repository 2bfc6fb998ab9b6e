import { formatMoment } from '../../lib/age.ts'
import type { Job } from '../../model/job.ts'
import type { Column } from '../../ui/table.ts'
import type { AppContext } from '../app/context.ts'
import { jobSign, signSpan } from '../words.ts'

/** Columns that every list of jobs has; each list adds how wide they are. */
export const jobColumns = {
  number: {
    name: 'number',
    title: 'JOB',
    width: 5,
    kind: 'number',
    cell: (job) => String(job.number),
    sort: (job) => job.number,
  },
  what: {
    name: 'what',
    title: 'WHAT',
    width: 14,
    grow: 18,
    kind: 'text',
    cell: (job) => job.operation,
    sort: (job) => job.operation,
  },
  state: {
    name: 'state',
    title: 'STATE',
    width: 12,
    kind: 'text',
    cell: (job) => signSpan(jobSign(job)),
    sort: (job) => job.state,
  },
  started: {
    name: 'started',
    title: 'STARTED',
    width: 11,
    kind: 'age',
    cell: (job, app) => formatMoment(job.startedAt ?? job.createdAt, app.now()),
    sort: (job) => job.createdAt,
  },
} satisfies Record<string, Column<Job, AppContext>>
