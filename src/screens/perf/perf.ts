import { formatTime } from '../../lib/age.ts'
import type { Pm } from '../../model/pm.ts'
import type { Vm } from '../../model/vm.ts'
import { resample, sparkline } from '../../ui/graph.ts'
import { fill, line, span } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import type { Column } from '../../ui/table.ts'
import type { AppContext } from '../app/context.ts'
import { cursorRow, drawList, type ListDef, shownRows } from '../app/list.ts'
import type { KeyRow, Screen } from '../screen.ts'
import { vmColumns } from '../vm/list.ts'
import { pmStatus } from '../words.ts'
import { drawGraphs, EXPANDED, scaled, windowOf, ZOOMS } from './graphs.ts'

/** One PM over time, and its VMs by what they take of it. */

/** The PM that the path names, else the one that was shown last, else the first. */
function pmOf(app: AppContext): Pm | undefined {
  const view = app.view()
  return view.getPm(app.route().id ?? '') ?? view.getPm(String(app.state().choices['perf.pm'] ?? '')) ?? view.pms()[0]
}

const SPARK = 12

const lastColumn: Column<Vm, AppContext> = {
  name: 'last',
  title: 'LAST 5 min',
  width: SPARK,
  kind: 'text',
  drop: 9,
  cell: (vm, app) => {
    const to = app.now()
    const samples = app
      .view()
      .history(vm.uuid)
      .map(({ at, cpuPercent }) => ({ at, value: cpuPercent }))
    const most = vm.vcpuCount * 100
    return sparkline(scaled(resample(samples, to - 5 * 60_000, to, SPARK, 'mean'), most), app.options.theme.graph)
  },
}

const narrow = (column: Column<Vm, AppContext>, drop: number): Column<Vm, AppContext> => ({
  ...column,
  wide: undefined,
  drop,
})

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
  rows: (app) => {
    const pm = pmOf(app)
    return pm ? app.view().vmsOn(pm.uuid) : none
  },
  id: (vm) => vm.uuid,
  subject: (vm) => ({ kind: 'vm', id: vm.uuid, name: vm.name }),
  words: (vm) => vm.name,
  filters: { name: (vm) => vm.name },
  copies: (vm, app) => [
    ['numbers', numbersText(app)],
    ['uuid', vm.uuid],
    ['name', vm.name],
  ],
}

/** What `y` copies: a line a VM, with tabs, so that a spreadsheet takes it. */
function numbersText(app: AppContext): string {
  const rows = shownRows(app, perfList).rows.map((vm) => {
    const rates = app.view().rates(vm.uuid)
    return [vm.name, rates?.cpuPercent, rates?.rxBytes, rates?.txBytes, rates?.readBytes, rates?.writeBytes].join('\t')
  })
  return ['vm\tcpu%\trx B/s\ttx B/s\tread B/s\twrite B/s', ...rows].join('\n')
}

function otherPm(app: AppContext, by: number): void {
  const pms = app.view().pms()
  const at = pms.findIndex(({ uuid }) => uuid === pmOf(app)?.uuid)
  const next = pms[(at + by + pms.length) % pms.length]
  if (next === undefined) return
  const { trail } = app.state()
  app.set({ trail: [...trail.slice(0, -1), { screen: 'perf', id: next.uuid }] })
  app.choose('perf.pm', next.uuid)
}

function turn(app: AppContext, name: string, standard: number, by: number, most: number): void {
  app.choose(name, Math.min(Math.max(Number(app.state().choices[name] ?? standard) + by, 0), most))
}

const keys: readonly KeyRow[] = [
  {
    key: 'enter',
    title: 'open VM',
    refuse: (app) => (cursorRow(app, perfList) ? undefined : 'there is no VM here'),
    act: (app) => app.go({ screen: 'vm', id: cursorRow(app, perfList)!.uuid }),
  },
  { key: '.', title: 'next PM', act: (app) => otherPm(app, 1) },
  { key: ',', title: 'PM before', act: (app) => otherPm(app, -1) },
  { key: '[', title: 'older', act: (app) => turn(app, 'perf.back', 0, 1, 100) },
  { key: ']', title: 'newer', act: (app) => turn(app, 'perf.back', 0, -1, 100) },
  { key: '+', title: 'zoom in', act: (app) => turn(app, 'perf.zoom', 2, -1, ZOOMS.length - 1) },
  { key: '-', title: 'zoom out', act: (app) => turn(app, 'perf.zoom', 2, 1, ZOOMS.length - 1) },
  {
    key: 'e',
    title: 'expand graph',
    help: 'CPU, received, sent, and back',
    act: (app) => {
      const at = EXPANDED.indexOf((app.state().choices['perf.expand'] ?? '') as (typeof EXPANDED)[number])
      app.choose('perf.expand', EXPANDED[(at + 1) % EXPANDED.length])
    },
  },
  {
    key: 't',
    title: 'mean or peak',
    act: (app) => app.choose('perf.peak', app.state().choices['perf.peak'] !== true),
  },
]

export const perfScreen: Screen = {
  name: 'perf',
  title: 'Perf',
  also: 'graphs top',
  digit: '2',
  list: () => perfList,
  keys,
  heading(app) {
    const pm = pmOf(app)
    if (pm === undefined) return [span(' Perf', 'strong')]
    const window = windowOf(app)
    const back = window.back > 0 ? `   until ${formatTime(window.to).slice(0, 5)}` : ''
    return line(
      span(` PMs › ${pm.name} › Perf`, 'strong'),
      '   ',
      pmStatus(pm),
      span(`   ${window.text}, ${window.peak ? 'peak' : 'mean'}${back}   [ ] older newer   + - zoom`, 'dim'),
    )
  },
  subjects(app) {
    const vm = cursorRow(app, perfList)
    if (vm) return [perfList.subject!(vm)]
    const pm = pmOf(app)
    return pm ? [{ kind: 'pm', id: pm.uuid, name: pm.name }] : []
  },
  says(app, width) {
    const pm = pmOf(app)
    return pm ? drawGraphs(app, pm, windowOf(app), width, 30) : []
  },
  draw(app, width, height) {
    const pm = pmOf(app)
    if (pm === undefined) return fill([[], line('  No machine yet: 1, then N adds one.')], height)
    const tableHeight = Math.max(Math.floor(height * 0.38), 6)
    const shown = shownRows(app, perfList)
    const table = panel(drawList(app, perfList, width - 2, tableHeight - 2), width, tableHeight, {
      title: `VMs on ${pm.name} (${shown.total})`,
    })
    return [...drawGraphs(app, pm, windowOf(app), width, height - tableHeight), ...table]
  },
}
