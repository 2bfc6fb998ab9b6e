import { formatMoment, formatSpan } from '../lib/age.ts'
import { formatMib } from '../lib/bytes.ts'
import { getOrMake } from '../lib/getOrMake.ts'
import { naturalKey } from '../lib/text.ts'
import type { Disk } from '../model/disk.ts'
import type { Job } from '../model/job.ts'
import type { Nic } from '../model/nic.ts'
import type { Vm } from '../model/vm.ts'
import { fill, type Line, line, type Span, span } from '../ui/line.ts'
import { panel } from '../ui/panel.ts'
import type { Desk } from './desk.ts'
import { type AnyList, cursorRow, drawList, type ListDef, listTitle } from './list.ts'
import type { KeyRow, Screen } from './screen.ts'
import { drawScrolled, pressScroll } from './scroll.ts'
import { configLines } from './vmConfig.ts'
import { vmKeys } from './vmKeys.ts'
import { vmPane } from './vmPane.ts'
import { jobSign, signSpan, vmStatus } from './words.ts'

/** One VM: tabs for what it is made of. Snapshots and backups get theirs when they exist. */

const TABS = ['overview', 'disks', 'interfaces', 'jobs', 'config'] as const
type Tab = (typeof TABS)[number]

const vmOf = (desk: Desk): Vm | undefined => desk.view().getVm(desk.stop().id ?? '')
const tabOf = (desk: Desk): Tab => (desk.state().choices['vm.tab'] as Tab | undefined) ?? 'overview'

const diskList: ListDef<Disk> = {
  name: 'vm.disks',
  sort: { column: 'vdev', down: false },
  empty: 'no disk',
  columns: [
    { name: 'vdev', title: 'DISK', width: 6, kind: 'text', cell: (disk) => disk.vdev, sort: (disk) => disk.vdev },
    {
      name: 'size',
      title: 'SIZE',
      width: 10,
      kind: 'size',
      cell: (disk) => (disk.sizeMib === undefined ? '?' : formatMib(disk.sizeMib)),
      sort: (disk) => disk.sizeMib,
    },
    {
      name: 'format',
      title: 'FORMAT',
      width: 6,
      kind: 'text',
      cell: (disk) => disk.format,
      sort: (disk) => disk.format,
    },
    {
      name: 'storlink',
      title: 'STORLINK',
      width: 14,
      kind: 'text',
      cell: (disk, desk) =>
        disk.storlink === undefined
          ? span('where it lay', 'dim')
          : `${disk.storlink} ${desk.view().getStorlink(disk.storlink)?.name ?? ''}`,
      sort: (disk) => disk.storlink,
    },
    {
      name: 'owned',
      title: 'ON DELETE',
      width: 9,
      kind: 'text',
      drop: 2,
      cell: (disk) => (disk.owned ? 'removed' : span('kept', 'dim')),
      sort: (disk) => String(disk.owned),
    },
    {
      name: 'mode',
      title: 'MODE',
      width: 10,
      kind: 'text',
      drop: 3,
      cell: (disk) => (disk.readOnly ? 'read-only' : 'read-write'),
      sort: (disk) => String(disk.readOnly),
    },
    {
      name: 'path',
      title: 'PATH',
      width: 20,
      grow: 90,
      kind: 'text',
      drop: 4,
      cell: (disk) => disk.path,
      sort: (disk) => disk.path,
    },
    { name: 'uuid', title: 'UUID', width: 36, kind: 'text', wide: true, drop: 5, cell: (disk) => disk.uuid },
  ],
  rows: (desk) => vmOf(desk)?.disks ?? [],
  id: (disk) => disk.uuid,
  words: (disk) => `${disk.vdev} ${disk.format} ${disk.path} ${disk.uuid}`,
  filters: {},
  copies: (disk) => [
    ['path', disk.path],
    ['uuid', disk.uuid],
  ],
}

const nicList: ListDef<Nic> = {
  name: 'vm.nics',
  sort: { column: 'name', down: false },
  empty: 'no interface',
  columns: [
    {
      name: 'name',
      title: 'INTERFACE',
      width: 9,
      kind: 'text',
      cell: (nic) => nic.name,
      sort: (nic) => naturalKey(nic.name),
    },
    { name: 'mac', title: 'MAC', width: 17, kind: 'text', cell: (nic) => nic.mac, sort: (nic) => nic.mac },
    { name: 'bridge', title: 'BRIDGE', width: 12, kind: 'text', cell: (nic) => nic.bridge, sort: (nic) => nic.bridge },
    {
      name: 'ip',
      title: 'ADDRESS',
      width: 15,
      grow: 39,
      kind: 'text',
      cell: (nic) => nic.ip || '–',
      sort: (nic) => naturalKey(nic.ip),
    },
    {
      name: 'model',
      title: 'MODEL',
      width: 10,
      kind: 'text',
      drop: 1,
      cell: (nic) => nic.model ?? '–',
      sort: (nic) => nic.model,
    },
  ],
  rows: (desk) => vmOf(desk)?.nics ?? [],
  id: (nic) => nic.mac,
  words: (nic) => `${nic.name} ${nic.mac} ${nic.bridge} ${nic.ip}`,
  filters: {},
  copies: (nic) => [
    ['MAC', nic.mac],
    ['address', nic.ip],
  ],
}

