import { formatAge } from '../../lib/age.ts'
import { getOrMake } from '../../lib/getOrMake.ts'
import { naturalKey } from '../../lib/text.ts'
import type { Retention, Schedule } from '../../model/backup.ts'
import type { Job, Subject } from '../../model/job.ts'
import { takenSince } from '../../model/schedule/times.ts'
import { vmsMatching } from '../../model/schedule/vmFilter.ts'
import type { Vm } from '../../model/vm.ts'
import { line, span } from '../../ui/line.ts'
import { storlinkText, uuidColumn } from '../app/columns.ts'
import type { AppContext } from '../app/context.ts'
import type { ListDef } from '../app/list.ts'
import { count, type Sign, signSpan } from '../words.ts'
import { isVmGone } from './columns.ts'
import { backupsFor } from './facts.ts'
import { lastRun, newestDue, nextOf } from './times.ts'

/** Schedules: when VMs are backed up by themselves, and whether that comes about. */

const busyBy = new WeakMap<readonly Job[], ReadonlySet<number>>()

/** Another schedule is at work onto the same storlink, after which its turn comes. */
export function isInLine({ storlink }: Schedule, app: AppContext): boolean {
  const view = app.view()
  const atWork = () => view.schedules().filter((one) => jobOfSchedule(one, app) !== undefined)
  return getOrMake(busyBy, view.jobs(), () => new Set(atWork().map((one) => one.storlink))).has(storlink)
}

/** The backup that it makes, or reads back, at this moment. */
export function jobOfSchedule(schedule: Schedule, app: AppContext): Job | undefined {
  const view = app.view()
  const jobs =
    schedule.what === 'verify'
      ? vmsOf(schedule, app).flatMap((vm) => backupsFor(app, vm).map(({ uuid }) => view.jobOn('backup', uuid)))
      : vmsOf(schedule, app).map((vm) => view.jobOn('vm', vm))
  const operation = `backup.${schedule.what ?? 'create'}`
  return jobs.find((job) => job?.by === 'schedule' && job.operation === operation)
}

const matched = new WeakMap<readonly Vm[], Map<string, readonly Vm[]>>()

/** Those that its filter matches now. */
export function matchesOf(filter: string, app: AppContext): readonly Vm[] {
  const byFilter = getOrMake(matched, app.view().vms(), () => new Map())
  return getOrMake(byFilter, filter, () => vmsMatching(filter, app.view()))
}

/** The UUIDs of whom it is for. */
function vmsOf({ vm, filter }: Schedule, app: AppContext): readonly string[] {
  if (filter !== undefined) return matchesOf(filter, app).map(({ uuid }) => uuid)
  return vm === undefined ? [] : [vm]
}

export function scheduleSign(schedule: Schedule, app: AppContext): Sign {
  const { enabled, problem } = schedule
  if (!enabled) return { glyph: '‖', word: 'paused', tone: 'warn' }
  if (isVmGone(schedule, app)) return { glyph: '✗', word: 'VM gone', tone: 'bad' }
  if (jobOfSchedule(schedule, app)) return { glyph: '▶', word: 'at work', tone: 'busy' }
  if (problem !== undefined) return { glyph: '✗', word: 'failed', tone: 'bad' }
  const due = newestDue(schedule, app.now())
  if (due !== undefined && due > takenSince(schedule))
    return isInLine(schedule, app)
      ? { glyph: '·', word: 'in line', tone: 'busy' }
      : { glyph: '▲', word: 'missed', tone: 'warn' }
  if (lastRun(schedule) === undefined) return { glyph: '·', word: 'waits', tone: 'dim' }
  return { glyph: '✓', word: 'done', tone: 'ok' }
}

/** What it keeps: `7 newest, 7 days, 4 weeks`; hours and months where it keeps any of them. */
export function retentionText({ keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly }: Retention): string {
  const hours = keepHourly > 0 ? [count(keepHourly, 'hour')] : []
  const months = keepMonthly > 0 ? [count(keepMonthly, 'month')] : []
  return [`${keepLast} newest`, ...hours, count(keepDaily, 'day'), count(keepWeekly, 'week'), ...months].join(', ')
}

const untilNext = (schedule: Schedule, app: AppContext) => nextOf(schedule, app.now())

const makes = ({ what, incremental }: Schedule) => what ?? (incremental ? 'incremental' : 'full')

export const scheduleList: ListDef<Schedule> = {
  name: 'schedules',
  sort: { column: 'vm', down: false },
  empty: 'no schedule yet: n makes one, and then backups are made by themselves',
  columns: [
    {
      name: 'vm',
      title: 'VM',
      width: 12,
      grow: 24,
      kind: 'text',
      cell: (schedule, app) =>
        isVmGone(schedule, app) ? line(schedule.vmName, span(' gone', 'warn')) : schedule.vmName,
      sort: ({ vmName }) => naturalKey(vmName),
      tail: true,
    },
    {
      name: 'state',
      title: 'STATE',
      width: 9,
      kind: 'text',
      cell: (schedule, app) => signSpan(scheduleSign(schedule, app)),
      sort: (schedule, app) => scheduleSign(schedule, app).word,
      live: true,
    },
    {
      name: 'cron',
      title: 'WHEN',
      width: 14,
      grow: 20,
      kind: 'text',
      cell: ({ cron }) => cron,
      sort: ({ cron }) => cron,
    },
    {
      name: 'next',
      title: 'NEXT',
      width: 6,
      kind: 'age',
      cell: (schedule, app) => {
        const next = untilNext(schedule, app)
        return next === undefined ? '–' : `in ${formatAge(next - app.now())}`
      },
      sort: untilNext,
    },
    {
      name: 'last',
      title: 'LAST',
      width: 8,
      kind: 'age',
      cell: (schedule, app) => {
        const last = lastRun(schedule)
        return last === undefined ? '–' : `${formatAge(app.now() - last)} ago`
      },
      sort: lastRun,
    },
    {
      name: 'storlink',
      title: 'STORLINK',
      width: 9,
      grow: 16,
      kind: 'text',
      drop: 2,
      cell: ({ storlink }, app) => storlinkText(storlink, app),
      sort: ({ storlink }) => storlink,
    },
    {
      name: 'kind',
      title: 'KIND',
      width: 11,
      kind: 'text',
      drop: 3,
      cell: makes,
      sort: makes,
    },
    {
      name: 'keeps',
      title: 'KEEPS',
      width: 25,
      kind: 'text',
      drop: 4,
      cell: ({ what, retention }) => (what === 'verify' ? '–' : retentionText(retention)),
    },
    { ...uuidColumn, drop: 5 },
  ],
  rows: (app) => app.view().schedules(),
  id: ({ uuid }) => uuid,
  subject: scheduleSubject,
  words: ({ vmName, cron, uuid, vm }) => `${vmName} ${cron} ${uuid} ${vm ?? ''}`,
  filters: {
    vm: (schedule, app) => `${schedule.vmName}${isVmGone(schedule, app) ? ' gone' : ''}`,
    storlink: ({ storlink }, app) => storlinkText(storlink, app),
    state: (schedule, app) => scheduleSign(schedule, app).word,
    cron: ({ cron }) => cron,
  },
  liveFilters: ['vm', 'storlink', 'state'],
  copies: ({ uuid, cron, vm, vmName }) => [
    ['schedule', uuid],
    ['its times', cron],
    vm === undefined ? ['its filter', vmName] : ['its VM', vm],
  ],
}

export function scheduleSubject({ uuid, vmName }: Schedule): Subject {
  return { kind: 'schedule', id: uuid, name: vmName }
}
