import type { Schedule } from '../../model/backup.ts'
import { lastRun, nextRun, scheduleState } from '../../model/schedule/times.ts'
import { vmsMatching } from '../../model/schedule/vmFilter.ts'
import type { Vm } from '../../model/vm.ts'
import { list, type Shape } from './shape.ts'

/** A schedule as it is at a moment, in milliseconds since 1970. */
export interface ScheduleNow {
  readonly schedule: Schedule
  readonly now: number
}

/** A VM that a filter matches now. */
const matchShape: Shape<Vm> = {
  name: 'vm',
  id: ({ uuid }) => uuid,
  fields: [{ kind: 'text', name: 'name', get: ({ name }) => name }],
}

/** When backups are made by themselves; none of it is in the document. */
export const scheduleShape: Shape<ScheduleNow> = {
  name: 'schedule',
  id: ({ schedule }) => schedule.uuid,
  fields: [
    { kind: 'ref', name: 'vm', help: 'UUID of the VM, which may be gone', get: ({ schedule }) => schedule.vm ?? '' },
    { kind: 'text', name: 'vm_name', get: ({ schedule }) => schedule.vmName },
    {
      kind: 'text',
      name: 'filter',
      help: 'in place of one VM, whom it is for: those that match it each time',
      get: ({ schedule }) => schedule.filter,
    },
    list('matches', matchShape, ({ schedule }, view) =>
      schedule.filter === undefined ? [] : vmsMatching(schedule.filter, view),
    ),
    {
      kind: 'text',
      name: 'what',
      help: 'backup: it makes new ones; verify: it reads back those that are there',
      get: ({ schedule }) => schedule.what ?? 'backup',
    },
    { kind: 'number', name: 'storlink', get: ({ schedule }) => schedule.storlink },
    {
      kind: 'text',
      name: 'cron',
      help: 'five fields, in the time zone of the server',
      get: ({ schedule }) => schedule.cron,
    },
    { kind: 'time', name: 'next', get: ({ schedule, now }) => nextRun(schedule, now) },
    { kind: 'time', name: 'last', help: 'the newest time that was seen to', get: ({ schedule }) => lastRun(schedule) },
    {
      kind: 'text',
      name: 'state',
      help: 'on, off, or overdue: a time went by that nobody has seen to',
      get: ({ schedule, now }) => scheduleState(schedule, now),
    },
    {
      kind: 'text',
      name: 'problem',
      help: 'why the last time came to no backup, or what was found',
      get: ({ schedule }) => schedule.problem,
    },
    { kind: 'flag', name: 'enabled', get: ({ schedule }) => schedule.enabled },
    { kind: 'flag', name: 'incremental', get: ({ schedule }) => schedule.incremental },
    { kind: 'number', name: 'rate', help: 'MiB a second; 0: no limit', get: ({ schedule }) => schedule.rateMib },
    { kind: 'number', name: 'keep_last', get: ({ schedule }) => schedule.retention.keepLast },
    { kind: 'number', name: 'keep_hourly', get: ({ schedule }) => schedule.retention.keepHourly },
    { kind: 'number', name: 'keep_daily', get: ({ schedule }) => schedule.retention.keepDaily },
    { kind: 'number', name: 'keep_weekly', get: ({ schedule }) => schedule.retention.keepWeekly },
    { kind: 'number', name: 'keep_monthly', get: ({ schedule }) => schedule.retention.keepMonthly },
    { kind: 'time', name: 'date', help: 'when it was made', get: ({ schedule }) => schedule.createdAt },
  ],
}