const jobsOf = new WeakMap<object, Map<string, readonly Job[]>>()

/** The VM's jobs, the same array until the list of jobs changes. */
function jobsFor(desk: Desk): readonly Job[] {
  const all = desk.view().jobs()
  const id = desk.stop().id ?? ''
  const byId = getOrMake(jobsOf, all, () => new Map())
  return getOrMake(byId, id, () => all.filter((job) => job.subject.id === id))
}

const vmJobList: ListDef<Job> = {
  name: 'vm.jobs',
  sort: { column: 'number', down: true },
  empty: 'no job yet',
  columns: [
    {
      name: 'number',
      title: 'JOB',
      width: 5,
      kind: 'number',
      cell: (job) => String(job.number),
      sort: (job) => job.number,
    },
    {
      name: 'what',
      title: 'WHAT',
      width: 16,
      grow: 24,
      kind: 'text',
      cell: (job) => job.operation,
      sort: (job) => job.operation,
    },
    {
      name: 'state',
      title: 'STATE',
      width: 13,
      kind: 'text',
      cell: (job) => signSpan(jobSign(job)),
      sort: (job) => job.state,
    },
    {
      name: 'started',
      title: 'STARTED',
      width: 11,
      kind: 'age',
      cell: (job, desk) => formatMoment(job.startedAt ?? job.createdAt, desk.now()),
      sort: (job) => job.createdAt,
    },
    {
      name: 'took',
      title: 'TOOK',
      width: 7,
      kind: 'age',
      cell: (job) => (job.startedAt && job.finishedAt ? formatSpan(job.finishedAt - job.startedAt) : '–'),
    },
    { name: 'message', title: 'MESSAGE', width: 10, grow: 90, kind: 'text', drop: 1, cell: (job) => job.message },
  ],
  rows: jobsFor,
  id: (job) => job.id,
  words: (job) => `${job.number} ${job.operation} ${job.state} ${job.message}`,
  filters: {},
  copies: (job) => [['job', String(job.number)]],
}

const LISTS: Partial<Record<Tab, AnyList>> = { disks: diskList, interfaces: nicList, jobs: vmJobList }

function tabBar(current: Tab): Line {
  const pieces: Span[] = [{ text: ' ' }]
  for (const tab of TABS) {
    const title = tab.charAt(0).toUpperCase() + tab.slice(1)
    pieces.push(tab === current ? span(`[${title}]`, 'accent') : { text: ` ${title} ` }, { text: '  ' })
  }
  pieces.push(span('   ← → or tab', 'dim'))
  return pieces
}

function turnTab(desk: Desk, by: number): void {
  const at = TABS.indexOf(tabOf(desk))
  desk.choose('vm.tab', TABS[(at + by + TABS.length) % TABS.length])
}

const keys: readonly KeyRow[] = [
  {
    key: 'enter',
    title: 'open job',
    quiet: true,
    refuse: (desk) => (tabOf(desk) === 'jobs' && cursorRow(desk, vmJobList) ? undefined : 'only a job opens here'),
    act: (desk) => desk.go({ screen: 'job', id: cursorRow(desk, vmJobList)!.id }),
  },
  ...vmKeys(vmOf),
]

export const vmScreen: Screen = {
  name: 'vm',
  title: 'VM',
  list: (desk) => LISTS[tabOf(desk)],
  keys,
  heading(desk) {
    const vm = vmOf(desk)
    if (vm === undefined) return line(span(' VMs › it is gone', 'strong'))
    const list = LISTS[tabOf(desk)]
    return [
      span(` VMs › ${vm.name}`, 'strong'),
      { text: '   ' },
      vmStatus(vm, desk.view().jobOn('vm', vm.uuid), desk.engine),
      { text: ` on ${desk.view().getPm(vm.pm)?.name ?? '?'}` },
      ...(list ? listTitle(desk, list) : []),
    ]
  },
  subjects(desk) {
    const vm = vmOf(desk)
    return vm ? [{ kind: 'vm', id: vm.uuid, name: vm.name }] : []
  },
  copies: (desk) => {
    const list = LISTS[tabOf(desk)]
    const row = list && cursorRow(desk, list)
    const vm = vmOf(desk)
    const own = vm
      ? ([
          ['uuid', vm.uuid],
          ['name', vm.name],
        ] as const)
      : []
    return [...(list && row !== undefined ? list.copies(row, desk) : []), ...own]
  },
  press(desk, key) {
    if (key === 'tab' || key === 'right' || key === 'l') turnTab(desk, 1)
    else if (key === 'shift-tab' || key === 'left' || key === 'h') turnTab(desk, -1)
    else return LISTS[tabOf(desk)] === undefined && pressScroll(desk, 'vm.text', key)
    return true
  },
  draw(desk, width, height) {
    const vm = vmOf(desk)
    if (vm === undefined) return fill([[], line('  This VM is not there any more. esc goes back.')], height)
    const tab = tabOf(desk)
    const list = LISTS[tab]
    const room = height - 1
    const body = list
      ? panel(drawList(desk, list, width - 2, room - 2), width, room)
      : drawScrolled(
          desk,
          'vm.text',
          tab === 'overview' ? vmPane(desk, vm, keys, width - 2) : configLines(vm),
          width,
          room,
          {},
        )
    return [tabBar(tab), ...body]
  },
}
