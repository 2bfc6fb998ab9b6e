import { formatTime } from '../lib/age.ts'
import { formatGib, formatMbit } from '../lib/bytes.ts'
import { padCells } from '../lib/text.ts'
import type { PerfField } from '../model/perf.ts'
import type { Pm } from '../model/pm.ts'
import { hasDomain, type Vm } from '../model/vm.ts'
import { areaGraph, bar, graphColumns, resample, sparkline, type Value } from '../ui/graph.ts'
import { beside, fill, type Line, line, span } from '../ui/line.ts'
import { facts, panel } from '../ui/panel.ts'
import type { Column } from '../ui/table.ts'
import type { Desk } from './desk.ts'
import { cursorRow, drawList, type ListDef, shownRows } from './list.ts'
import type { KeyRow, Screen } from './screen.ts'
import { vmColumns } from './vmList.ts'
import { memoryShare, percent, pmStatus, shareTone } from './words.ts'

/** One PM over time, and its VMs by what they take of it. A graph never stands alone: the number is beside it. */

const ZOOMS = [
  { ms: 5 * 60_000, text: '5 min' },
  { ms: 15 * 60_000, text: '15 min' },
  { ms: 30 * 60_000, text: '30 min' },
  { ms: 60 * 60_000, text: '1 h' },
  { ms: 3 * 60 * 60_000, text: '3 h' },
] as const

const EXPANDED = ['', 'cpu', 'rx', 'tx'] as const

/** The PM that the path names, else the one that was shown last, else the first. */
function pmOf(desk: Desk): Pm | undefined {
  const view = desk.view()
  return view.getPm(desk.stop().id ?? '') ?? view.getPm(String(desk.state().choices['perf.pm'] ?? '')) ?? view.pms()[0]
}

interface Window {
  readonly from: number
  readonly to: number
  readonly text: string
  readonly peak: boolean
  readonly back: number
}

function windowOf(desk: Desk): Window {
  const { choices } = desk.state()
  const zoom = ZOOMS[Number(choices['perf.zoom'] ?? 2)] ?? ZOOMS[2]
  const back = Number(choices['perf.back'] ?? 0)
  const to = (desk.state().frozenAt ?? desk.now()) - (back * zoom.ms) / 2
  return { from: to - zoom.ms, to, text: zoom.text, peak: choices['perf.peak'] === true, back }
}

function series(desk: Desk, subject: string, field: PerfField, window: Window, columns: number): Value[] {
  const samples = desk
    .view()
    .history(subject)
    .map((sample) => ({ at: sample.at, value: sample[field] }))
  return resample(samples, window.from, window.to, columns, window.peak ? 'peak' : 'mean')
}

const highest = (values: readonly Value[]) => values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0)
const scaled = (values: readonly Value[], most: number) =>
  values.map((value) => (value === undefined || most === 0 ? value : value / most))

