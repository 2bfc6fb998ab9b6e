import type { View } from '../engine/store/view.ts'
import { formatAge, formatSpan } from '../lib/age.ts'
import { formatGib, formatMbit } from '../lib/bytes.ts'
import { getOrMake } from '../lib/getOrMake.ts'
import { naturalKey, padCells } from '../lib/text.ts'
import type { Pm } from '../model/pm.ts'
import { hasDomain } from '../model/vm.ts'
import { bar, resample, sparkline } from '../ui/graph.ts'
import { beside, fill, type Line, line, type Span, span } from '../ui/line.ts'
import { panel } from '../ui/panel.ts'
import { acknowledge, attentionLine, attentionOf } from './attention.ts'
import { type Desk, isAtWork } from './desk.ts'
import { cursorRow, drawList, type ListDef, listTitle, setList, shownRows } from './list.ts'
import type { KeyRow, Screen } from './screen.ts'
import { openTerminal } from './terminal.ts'
import { vmList } from './vmList.ts'
import { count, destinationText, jobSign, memoryShare, percent, pmStatus, shareTone, timeLeft } from './words.ts'

const SPARK = 14
const SPARK_MS = 30 * 60_000

interface Load {
  vms: number
  vcpus: number
}

const loads = new WeakMap<object, Map<string, Load>>()

/** VMs and running VCPUs by PM, counted once for each state of the list. */
function loadOf(view: View, pm: string): Load {
  const vms = view.vms()
  const byPm = getOrMake(loads, vms, () => {
    const counted = new Map<string, Load>()
    for (const vm of vms) {
      const load = getOrMake(counted, vm.pm, () => ({ vms: 0, vcpus: 0 }))
      load.vms++
      if (hasDomain(vm.seen.state)) load.vcpus += vm.seen.vcpuCount ?? vm.vcpuCount
    }
    return counted
  })
  return byPm.get(pm) ?? { vms: 0, vcpus: 0 }
}

function cpuSpark(desk: Desk, pm: Pm): string {
  const now = desk.now()
  const samples = desk
    .view()
    .history(pm.uuid)
    .map(({ at, cpuPercent }) => ({ at, value: cpuPercent }))
  const values = resample(samples, now - SPARK_MS, now, SPARK, 'mean')
  return sparkline(
    values.map((value) => (value === undefined ? undefined : value / 100)),
    desk.options.look.graph,
  )
}

const up = (pm: Pm) => pm.seen.reach === 'up'

