import type { Engine } from '../engine/engine.ts'
import { formatDate } from '../lib/age.ts'
import { formatMib } from '../lib/bytes.ts'
import { naturalKey } from '../lib/text.ts'
import { type Backup, isGood, type Schedule, storedMib } from '../model/backup.ts'
import { lastRun, nextRun, scheduleState } from '../model/schedule/times.ts'
import { vmsMatching } from '../model/schedule/vmFilter.ts'
import { iso, listing } from './listing.ts'
import { resolveBackedUp } from './target.ts'

/** What `pengx backups [VM]` and `schedules` print. */
function backupsOf(engine: Engine, word: string): readonly Backup[] {
  const { view } = engine
  if (word !== '') return newestFirst(view.backupsOf(resolveBackedUp(engine, word)))
  const keyed = newestFirst(view.backups()).map((backup) => ({
    backup,
    key: `${naturalKey(backup.vmName)} ${backup.vm}`,
  }))
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  return keyed.map(({ backup }) => backup)
}

const newestFirst = (backups: readonly Backup[]) => [...backups].sort((a, b) => b.createdAt - a.createdAt)

const storlinkName = ({ view }: Engine, id: number) => view.getStorlink(id)?.name ?? String(id)
const dateOf = (at: number | undefined) => (at === undefined ? '' : formatDate(at))

/** One is only as good as all that it lies on. */
function stateOf(backup: Backup, { view }: Engine): string {
  const isAlone = backup.state !== 'verified' || isGood(backup, view.backupsOf(backup.vm))
  return isAlone ? backup.state : 'on a bad one'
}

function problemsOf({ problem, drillProblem }: Backup): string {
  return [problem, drillProblem && `drill: ${drillProblem}`].filter(Boolean).join('; ')
}

export const backups = listing<Backup>(
  backupsOf,
  (engine) => [
    { title: 'BACKUP', text: (backup) => backup.name },
    { title: 'VM', text: ({ vm, vmName }) => (engine.view.getVm(vm) ? vmName : `${vmName} (gone)`) },
    { title: 'KIND', text: (backup) => backup.kind },
    { title: 'SIZE', align: 'right', text: (backup) => formatMib(storedMib(backup)) },
    { title: 'STORLINK', text: (backup) => storlinkName(engine, backup.storlink) },
    { title: 'STATE', text: (backup) => stateOf(backup, engine) },
    { title: 'TAKEN', text: (backup) => formatDate(backup.createdAt) },
    { title: 'CHECKED', text: (backup) => dateOf(backup.checkedAt) },
    { title: 'UUID', text: (backup) => backup.uuid },
    { title: 'PROBLEM', text: problemsOf },
  ],
  (backup, engine) => ({
    uuid: backup.uuid,
    name: backup.name,
    vm: backup.vmName,
    vmUuid: backup.vm,
    vmGone: engine.view.getVm(backup.vm) === undefined,
    desc: backup.desc,
    kind: backup.kind,
    fullBecause: backup.fullBecause,
    parent: backup.parent,
    depth: backup.depth,
    live: backup.live,
    sizeMib: storedMib(backup),
    storlink: backup.storlink,
    storlinkName: storlinkName(engine, backup.storlink),
    state: backup.state,
    good: isGood(backup, engine.view.backupsOf(backup.vm)),
    createdAt: iso(backup.createdAt),
    checkedAt: iso(backup.checkedAt),
    problem: backup.problem,
    drilledAt: iso(backup.drilledAt),
    drillProblem: backup.drillProblem,
    volumes: backup.volumes,
  }),
)

/** A schedule for a filter is nobody's alone. */
const isGone = ({ vm }: Pick<Schedule, 'vm'>, { view }: Engine) => vm !== undefined && view.getVm(vm) === undefined

function kept({ what, retention: { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly } }: Schedule): string {
  if (what === 'verify') return 'verifies'
  const hourly = keepHourly > 0 ? [`${keepHourly} hourly`] : []
  const monthly = keepMonthly > 0 ? [`${keepMonthly} monthly`] : []
  return [`${keepLast} newest`, ...hourly, `${keepDaily} daily`, `${keepWeekly} weekly`, ...monthly].join(', ')
}

export const schedules = listing<Schedule>(
  (engine) => engine.view.schedules(),
  (engine) => [
    { title: 'VM', text: ({ vmName, ...schedule }) => (isGone(schedule, engine) ? `${vmName} (gone)` : vmName) },
    { title: 'WHEN', text: (schedule) => schedule.cron },
    { title: 'NEXT', text: (schedule) => dateOf(nextRun(schedule, Date.now())) },
    { title: 'LAST', text: (schedule) => dateOf(lastRun(schedule)) },
    { title: 'KEPT', text: kept },
    { title: 'STORLINK', text: (schedule) => storlinkName(engine, schedule.storlink) },
    { title: 'STATE', text: (schedule) => scheduleState(schedule, Date.now()) },
    { title: 'UUID', text: (schedule) => schedule.uuid },
    { title: 'PROBLEM', text: (schedule) => schedule.problem ?? '' },
  ],
  (schedule, engine) => ({
    uuid: schedule.uuid,
    vm: schedule.filter === undefined ? schedule.vmName : undefined,
    vmUuid: schedule.vm,
    vmGone: isGone(schedule, engine),
    filter: schedule.filter,
    what: schedule.what ?? 'backup',
    matches:
      schedule.filter === undefined ? undefined : vmsMatching(schedule.filter, engine.view).map(({ name }) => name),
    cron: schedule.cron,
    nextAt: iso(nextRun(schedule, Date.now())),
    lastAt: iso(lastRun(schedule)),
    state: scheduleState(schedule, Date.now()),
    enabled: schedule.enabled,
    problem: schedule.problem,
    storlink: schedule.storlink,
    storlinkName: storlinkName(engine, schedule.storlink),
    incremental: schedule.incremental,
    rateMib: schedule.rateMib,
    ...schedule.retention,
    createdAt: iso(schedule.createdAt),
  }),
)
