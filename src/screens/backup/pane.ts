import { formatAge, formatDate } from '../../lib/age.ts'
import { formatMib } from '../../lib/bytes.ts'
import { wrapCells } from '../../lib/text.ts'
import { type Backup, storedMib } from '../../model/backup.ts'
import { type Line, line, type Span, span } from '../../ui/line.ts'
import { facts } from '../../ui/panel.ts'
import { storlinkText } from '../app/columns.ts'
import type { AppContext } from '../app/context.ts'
import { lastJobs, wouldLines } from '../ask/subjectLines.ts'
import { signSpan } from '../words.ts'
import { backupSubject, isVmGone } from './columns.ts'
import { backupFacts, signOf } from './facts.ts'

/** One backup in a pane: what it holds, whether it can be counted on, and what restoring and deleting it would do. */
export function backupPane(app: AppContext, backup: Backup, width: number): Line[] {
  const { uuid, vmName, desc, storlink, createdAt, live } = backup
  const { lyingOn } = backupFacts(app)
  const on = (lyingOn.get(uuid) ?? []).map(({ name }) => name).join(', ') || 'nothing'
  const gone = isVmGone(backup, app)
  const subject = backupSubject(backup)
  const would = (title: string, operation: string, what: readonly string[]) =>
    wouldLines(app, { title, operation, subject, what }, width)
  return [
    ...stateLines(app, backup, width),
    [],
    ...facts([
      ['uuid', uuid],
      ['VM', gone ? span(`${vmName}, which is gone`, 'warn') : vmName],
      ['taken', `${formatDate(createdAt)} (${formatAge(app.now() - createdAt)}), ${live ? 'live' : 'VM off'}`],
      ['size', `${formatMib(storedMib(backup))} on ${storlinkText(storlink, app)}`],
    ]),
    ...wrapped('kind', kindText(app, backup), width),
    ...wrapped('on it', on, width),
    ...(desc ? wrapped('note', desc, width) : []),
    ...diskLines(backup),
    ...would('R restore', 'backup.restore', restoring(gone, vmName)),
    ...would('D delete', 'backup.delete', deleting(app, backup)),
    ...lastJobs(app, uuid),
  ]
}

/** What is known of it, and from when. */
function stateLines(app: AppContext, backup: Backup, width: number): Line[] {
  const { checkedAt, problem, drilledAt, drillProblem } = backup
  const ago = (at: number) => `${formatDate(at)} (${formatAge(app.now() - at)})`
  const head: Span[] = [{ text: ' ' }, signSpan(signOf(app, backup))]
  const checked = checkedAt === undefined ? 'nobody has read it back' : `read back ${ago(checkedAt)}`
  const booted = drilledAt === undefined ? 'never booted for proof' : `booted for proof ${ago(drilledAt)}`
  const troubles = [problem, drillProblem].filter((text) => text !== undefined)
  return [
    head,
    line(span(`   ${checked}`, 'dim')),
    line(span(`   ${booted}`, 'dim')),
    ...troubles.flatMap((text) => wrapCells(text, width - 4).map((part) => line(span(`   ${part}`, 'bad')))),
  ]
}

function kindText(app: AppContext, { kind, parent, depth, fullBecause }: Backup): string {
  if (parent === undefined) return fullBecause === undefined ? kind : `${kind}: ${fullBecause}`
  const name = backupFacts(app).byUuid.get(parent)?.name ?? 'one that is gone'
  return `${kind} on ${name}${depth > 1 ? `, ${depth} below it` : ''}`
}

function wrapped(name: string, text: string, width: number): Line[] {
  return wrapCells(text, Math.max(width - 13, 10)).map((part, at) =>
    line(span(` ${(at === 0 ? name : '').padEnd(10)}`, 'dim'), part),
  )
}

function diskLines({ volumes }: Backup): Line[] {
  const lines = volumes.map(({ vdev, sizeMib, format, bytes }) =>
    line(
      `  ${vdev.padEnd(5)} ${formatMib(sizeMib).padEnd(9)} ${format.padEnd(5)} ${formatMib(Math.ceil(bytes / 1024 / 1024))} stored`,
    ),
  )
  return [[], line(span(' Its disks', 'strong')), ...lines]
}

function restoring(gone: boolean, vmName: string): readonly string[] {
  if (gone) return [`bring ${vmName} back, shut down, under its own UUID`, 'or make a new VM of it']
  return [
    `give ${vmName} these disks; what it holds now is kept as a snapshot, or goes once they were read back`,
    `or make a new VM of it beside ${vmName}`,
  ]
}

function deleting(app: AppContext, backup: Backup): readonly string[] {
  const { good, byVm } = backupFacts(app)
  const others = byVm.get(backup.vm)!.filter(({ uuid }) => uuid !== backup.uuid && good.has(uuid))
  const last = good.has(backup.uuid) && others.length === 0
  return [`free ${formatMib(storedMib(backup))}`, ...(last ? [`leave ${backup.vmName} without a good backup`] : [])]
}
