import type { View } from '../../engine/store/view.ts'
import { formatSpan } from '../../lib/age.ts'
import { formatGib } from '../../lib/bytes.ts'
import { padCells } from '../../lib/text.ts'
import type { Pm } from '../../model/pm.ts'
import { bar } from '../../ui/graph.ts'
import { withKeyNames } from '../../ui/keymap.ts'
import { beside, fill, type Line, line, type Span, span } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import { type AppContext, isAtWork } from '../app/context.ts'
import { count, destinationText, jobSign, percent, timeLeft } from '../words.ts'
import { attentionLine, attentionOf } from './attention.ts'

/** What stands below the list of PMs: what needs attention, what runs, and the PM under the cursor. */

export function attentionIndex(app: AppContext): number {
  const last = attentionOf(app).length - 1
  return Math.max(Math.min(Number(app.state().choices.attention ?? 0), last), 0)
}

export function attentionPanel(app: AppContext, width: number, height: number): Line[] {
  const items = attentionOf(app)
  const focused = app.state().focus === 'attention'
  const index = attentionIndex(app)
  const room = Math.max(height - 3, 1)
  const top = Math.max(index - room + 1, 0)
  const lines: Line[] = items.slice(top, top + room).map((item, at) => {
    const drawn = [{ text: ' ' }, ...attentionLine(item)]
    return focused && top + at === index ? drawn.map(({ text }) => ({ text, inverse: true as const })) : drawn
  })
  if (items.length === 0) lines.push(line(span(' nothing', 'dim')))
  const hint = focused ? '↵ opens the thing itself; a acknowledges' : 'tab goes here; a acknowledges'
  const foot = fill(lines, room)
  foot.push(line(span(items.length === 0 ? '' : ` ${withKeyNames(hint, app.options.theme.ascii)}`, 'dim')))
  return panel(foot, width, height, { title: `Needs attention (${items.length})`, focused })
}

export function runningPanel(app: AppContext, width: number, height: number): Line[] {
  const jobs = app.view().jobs().filter(isAtWork)
  const inner = width - 4
  const lines = jobs.flatMap((job): Line[] => {
    const left = timeLeft(job, app.now())
    const tail = ` ${percent(job.progress).padStart(4)}${left ? `  ${left} left` : ''}`
    const title = app.engine.operations.get(job.operation)?.title ?? job.operation
    const sign = jobSign(job)
    return [
      line(' ', span(sign.glyph, sign.tone), ` ${title}  ${job.subject.name}`),
      job.state === 'queued'
        ? line(span(` queued${job.queuePosition ? `, number ${job.queuePosition} in line` : ''}`, 'dim'))
        : line(' ', span(bar(job.progress, Math.max(inner - 16, 5)), sign.tone), tail),
      line(span(` step ${Math.min(job.stepIndex + 1, job.stepCount)} of ${job.stepCount}  ${job.step}`, 'dim')),
    ]
  })
  if (jobs.length === 0) lines.push(line(span(' nothing', 'dim')))
  return panel(lines, width, height, {
    title: `Running now (${jobs.length})`,
    note: jobs.length > 0 ? '7 shows all jobs' : undefined,
  })
}

export function detailPanel(app: AppContext, pm: Pm, width: number): Line[] {
  const view = app.view()
  const last = view.jobs().find((job) => job.subject.id === pm.uuid || view.getVm(job.subject.id)?.pm === pm.uuid)
  const storlinks = view.storlinks().filter((storlink) => storlink.pm === pm.uuid)
  const half = Math.floor((width - 2) / 2)
  const left = pairs([
    ['uuid', pm.uuid],
    ['cores', coresText(pm)],
    [
      'dom0',
      pm.seen.dom0MemoryMib === undefined
        ? '–'
        : `${formatGib(pm.seen.dom0MemoryMib)} GiB, ${pm.seen.dom0VcpuCount ?? '?'} vcpus`,
    ],
    ['found', foundText(pm, view)],
  ])
  const right = pairs([
    ['address', destinationText(pm.destination)],
    ['bridges', pm.seen.bridges?.join('  ') || '–'],
    [
      'storlinks',
      storlinks
        .map(
          ({ id, name, type, level, sizeMib, freeMib }) =>
            `${id} ${name} (${type} ${level} ${sizeMib ? percent(1 - freeMib / sizeMib) : '–'})`,
        )
        .join('  ') || '–',
    ],
    [
      'last job',
      last
        ? `${last.number} ${last.operation} on ${last.subject.name} ${jobSign(last).glyph}${last.finishedAt && last.startedAt ? ` ${formatSpan(last.finishedAt - last.startedAt)}` : ''}`
        : '–',
    ],
  ])
  const body = width >= 100 ? beside(left, half, right, width - 2 - half) : [...left, ...right]
  return panel(body, width, body.length + 2, { title: pm.name })
}

function coresText(pm: Pm): string {
  const sockets = pm.seen.socketCount ? `${pm.seen.socketCount} sockets, ` : ''
  const smt = pm.seen.threadsPerCore === undefined ? '' : `SMT ${pm.seen.threadsPerCore > 1 ? 'on' : 'off'}`
  return `${pm.cpuCount || '–'}${sockets || smt ? ` (${sockets}${smt})` : ''}`
}

function foundText(pm: Pm, view: View): string {
  const vms = view.vmsOn(pm.uuid).filter((vm) => vm.origin === 'found').length
  const configs = (pm.seen.configs ?? []).filter(({ vm }) => vm === undefined).length
  if (vms + configs === 0) return 'nothing that is not under care'
  return `${count(vms, 'VM')} and ${count(configs, 'configuration')} not under care`
}

function pairs(rows: readonly (readonly [string, string])[]): Line[] {
  return rows.map(([name, value]): Span[] => [span(` ${padCells(name, 10)}`, 'dim'), { text: value }])
}
