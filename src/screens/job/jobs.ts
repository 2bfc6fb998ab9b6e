import { formatSpan } from '../../lib/age.ts'
import type { Job } from '../../model/job.ts'
import { bar } from '../../ui/graph.ts'
import { type Line, line, span } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import type { Column } from '../../ui/table.ts'
import { type AppContext, isAtWork } from '../app/context.ts'
import { cursorRow, drawList, type ListDef, listTitle } from '../app/list.ts'
import type { KeyRow, Screen } from '../screen.ts'
import { jobSign, percent, timeLeft } from '../words.ts'
import { jobColumns } from './columns.ts'
import { commandText } from './detail.ts'
import { drawDetail, handleLogKey } from './jobLog.ts'
import { jobKeys } from './keys.ts'

/** Jobs: running first, then the newest; below them the steps and commands of the one under the cursor. */

export const BY: Record<Job['by'], string> = { terminal: 'you', http: 'http', cli: 'cli', schedule: 'timer' }

function progressCell(job: Job, app: AppContext): Line {
  if (job.state === 'running' || job.state === 'undoing') {
    const left = timeLeft(job, app.now())
    return line(span(bar(job.progress, 12), jobSign(job).tone), ` ${percent(job.progress).padStart(4)} ${left}`)
  }
  if (job.state === 'queued') return line(span(job.queuePosition ? `number ${job.queuePosition} in line` : '', 'dim'))
  if (job.state === 'done' && job.message === '') return []
  return line(span(job.message, job.state === 'done' ? 'dim' : 'plain'))
}

const columns: readonly Column<Job, AppContext>[] = [
  jobColumns.number,
  jobColumns.what,
  {
    name: 'on',
    title: 'ON',
    width: 12,
    grow: 20,
    kind: 'text',
    cell: (job) => job.subject.name,
    sort: (job) => job.subject.name,
  },
  jobColumns.state,
  { name: 'progress', title: 'PROGRESS', width: 20, grow: 60, kind: 'text', cell: progressCell },
  { ...jobColumns.started, drop: 4 },
  {
    name: 'took',
    title: 'TOOK',
    width: 7,
    kind: 'age',
    drop: 3,
    cell: (job, app) => (job.startedAt === undefined ? '–' : formatSpan((job.finishedAt ?? app.now()) - job.startedAt)),
    sort: (job) => (job.startedAt && job.finishedAt ? job.finishedAt - job.startedAt : undefined),
  },
  { name: 'by', title: 'BY', width: 5, kind: 'text', drop: 5, cell: (job) => BY[job.by], sort: (job) => job.by },
]

const ordered = new WeakMap<object, { readonly all: readonly Job[]; readonly mine: readonly Job[] }>()

/** Stuck and running ones first; the same arrays until the list of jobs changes. */
function jobRows(app: AppContext): readonly Job[] {
  const jobs = app.view().jobs()
  let known = ordered.get(jobs)
  if (known === undefined) {
    const all = [...jobs.filter(isAtWork), ...jobs.filter((job) => !isAtWork(job))]
    known = { all, mine: all.filter(({ by }) => by === 'terminal') }
    ordered.set(jobs, known)
  }
  return app.state().choices['jobs.mine'] ? known.mine : known.all
}

export const jobList: ListDef<Job> = {
  name: 'jobs',
  // Not a column's own order: running first, then the newest, which is how the rows come.
  sort: { column: '', down: true },
  empty: 'no job yet',
  columns,
  rows: jobRows,
  id: (job) => job.id,
  words: (job) =>
    `${job.number} ${job.operation} ${job.subject.name} ${jobSign(job).word} ${BY[job.by]} ${job.message}`,
  filters: {
    state: (job) => `${job.state} ${jobSign(job).word}`,
    on: (job) => job.subject.name,
    by: (job) => BY[job.by],
    what: (job) => job.operation,
  },
  copies: (job, app) => [
    ['commands and output', commandText(app, job)],
    ['job', String(job.number)],
    ['message', job.message],
  ],
}

const chosen = (app: AppContext) => cursorRow(app, jobList)

const listKeys: readonly KeyRow[] = [
  {
    key: 'enter',
    title: 'open',
    refuse: (app) => (chosen(app) === undefined ? 'there is no job here' : undefined),
    act: (app) => app.go({ screen: 'job', id: chosen(app)!.id }),
  },
  ...jobKeys(chosen),
  {
    key: 'o',
    title: 'only mine',
    act: (app) => app.choose('jobs.mine', !app.state().choices['jobs.mine']),
  },
]

function summary(app: AppContext): string {
  const jobs = app.view().jobs()
  const parts = [
    [jobs.filter(isAtWork).length, 'running'],
    [jobs.filter(({ state }) => state === 'stuck').length, 'stuck'],
    [jobs.filter(({ state }) => state === 'undone').length, 'undone'],
  ] as const
  const text = parts.flatMap(([number, word]) => (number > 0 ? [`${number} ${word}`] : [])).join(', ')
  return text === '' ? '' : `   ${text}`
}

export const jobsScreen: Screen = {
  name: 'jobs',
  title: 'Jobs',
  also: 'tasks',
  digit: '7',
  list: () => jobList,
  keys: listKeys,
  parts: () => ['list', 'log'],
  heading: (app) => [
    span(' Jobs', 'strong'),
    ...listTitle(app, jobList),
    span(summary(app), 'dim'),
    span(app.state().choices['jobs.mine'] ? '   only mine' : '', 'accent'),
  ],
  subjects: () => [],
  handleKey: (app, key) => app.state().focus === 'log' && handleLogKey(app, chosen(app), key),
  draw(app, width, height) {
    const job = chosen(app)
    const listHeight = job ? Math.max(Math.floor(height * 0.4), 6) : height
    const focused = app.state().focus === 'list'
    const list = panel(drawList(app, jobList, width - 2, listHeight - 2), width, listHeight, { focused })
    return job ? [...list, ...drawDetail(app, job, width, height - listHeight)] : list
  },
}
