import type { CommandRecord, Job } from '../../model/job.ts'
import { beside, type Line } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import type { Desk } from '../app/context.ts'
import { type ListDef, shownRows } from '../app/list.ts'
import { drawScrolled, pressScroll } from '../app/scroll.ts'
import { listOf } from '../app/state.ts'
import { commandLines, detailOf, stepLines } from './detail.ts'

/** Steps and commands of one job, below the list of jobs and on the screen of one. */

const NONE: readonly CommandRecord[] = []

/** The job that the path names. */
export const shownJob = (desk: Desk): Job | undefined => desk.view().getJob(desk.stop().id ?? '')

/** The commands of the job that is shown, as far as a filter is concerned: it is scrolled and has no cursor. */
export const logList: ListDef<CommandRecord> = {
  name: 'job.log',
  sort: { column: '', down: false },
  empty: 'no command yet',
  columns: [],
  rows: (desk) => {
    const job = shownJob(desk)
    return (job && detailOf(desk, job)?.detail?.commands) ?? NONE
  },
  id: ({ seq }) => String(seq),
  words: ({ host, line, output }) => `${host} ${line} ${output}`,
  filters: { host: ({ host }) => host },
  copies: () => [],
}

/** What the filter of the job's own screen leaves; elsewhere everything. */
function shownLog(desk: Desk, job: Job): readonly CommandRecord[] {
  if (desk.stop().screen === 'job') return shownRows(desk, logList).rows
  return detailOf(desk, job)?.detail?.commands ?? NONE
}

/** Steps at the left, commands at the right; in a narrow terminal one above the other. */
export function drawDetail(desk: Desk, job: Job, width: number, height: number): Line[] {
  const { choices, focus } = desk.state()
  const follow = choices.follow !== false
  const withOutput = choices['job.bare'] !== true
  const wide = width >= 100
  const left = wide ? Math.max(Math.floor(width * 0.37), 40) : width
  const right = wide ? width - left : width
  const stepsHeight = wide ? height : Math.max(Math.floor(height / 2), 5)
  const logHeight = wide ? height : height - stepsHeight
  const name = `job.log ${job.id}`
  const search = listOf(desk.state(), logList.name)
  const commands = commandLines(desk, job, {
    withOutput,
    wrap: search.wide,
    width: right - 2,
    shown: shownLog(desk, job),
  })
  if (follow && choices[name] !== 1e9) desk.store.setState({ choices: { ...desk.state().choices, [name]: 1e9 } })
  const steps = panel(stepLines(desk, job, left - 2), left, stepsHeight, {
    title: `Job ${job.number}  ${job.operation} ${job.subject.name}`,
  })
  const log = drawScrolled(desk, name, commands, right, logHeight, {
    title: `Commands${withOutput ? ' and output' : ''}   follow ${follow ? 'on' : 'off'}${search.filter ? `   /${search.filter}` : ''}`,
    focused: focus === 'log',
  })
  return wide ? beside(steps, left, log, right) : [...steps, ...log]
}

export function pressLog(desk: Desk, job: Job | undefined, key: string): boolean {
  if (job === undefined) return false
  const name = `job.log ${job.id}`
  if (!pressScroll(desk, name, key)) return false
  if (key !== 'G' && key !== 'end') desk.choose('follow', false)
  return true
}
