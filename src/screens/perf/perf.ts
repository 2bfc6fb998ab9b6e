import { formatTime } from '../../lib/age.ts'
import type { Pm } from '../../model/pm.ts'
import type { Vm } from '../../model/vm.ts'
import { resample, sparkline } from '../../ui/graph.ts'
import { fill, line, span } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import type { Column } from '../../ui/table.ts'
import type { Desk } from '../app/context.ts'
import { cursorRow, drawList, type ListDef, shownRows } from '../app/list.ts'
import type { KeyRow, Screen } from '../screen.ts'
import { vmColumns } from '../vm/list.ts'
import { pmStatus } from '../words.ts'
import { drawGraphs, EXPANDED, scaled, windowOf, ZOOMS } from './graphs.ts'

/** One PM over time, and its VMs by what they take of it. */

/** The PM that the path names, else the one that was shown last, else the first. */
function pmOf(desk: Desk): Pm | undefined {
  const view = desk.view()
  return view.getPm(desk.stop().id ?? '') ?? view.getPm(String(desk.state().choices['perf.pm'] ?? '')) ?? view.pms()[0]
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

export const perfScreen: Screen = {
  name: 'perf',
  title: 'Perf',
  also: 'graphs top',
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
  says(desk, width) {
    const pm = pmOf(desk)
    return pm ? drawGraphs(desk, pm, windowOf(desk), width, 30) : []
  },
  draw(desk, width, height) {
    const pm = pmOf(desk)
    if (pm === undefined) return fill([[], line('  No machine yet: 1, then N adds one.')], height)
    const tableHeight = Math.max(Math.floor(height * 0.38), 6)
    const shown = shownRows(desk, perfList)
    const table = panel(drawList(desk, perfList, width - 2, tableHeight - 2), width, tableHeight, {
      title: `VMs on ${pm.name} (${shown.total})`,
    })
    return [...drawGraphs(desk, pm, windowOf(desk), width, height - tableHeight), ...table]
  },
}
