import { formatAge, formatDate } from '../../lib/age.ts'
import { countCron } from '../../lib/cron.ts'
import { wrapCells } from '../../lib/text.ts'
import type { Schedule } from '../../model/backup.ts'
import { takenSince } from '../../model/schedule/times.ts'
import { type Line, line, type Span, span } from '../../ui/line.ts'
import { facts } from '../../ui/panel.ts'
import { storlinkText } from '../app/columns.ts'
import type { AppContext } from '../app/context.ts'
import { lastJobs } from '../ask/subjectLines.ts'
import { count, signSpan } from '../words.ts'
import { isVmGone } from './columns.ts'
import { backupAge, backupFacts } from './facts.ts'
import { isInLine, jobOfSchedule, matchesOf, retentionText, scheduleSign } from './scheduleList.ts'
import { lastRun, nextOf } from './times.ts'

/** One schedule in a pane: what it makes and when, how that went last, and what came of it. */
export function schedulePane(app: AppContext, schedule: Schedule, width: number): Line[] {
  const { uuid, what, vm, filter, vmName, cron, storlink, incremental, rateMib, retention } = schedule
  const next = nextOf(schedule, app.now())
  const sign = scheduleSign(schedule, app)
  return [
    line(' ', signSpan(sign)),
    ...outcomeLines(app, schedule, width),
    [],
    ...facts([
      ['uuid', uuid],
      ...(filter === undefined
        ? [['VM', isVmGone(schedule, app) ? span(`${vmName}, which is gone`, 'warn') : vmName] as const]
        : [['filter', filter] as const]),
      ['when', cron],
      ['next', next === undefined ? '–' : `${formatDate(next)} (in ${formatAge(next - app.now())})`],
      what === 'verify'
        ? ['reads', 'the good ones, the longest unchecked first']
        : ['makes', incremental ? 'incremental ones where it can' : 'full ones'],
      ['to', storlinkText(storlink, app)],
      ...(what === 'verify'
        ? []
        : ([
            ['rate', rateMib === 0 ? 'no limit' : `at most ${rateMib} MiB/s`],
            ['keeps', retentionText(retention)],
          ] as const)),
      ...(vm === undefined ? [] : [['newest', newestSpan(app, vm)] as const]),
    ]),
    ...(filter === undefined ? [] : matchLines(app, filter)),
    ...(vm === undefined ? [] : lastJobs(app, vm)),
  ]
}

function newestSpan(app: AppContext, vm: string): Span {
  const newest = backupFacts(app).newestGood.get(vm)
  if (newest === undefined) return span('there is no good backup of it', 'bad')
  return span(`${newest.name} (${formatAge(app.now() - newest.createdAt)} old)`)
}

/** The VMs that it is for now, and how old the newest good backup of each is. */
function matchLines(app: AppContext, filter: string): Line[] {
  const vms = matchesOf(filter, app)
  if (vms.length === 0) return [[], line(span(' the filter matches no VM now', 'warn'))]
  return [
    [],
    line(span(` it matches ${count(vms.length, 'VM')} now`, 'dim')),
    ...vms.map((vm) => line(`   ${vm.name.padEnd(16)} `, backupAge(vm, app))),
  ]
}

/** How the last time went, and how many nobody took on. */
function outcomeLines(app: AppContext, schedule: Schedule, width: number): Line[] {
  const { problem, enabled, cron } = schedule
  const job = jobOfSchedule(schedule, app)
  const last = lastRun(schedule)
  const missed = enabled ? countCron(cron, takenSince(schedule), app.now(), MOST_COUNTED) : 0
  const texts: Span[] = []
  if (last !== undefined) texts.push(span(`last due ${formatDate(last)} (${formatAge(app.now() - last)} ago)`, 'dim'))
  else texts.push(span('it was not due yet since it was made or changed', 'dim'))
  if (job !== undefined) texts.push(span(`job ${job.number} is at it`, 'busy'))
  else if (problem !== undefined) texts.push(span(problem, 'bad'))
  if (missed > 0 && isInLine(schedule, app)) {
    texts.push(span('it is due, and waits for another backup onto its storlink', 'busy'))
  } else if (missed > 0) {
    const times = missed === MOST_COUNTED ? `${MOST_COUNTED} times or more` : count(missed, 'time')
    texts.push(
      span(`missed ${times}: pengx did not run then, or was busy with the time before; it is made up for once`, 'warn'),
    )
  }
  return texts.flatMap(({ text, tone }) => wrapCells(text, width - 4).map((part) => line(span(`   ${part}`, tone))))
}

const MOST_COUNTED = 100