export const pmList: ListDef<Pm> = {
  name: 'pms',
  sort: { column: 'name', down: false },
  empty: 'no machine yet: N adds one',
  columns: [
    {
      name: 'name',
      title: 'NAME',
      width: 10,
      grow: 24,
      kind: 'text',
      cell: (pm) => (pm.readOnly ? line(pm.name, span(' [RO]', 'warn')) : pm.name),
      sort: (pm) => naturalKey(pm.name),
    },
    { name: 'status', title: 'STATUS', width: 14, kind: 'text', cell: pmStatus, sort: (pm) => pmStatus(pm).text },
    {
      name: 'vms',
      title: 'VMS',
      width: 4,
      kind: 'number',
      cell: (pm, desk) => String(loadOf(desk.view(), pm.uuid).vms),
      sort: (pm, desk) => loadOf(desk.view(), pm.uuid).vms,
      live: true,
    },
    {
      name: 'cpus',
      title: 'CPU',
      width: 6,
      kind: 'number',
      drop: 3,
      cell: (pm, desk) => `${up(pm) ? loadOf(desk.view(), pm.uuid).vcpus : '–'}/${pm.cpuCount || '–'}`,
      sort: (pm) => pm.cpuCount,
    },
    { name: 'last', title: 'LAST 30 min', width: SPARK, kind: 'text', drop: 5, cell: (pm, desk) => cpuSpark(desk, pm) },
    {
      name: 'cpu',
      title: 'CPU%',
      width: 5,
      kind: 'number',
      cell: (pm, desk) => numberOr(up(pm) ? desk.view().rates(pm.uuid)?.cpuPercent : undefined),
      sort: (pm, desk) => desk.view().rates(pm.uuid)?.cpuPercent,
      live: true,
    },
    {
      name: 'memory',
      title: 'MEMORY GiB',
      width: 12,
      kind: 'size',
      drop: 1,
      cell: (pm) =>
        `${up(pm) && pm.seen.freeMib !== undefined ? formatGib(pm.memoryMib - pm.seen.freeMib) : '–'}/${formatGib(pm.memoryMib)}`,
      sort: (pm) => pm.memoryMib,
    },
    {
      name: 'bar',
      title: '',
      width: 10,
      kind: 'text',
      drop: 6,
      cell: (pm) => {
        const share = up(pm) ? memoryShare(pm) : undefined
        return share === undefined ? '··········' : span(bar(share, 10), shareTone(share))
      },
    },
    {
      name: 'mem',
      title: 'MEM%',
      width: 5,
      kind: 'number',
      cell: (pm) => {
        const share = up(pm) ? memoryShare(pm) : undefined
        return share === undefined ? '–' : span(String(Math.round(share * 100)), shareTone(share))
      },
      sort: memoryShare,
    },
    {
      name: 'net',
      title: 'RX/TX Mb/s',
      width: 10,
      kind: 'number',
      drop: 2,
      cell: (pm, desk) => {
        const rates = up(pm) ? desk.view().rates(pm.uuid) : undefined
        if (rates?.rxBytes === undefined || rates.txBytes === undefined) return '–'
        return `${formatMbit(rates.rxBytes)}/${formatMbit(rates.txBytes)}`
      },
      sort: (pm, desk) => desk.view().rates(pm.uuid)?.rxBytes,
      live: true,
    },
    {
      name: 'up',
      title: 'UP',
      width: 4,
      kind: 'age',
      drop: 4,
      cell: (pm, desk) => (up(pm) && pm.seen.bootedAt ? formatAge(desk.now() - pm.seen.bootedAt) : '–'),
      sort: (pm) => (pm.seen.bootedAt === undefined ? undefined : -pm.seen.bootedAt),
    },
    {
      name: 'xen',
      title: 'XEN',
      width: 6,
      kind: 'text',
      drop: 7,
      cell: (pm) => pm.seen.xenVersion ?? '–',
      sort: (pm) => pm.seen.xenVersion,
    },
    {
      name: 'destination',
      title: 'ADDRESS',
      width: 22,
      kind: 'text',
      wide: true,
      drop: 8,
      cell: (pm) => destinationText(pm.destination),
      sort: (pm) => pm.destination,
    },
    {
      name: 'kernel',
      title: 'KERNEL',
      width: 18,
      kind: 'text',
      wide: true,
      drop: 9,
      cell: (pm) => pm.seen.kernel ?? '–',
      sort: (pm) => pm.seen.kernel,
    },
    {
      name: 'load',
      title: 'LOAD',
      width: 6,
      kind: 'number',
      wide: true,
      drop: 10,
      cell: (pm) => pm.seen.load?.toFixed(2) ?? '–',
      sort: (pm) => pm.seen.load,
    },
  ],
  rows: (desk) => desk.view().pms(),
  id: (pm) => pm.uuid,
  subject: (pm) => ({ kind: 'pm', id: pm.uuid, name: pm.name }),
  words: (pm) => `${pm.name} ${pm.destination} ${pmStatus(pm).text} ${pm.seen.xenVersion ?? ''} ${pm.uuid}`,
  filters: {
    status: (pm) => pmStatus(pm).text,
    name: (pm) => pm.name,
    xen: (pm) => pm.seen.xenVersion ?? '',
  },
  copies: (pm) => [
    ['uuid', pm.uuid],
    ['name', pm.name],
    ['destination', pm.destination],
  ],
}

function numberOr(value: number | undefined): string {
  return value === undefined ? '–' : String(Math.round(value))
}

const chosen = (desk: Desk) => cursorRow(desk, pmList)
const noPm = (desk: Desk) => (chosen(desk) === undefined ? 'there is no machine here' : undefined)

function open(desk: Desk) {
  if (desk.state().focus === 'attention') {
    const item = attentionOf(desk)[attentionIndex(desk)]
    if (item) desk.go(item.opens)
    return
  }
  const pm = chosen(desk)
  if (pm) desk.go({ screen: 'perf', id: pm.uuid })
}

function attentionIndex(desk: Desk): number {
  const last = attentionOf(desk).length - 1
  return Math.max(Math.min(Number(desk.state().choices.attention ?? 0), last), 0)
}

function acknowledgeHere(desk: Desk) {
  const items = attentionOf(desk)
  if (desk.state().focus === 'attention')
    return acknowledge(desk, items.slice(attentionIndex(desk), attentionIndex(desk) + 1))
  const pm = chosen(desk)
  const about = items.filter((item) => item.pm === pm?.uuid)
  if (about.length === 0) return desk.say('nothing here needs attention; tab goes to what does')
  acknowledge(desk, about)
}

const keys: readonly KeyRow[] = [
  { key: 'enter', title: 'open', refuse: noPm, act: open },
  {
    key: 'o',
    title: 'its VMs',
    refuse: noPm,
    act: (desk) => {
      const pm = chosen(desk)!
      desk.jump({ screen: 'vms' })
      setList(desk, vmList, { filter: `pm:${pm.name}` })
    },
  },
  { key: 'p', title: 'perf', refuse: noPm, act: (desk) => desk.go({ screen: 'perf', id: chosen(desk)!.uuid }) },
  {
    key: 'S',
    title: 'shell',
    help: 'a shell on the machine; the way out is told first',
    refuse: noPm,
    act: (desk) => openTerminal(desk, { shell: chosen(desk)!.uuid }, `shell on ${chosen(desk)!.name}`),
  },
  { key: 'a', title: 'acknowledge', help: 'what needs attention here was seen', act: acknowledgeHere },
  { key: 'N', title: 'add a PM', operation: 'pm.add', fresh: true },
  {
    key: 'T',
    title: 'trust its key',
    operation: 'pm.trust',
    fresh: true,
    quiet: true,
    raw: (desk) => unknownKey(desk),
  },
  { key: 'D', title: 'remove', operation: 'pm.remove' },
]

