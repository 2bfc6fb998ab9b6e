import type { CommandRecord, Job } from '../../model/job.ts'
import { beside, type Line } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import type { AppContext } from '../app/context.ts'
import { type ListDef, shownRows } from '../app/list.ts'
import { drawScrolled, handleScrollKey } from '../app/scroll.ts'
import { listOf } from '../app/state.ts'
import { commandLines, detailOf, stepLines } from './detail.ts'

/** Steps and commands of one job, below the list of jobs and on the screen of one. */

const NONE: readonly CommandRecord[] = []

/** The job that the path names. */
export const shownJob = (app: AppContext): Job | undefined => app.view().getJob(app.route().id ?? '')

/** The commands of the job that is shown, as far as a filter is concerned: it is scrolled and has no cursor. */
export const logList: ListDef<CommandRecord> = {
  name: 'job.log',
  sort: { column: '', down: false },
  empty: 'no command yet',
  columns: [],
  rows: (app) => {
    const job = shownJob(app)
    return (job && detailOf(app, job)?.detail?.commands) ?? NONE
  },
  id: ({ seq }) => String(seq),
  words: ({ host, line, output }) => `${host} ${line} ${output}`,
  filters: { host: ({ host }) => host },
  copies: () => [],
}

/** What the filter of the job's own screen leaves; elsewhere everything. */
function shownLog(app: AppContext, job: Job): readonly CommandRecord[] {
  if (app.route().screen === 'job') return shownRows(app, logList).rows
  return detailOf(app, job)?.detail?.commands ?? NONE
}

/** Steps at the left, commands at the right; in a narrow terminal one above the other. */
export function drawDetail(app: AppContext, job: Job, width: number, height: number): Line[] {
  const { choices, focus } = app.state()
  const follow = choices.follow !== false
  const withOutput = choices['job.bare'] !== true
  const wide = width >= 100
  const left = wide ? Math.max(Math.floor(width * 0.37), 40) : width
  const right = wide ? width - left : width
  const stepsHeight = wide ? height : Math.max(Math.floor(height / 2), 5)
  const logHeight = wide ? height : height - stepsHeight
  const name = `job.log ${job.id}`
  const search = listOf(app.state(), logList.name)
  const commands = commandLines(app, job, {
    withOutput,
    wrap: search.wide,
    width: right - 2,
    shown: shownLog(app, job),
  })
  if (follow && choices[name] !== 1e9) app.store.setState({ choices: { ...app.state().choices, [name]: 1e9 } })
  const steps = panel(stepLines(app, job, left - 2), left, stepsHeight, {
    title: `Job ${job.number}  ${job.operation} ${job.subject.name}`,
  })
  const log = drawScrolled(app, name, commands, right, logHeight, {
    title: `Commands${withOutput ? ' and output' : ''}   follow ${follow ? 'on' : 'off'}${search.filter ? `   /${search.filter}` : ''}`,
    focused: focus === 'log',
  })
  return wide ? beside(steps, left, log, right) : [...steps, ...log]
}

export function handleLogKey(app: AppContext, job: Job | undefined, key: string): boolean {
  if (job === undefined) return false
  const name = `job.log ${job.id}`
  if (!handleScrollKey(app, name, key)) return false
  if (key !== 'G' && key !== 'end') app.choose('follow', false)
  return true
}