function cpuPanel(desk: Desk, pm: Pm, window: Window, width: number, height: number): Line[] {
  const style = desk.options.look.graph
  const inner = Math.max(width - 8, 4)
  const rows = Math.max(height - 4, 1)
  const values = series(desk, pm.uuid, 'cpuPercent', window, graphColumns(inner, style))
  const picture = areaGraph(scaled(values, 100), inner, rows, style)
  const lines: Line[] = picture.map((text, row) => {
    const level = Math.round(((rows - row) / rows) * 100)
    const labelled = row === 0 || row === Math.floor(rows / 2)
    return line(span(`${(labelled ? String(level) : '').padStart(4)}┤`, 'dim'), span(text, 'busy'))
  })
  lines.push(line(span(`   0└${'─'.repeat(inner)}`, 'dim')), timeAxis(window, inner))
  const now = desk.view().rates(pm.uuid)?.cpuPercent
  const vcpus = desk
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

function memoryPanel(desk: Desk, pm: Pm, width: number, height: number): Line[] {
  const share = memoryShare(pm)
  const vms = desk.view().vmsOn(pm.uuid)
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
  desk: Desk,
  pm: Pm,
  field: 'rxBytes' | 'txBytes',
  window: Window,
  width: number,
  height: number,
): Line[] {
  const style = desk.options.look.graph
  const inner = Math.max(width - 4, 4)
  const values = series(desk, pm.uuid, field, window, graphColumns(inner, style))
  const most = highest(values)
  const now = desk.view().rates(pm.uuid)?.[field]
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

const SPARK = 12

const lastColumn: Column<Vm, Desk> = {
  name: 'last',
  title: 'LAST 5 min',
  width: SPARK,
  kind: 'text',
  drop: 9,
  cell: (vm, desk) => {
    const to = desk.now()
    const samples = desk
      .view()
      .history(vm.uuid)
      .map(({ at, cpuPercent }) => ({ at, value: cpuPercent }))
    const most = vm.vcpuCount * 100
    return sparkline(scaled(resample(samples, to - 5 * 60_000, to, SPARK, 'mean'), most), desk.options.look.graph)
  },
}

const narrow = (column: Column<Vm, Desk>, drop: number): Column<Vm, Desk> => ({ ...column, wide: undefined, drop })

const none: readonly Vm[] = []

const perfList: ListDef<Vm> = {
  name: 'perf',
  sort: { column: 'cpu', down: true },
  empty: 'no VM here',
  columns: [
    vmColumns.name,
    vmColumns.status,
    narrow(vmColumns.vcpus, 8),
    narrow(vmColumns.cpu, 1),
    lastColumn,
    vmColumns.memory,
    narrow(vmColumns.read, 6),
    narrow(vmColumns.write, 7),
    narrow(vmColumns.rx, 4),
    narrow(vmColumns.tx, 5),
  ],
  rows: (desk) => {
    const pm = pmOf(desk)
    return pm ? desk.view().vmsOn(pm.uuid) : none
  },
  id: (vm) => vm.uuid,
  subject: (vm) => ({ kind: 'vm', id: vm.uuid, name: vm.name }),
  words: (vm) => vm.name,
  filters: { name: (vm) => vm.name },
  copies: (vm, desk) => [
    ['numbers', numbersText(desk)],
    ['uuid', vm.uuid],
    ['name', vm.name],
  ],
}

/** What `y` copies: a line a VM, with tabs, so that a spreadsheet takes it. */
function numbersText(desk: Desk): string {
  const rows = shownRows(desk, perfList).rows.map((vm) => {
    const rates = desk.view().rates(vm.uuid)
    return [vm.name, rates?.cpuPercent, rates?.rxBytes, rates?.txBytes, rates?.readBytes, rates?.writeBytes].join('\t')
  })
  return ['vm\tcpu%\trx B/s\ttx B/s\tread B/s\twrite B/s', ...rows].join('\n')
}

function otherPm(desk: Desk, by: number): void {
  const pms = desk.view().pms()
  const at = pms.findIndex(({ uuid }) => uuid === pmOf(desk)?.uuid)
  const next = pms[(at + by + pms.length) % pms.length]
  if (next === undefined) return
  const { trail } = desk.state()
  desk.set({ trail: [...trail.slice(0, -1), { screen: 'perf', id: next.uuid }] })
  desk.choose('perf.pm', next.uuid)
}

function turn(desk: Desk, name: string, standard: number, by: number, most: number): void {
  desk.choose(name, Math.min(Math.max(Number(desk.state().choices[name] ?? standard) + by, 0), most))
}

const keys: readonly KeyRow[] = [
  {
    key: 'enter',
    title: 'open VM',
    refuse: (desk) => (cursorRow(desk, perfList) ? undefined : 'there is no VM here'),
    act: (desk) => desk.go({ screen: 'vm', id: cursorRow(desk, perfList)!.uuid }),
  },
  { key: '.', title: 'next PM', act: (desk) => otherPm(desk, 1) },
  { key: ',', title: 'PM before', act: (desk) => otherPm(desk, -1) },
  { key: '[', title: 'older', act: (desk) => turn(desk, 'perf.back', 0, 1, 100) },
  { key: ']', title: 'newer', act: (desk) => turn(desk, 'perf.back', 0, -1, 100) },
  { key: '+', title: 'zoom in', act: (desk) => turn(desk, 'perf.zoom', 2, -1, ZOOMS.length - 1) },
  { key: '-', title: 'zoom out', act: (desk) => turn(desk, 'perf.zoom', 2, 1, ZOOMS.length - 1) },
  {
    key: 'e',
    title: 'expand graph',
    help: 'CPU, received, sent, and back',
    act: (desk) => {
      const at = EXPANDED.indexOf((desk.state().choices['perf.expand'] ?? '') as (typeof EXPANDED)[number])
      desk.choose('perf.expand', EXPANDED[(at + 1) % EXPANDED.length])
    },
  },
  {
    key: 't',
    title: 'mean or peak',
    act: (desk) => desk.choose('perf.peak', desk.state().choices['perf.peak'] !== true),
  },
]

function drawGraphs(desk: Desk, pm: Pm, window: Window, width: number, height: number): Line[] {
  const expanded = desk.state().choices['perf.expand']
  if (expanded === 'cpu') return cpuPanel(desk, pm, window, width, height)
  if (expanded === 'rx' || expanded === 'tx')
    return netPanel(desk, pm, expanded === 'rx' ? 'rxBytes' : 'txBytes', window, width, height)
  const net = height >= 14 ? 5 : 0
  const wide = width >= 100
  const memory = wide ? Math.floor(width * 0.36) : 0
  const cpu = cpuPanel(desk, pm, window, width - memory, height - net)
  const top = wide ? beside(cpu, width - memory, memoryPanel(desk, pm, memory, height - net), memory) : cpu
  if (net === 0) return top
  const half = Math.floor(width / 2)
  return [
    ...top,
    ...beside(
      netPanel(desk, pm, 'rxBytes', window, half, net),
      half,
      netPanel(desk, pm, 'txBytes', window, width - half, net),
      width - half,
    ),
  ]
}

export const perfScreen: Screen = {
  name: 'perf',
  title: 'Perf',
  digit: '2',
  list: () => perfList,
  keys,
  heading(desk) {
    const pm = pmOf(desk)
    if (pm === undefined) return [span(' Perf', 'strong')]
    const window = windowOf(desk)
    const back = window.back > 0 ? `   until ${formatTime(window.to).slice(0, 5)}` : ''
    return line(
      span(` PMs › ${pm.name} › Perf`, 'strong'),
      '   ',
      pmStatus(pm),
      span(`   ${window.text}, ${window.peak ? 'peak' : 'mean'}${back}   [ ] older newer   + - zoom`, 'dim'),
    )
  },
  subjects(desk) {
    const vm = cursorRow(desk, perfList)
    if (vm) return [perfList.subject!(vm)]
    const pm = pmOf(desk)
    return pm ? [{ kind: 'pm', id: pm.uuid, name: pm.name }] : []
  },
  draw(desk, width, height) {
    const pm = pmOf(desk)
    if (pm === undefined) return fill([[], line('  No machine yet: 1, then N adds one.')], height)
    const tableHeight = Math.max(Math.floor(height * 0.38), 6)
    const shown = shownRows(desk, perfList)
    const table = panel(drawList(desk, perfList, width - 2, tableHeight - 2), width, tableHeight, {
      title: `VMs on ${padCells(pm.name, Math.min([...pm.name].length * 2, 30)).trimEnd()} (${shown.total})`,
    })
    return [...drawGraphs(desk, pm, windowOf(desk), width, height - tableHeight), ...table]
  },
}