/** The destination of the machine under the cursor, so that only the fingerprint is left to give. */
function unknownKey(desk: Desk): Readonly<Record<string, string>> {
  const pm = chosen(desk)
  return pm?.seen.reach === 'down' ? { destination: pm.destination } : {}
}

function attentionPanel(desk: Desk, width: number, height: number): Line[] {
  const items = attentionOf(desk)
  const focused = desk.state().focus === 'attention'
  const index = attentionIndex(desk)
  const room = Math.max(height - 3, 1)
  const top = Math.max(index - room + 1, 0)
  const lines: Line[] = items.slice(top, top + room).map((item, at) => {
    const drawn = [{ text: ' ' }, ...attentionLine(item)]
    return focused && top + at === index ? drawn.map(({ text }) => ({ text, inverse: true as const })) : drawn
  })
  if (items.length === 0) lines.push(line(span(' nothing', 'dim')))
  const hint = focused ? '↵ opens the thing itself; a acknowledges' : 'tab goes here; a acknowledges'
  const foot = fill(lines, room)
  foot.push(line(span(items.length === 0 ? '' : ` ${hint}`, 'dim')))
  return panel(foot, width, height, { title: `Needs attention (${items.length})`, focused })
}

function runningPanel(desk: Desk, width: number, height: number): Line[] {
  const jobs = desk.view().jobs().filter(isAtWork)
  const inner = width - 4
  const lines = jobs.flatMap((job): Line[] => {
    const left = timeLeft(job, desk.now())
    const tail = ` ${percent(job.progress).padStart(4)}${left ? `  ${left} left` : ''}`
    const title = desk.engine.operations.get(job.operation)?.title ?? job.operation
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

function detailPanel(desk: Desk, pm: Pm, width: number): Line[] {
  const view = desk.view()
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
  const configs = pm.seen.configs?.length ?? 0
  if (vms + configs === 0) return 'nothing that is not under care'
  return `${count(vms, 'VM')} and ${count(configs, 'configuration')} not under care`
}

function pairs(rows: readonly (readonly [string, string])[]): Line[] {
  return rows.map(([name, value]): Span[] => [span(` ${padCells(name, 10)}`, 'dim'), { text: value }])
}

function draw(desk: Desk, width: number, height: number): Line[] {
  const rows = shownRows(desk, pmList).rows.length
  const pm = chosen(desk)
  const detail = pm && height >= 26 ? detailPanel(desk, pm, width) : []
  const table = Math.min(Math.max(rows, 1) + 1, Math.max(Math.floor(height * 0.4), 4))
  const room = height - table - 1 - detail.length
  const lines: Line[] = [...drawList(desk, pmList, width, table), []]
  if (width >= 100) {
    const middle = Math.min(room, 12 + Math.max(room - 16, 0))
    const left = Math.floor(width * 0.58)
    lines.push(
      ...beside(attentionPanel(desk, left, middle), left, runningPanel(desk, width - left, middle), width - left),
    )
  } else {
    const running = room >= 10 ? Math.min(Math.max(Math.floor(room / 2), 5), 8) : 0
    lines.push(...attentionPanel(desk, width, room - running))
    if (running > 0) lines.push(...runningPanel(desk, width, running))
  }
  return fill([...lines, ...detail], height)
}

export const pmsScreen: Screen = {
  name: 'pms',
  title: 'PMs',
  digit: '1',
  list: () => pmList,
  keys,
  parts: () => ['list', 'attention'],
  heading: (desk) => [span(' PMs', 'strong'), ...listTitle(desk, pmList)],
  subjects: (desk) => {
    const { marks } = desk.state().lists.pms ?? {}
    const rows = marks?.size
      ? desk
          .view()
          .pms()
          .filter((pm) => marks.has(pm.uuid))
      : [chosen(desk)]
    return rows.flatMap((pm) => (pm ? [pmList.subject!(pm)] : []))
  },
  press(desk, key) {
    if (desk.state().focus !== 'attention') return false
    const by = { j: 1, down: 1, k: -1, up: -1 }[key]
    if (by === undefined) return false
    desk.choose('attention', Math.max(Math.min(attentionIndex(desk) + by, attentionOf(desk).length - 1), 0))
    return true
  },
  draw,
}
