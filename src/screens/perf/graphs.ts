import { formatTime } from '../../lib/age.ts'
import { formatGib, formatMbit } from '../../lib/bytes.ts'
import type { PerfField } from '../../model/perf.ts'
import type { Pm } from '../../model/pm.ts'
import { hasDomain } from '../../model/vm.ts'
import { areaGraph, bar, graphColumns, resample, type Value } from '../../ui/graph.ts'
import { beside, type Line, line, span } from '../../ui/line.ts'
import { facts, panel } from '../../ui/panel.ts'
import type { AppContext } from '../app/context.ts'
import { memoryShare, percent, shareTone } from '../words.ts'

/** The graphs of one PM. A graph never stands alone: the number is beside it, the scale and the maximum too. */

export const ZOOMS = [
  { ms: 5 * 60_000, text: '5 min' },
  { ms: 15 * 60_000, text: '15 min' },
  { ms: 30 * 60_000, text: '30 min' },
  { ms: 60 * 60_000, text: '1 h' },
  { ms: 3 * 60 * 60_000, text: '3 h' },
] as const

export const EXPANDED = ['', 'cpu', 'rx', 'tx'] as const

export interface Window {
  readonly from: number
  readonly to: number
  readonly text: string
  readonly peak: boolean
  readonly back: number
}

export function windowOf(app: AppContext): Window {
  const { choices } = app.state()
  const zoom = ZOOMS[Number(choices['perf.zoom'] ?? 2)] ?? ZOOMS[2]
  const back = Number(choices['perf.back'] ?? 0)
  const to = (app.state().frozenAt ?? app.now()) - (back * zoom.ms) / 2
  return { from: to - zoom.ms, to, text: zoom.text, peak: choices['perf.peak'] === true, back }
}

function series(app: AppContext, subject: string, field: PerfField, window: Window, columns: number): Value[] {
  const samples = app
    .view()
    .history(subject)
    .map((sample) => ({ at: sample.at, value: sample[field] }))
  return resample(samples, window.from, window.to, columns, window.peak ? 'peak' : 'mean')
}

const highest = (values: readonly Value[]) => values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0)
export const scaled = (values: readonly Value[], most: number) =>
  values.map((value) => (value === undefined || most === 0 ? value : value / most))

function cpuPanel(app: AppContext, pm: Pm, window: Window, width: number, height: number): Line[] {
  const style = app.options.theme.graph
  const inner = Math.max(width - 8, 4)
  const rows = Math.max(height - 4, 1)
  const values = series(app, pm.uuid, 'cpuPercent', window, graphColumns(inner, style))
  const picture = areaGraph(scaled(values, 100), inner, rows, style)
  const lines: Line[] = picture.map((text, row) => {
    const level = Math.round(((rows - row) / rows) * 100)
    const labelled = row === 0 || row === Math.floor(rows / 2)
    return line(span(`${(labelled ? String(level) : '').padStart(4)}┤`, 'dim'), span(text, 'busy'))
  })
  lines.push(line(span(`   0└${'─'.repeat(inner)}`, 'dim')), timeAxis(window, inner))
  const now = app.view().rates(pm.uuid)?.cpuPercent
  const vcpus = app
    .view()
    .vmsOn(pm.uuid)
    .reduce((sum, vm) => sum + (hasDomain(vm.seen.state) ? vm.vcpuCount : 0), 0)
  const peak = highest(values)
  const title = `CPU ${now === undefined ? '–' : `${Math.round(now)}%`} of ${pm.cpuCount} cores   ${vcpus} vcpus in VMs   peak ${Math.round(peak)}%`
  return panel(lines, width, height, { title })
}

function timeAxis({ from, to }: Window, width: number): Line {
  const marks = width >= 50 ? 5 : 3
  const gap = (width - 5) / (marks - 1)
  let text = ''
  for (let mark = 0; mark < marks; mark++) {
    const at = from + ((to - from) * mark) / (marks - 1)
    text = text.padEnd(Math.round(gap * mark)) + formatTime(at).slice(0, 5)
  }
  return line(span(`     ${text}`, 'dim'))
}

function memoryPanel(app: AppContext, pm: Pm, width: number, height: number): Line[] {
  const share = memoryShare(pm)
  const vms = app.view().vmsOn(pm.uuid)
  const inVms = vms.reduce((sum, vm) => sum + (hasDomain(vm.seen.state) ? (vm.seen.memoryMib ?? vm.memoryMib) : 0), 0)
  const gib = (mib: number | undefined) => (mib === undefined ? '–' : `${formatGib(mib)} GiB`.padStart(10))
  const lines: Line[] = [
    [],
    share === undefined
      ? line(' –')
      : line(' ', span(bar(share, Math.max(width - 12, 5)), shareTone(share)), `  ${percent(share)}`),
    [],
    ...facts(
      [
        ['total', gib(pm.memoryMib)],
        ['VMs', gib(inVms)],
        ['dom0', gib(pm.seen.dom0MemoryMib)],
        ['free', gib(pm.seen.freeMib)],
        ['VMs', `${vms.filter((vm) => hasDomain(vm.seen.state)).length} of ${vms.length} run`.padStart(10)],
        ['load', (pm.seen.load?.toFixed(2) ?? '–').padStart(10)],
      ],
      8,
    ),
  ]
  return panel(lines, width, height, { title: 'Memory' })
}

function netPanel(
  app: AppContext,
  pm: Pm,
  field: 'rxBytes' | 'txBytes',
  window: Window,
  width: number,
  height: number,
): Line[] {
  const style = app.options.theme.graph
  const inner = Math.max(width - 4, 4)
  const values = series(app, pm.uuid, field, window, graphColumns(inner, style))
  const most = highest(values)
  const now = app.view().rates(pm.uuid)?.[field]
  const picture = areaGraph(scaled(values, most), inner, Math.max(height - 2, 1), style)
  const word = field === 'rxBytes' ? 'Received' : 'Sent'
  const title = `${word} ${now === undefined ? '–' : formatMbit(now)} Mb/s   max ${formatMbit(most)}`
  return panel(
    picture.map((text) => line(' ', span(text, 'busy'))),
    width,
    height,
    { title },
  )
}

export function drawGraphs(app: AppContext, pm: Pm, window: Window, width: number, height: number): Line[] {
  const expanded = app.state().choices['perf.expand']
  if (expanded === 'cpu') return cpuPanel(app, pm, window, width, height)
  if (expanded === 'rx' || expanded === 'tx')
    return netPanel(app, pm, expanded === 'rx' ? 'rxBytes' : 'txBytes', window, width, height)
  const net = height >= 14 ? 5 : 0
  const wide = width >= 100
  const memory = wide ? Math.floor(width * 0.36) : 0
  const cpu = cpuPanel(app, pm, window, width - memory, height - net)
  const top = wide ? beside(cpu, width - memory, memoryPanel(app, pm, memory, height - net), memory) : cpu
  if (net === 0) return top
  const half = Math.floor(width / 2)
  return [
    ...top,
    ...beside(
      netPanel(app, pm, 'rxBytes', window, half, net),
      half,
      netPanel(app, pm, 'txBytes', window, width - half, net),
      width - half,
    ),
  ]
}
