import type { Vm } from '../../model/vm.ts'
import { withKeyNames } from '../../ui/keymap.ts'
import { beside, fill, type Line, line, type Span, span } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import type { Desk } from '../app/context.ts'
import { type AnyList, cursorRow, drawList, listTitle } from '../app/list.ts'
import { drawScrolled, pressScroll } from '../app/scroll.ts'
import type { KeyRow, Screen } from '../screen.ts'
import { vmStatus } from '../words.ts'
import { configLines } from './config.ts'
import { vmKeys } from './keys.ts'
import { vmPane } from './pane.ts'
import { snapshotPane } from './snapshotPane.ts'
import { depthNote, snapshotKeys, snapshotList } from './snapshots.ts'
import { diskList, nicList, vmJobList, vmOf } from './tabs.ts'
import { hasPane } from './vms.ts'

/** One VM: tabs for what it is made of. Backups get theirs when they exist. */

const TABS = ['overview', 'disks', 'interfaces', 'snapshots', 'jobs', 'config'] as const
type Tab = (typeof TABS)[number]

const tabOf = (desk: Desk): Tab => (desk.state().choices['vm.tab'] as Tab | undefined) ?? 'overview'

const LISTS: Partial<Record<Tab, AnyList>> = {
  disks: diskList,
  interfaces: nicList,
  snapshots: snapshotList,
  jobs: vmJobList,
}

const tabTitle = (tab: Tab) => tab.charAt(0).toUpperCase() + tab.slice(1)

function tabBar(current: Tab, ascii: boolean): Line {
  const pieces: Span[] = [{ text: ' ' }]
  for (const tab of TABS) {
    const title = tabTitle(tab)
    pieces.push(tab === current ? span(`[${title}]`, 'accent') : { text: ` ${title} ` }, { text: '  ' })
  }
  pieces.push(span(`   ${withKeyNames('← →', ascii)} or tab`, 'dim'))
  return pieces
}

function turnTab(desk: Desk, by: number): void {
  const at = TABS.indexOf(tabOf(desk))
  desk.choose('vm.tab', TABS[(at + by + TABS.length) % TABS.length])
}

const on = (tab: Tab) => (desk: Desk) => tabOf(desk) === tab
const chosenDisk = (desk: Desk) => ({ disk: cursorRow(desk, diskList)?.uuid ?? '' })
const chosenNic = (desk: Desk) => ({ nic: String(cursorRow(desk, nicList)?.id ?? '') })
const noDisk = (desk: Desk) => (cursorRow(desk, diskList) ? undefined : 'there is no disk here')
const noNic = (desk: Desk) => (cursorRow(desk, nicList) ? undefined : 'there is no interface here')

/** What the tabs with lists add; there a key of theirs is about the row and not about the VM. */
const tabKeys: readonly KeyRow[] = [
  { key: 'n', title: 'new disk', operation: 'disk.create', when: on('disks') },
  { key: '+', title: 'grow', operation: 'disk.grow', when: on('disks'), refuse: noDisk, raw: chosenDisk },
  { key: 'D', title: 'delete disk', operation: 'disk.delete', when: on('disks'), refuse: noDisk, raw: chosenDisk },
  { key: 'i', title: 'insert a CD', operation: 'iso.insert', when: on('disks') },
  { key: 'I', title: 'eject it', operation: 'iso.eject', when: on('disks') },
  { key: 'n', title: 'new interface', operation: 'nic.create', when: on('interfaces') },
  { key: 'e', title: 'edit interface', operation: 'nic.update', when: on('interfaces'), refuse: noNic, raw: chosenNic },
  {
    key: 'D',
    title: 'delete interface',
    operation: 'nic.delete',
    when: on('interfaces'),
    refuse: noNic,
    raw: chosenNic,
  },
  ...snapshotKeys(on('snapshots')),
]

const isTabs = (key: string, desk: Desk) => tabKeys.some((row) => row.key === key && row.when!(desk))

const keys: readonly KeyRow[] = [
  {
    key: 'enter',
    title: 'open job',
    quiet: true,
    when: on('jobs'),
    refuse: (desk) => (cursorRow(desk, vmJobList) ? undefined : 'there is no job here'),
    act: (desk) => desk.go({ screen: 'job', id: cursorRow(desk, vmJobList)!.id }),
  },
  ...tabKeys,
  ...vmKeys(vmOf).map((row) =>
    tabKeys.some(({ key }) => key === row.key) ? { ...row, when: (desk: Desk) => !isTabs(row.key, desk) } : row,
  ),
]

function textOf(desk: Desk, vm: Vm, tab: Tab, width: number): readonly Line[] {
  return tab === 'overview' ? vmPane(desk, vm, vmKeys(vmOf), width) : configLines(vm)
}

function driveNote({ type, iso }: Vm): string | undefined {
  return type === 'hvm' ? `CD drive: ${iso ?? 'empty'}` : undefined
}

/** The tree, and where there is room what can be said of the one under the cursor. */
function drawSnapshots(desk: Desk, vm: Vm, width: number, height: number): Line[] {
  const paneWidth = hasPane(desk, snapshotList.name) ? Math.min(Math.max(Math.floor(width * 0.4), 44), 64) : 0
  const listWidth = width - paneWidth
  const list = panel(drawList(desk, snapshotList, listWidth - 2, height - 2), listWidth, height)
  if (paneWidth === 0) return list
  const branch = cursorRow(desk, snapshotList)
  const content = branch ? snapshotPane(desk, vm, branch, paneWidth - 2) : []
  return beside(list, listWidth, panel(content, paneWidth, height, { title: branch?.snapshot.name ?? '' }), paneWidth)
}

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
      ...(list ? [{ text: `   ${tabTitle(tabOf(desk))}` }, ...listTitle(desk, list)] : []),
      ...(tabOf(desk) === 'snapshots' ? depthNote(vm) : []),
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
  says(desk, width) {
    const vm = vmOf(desk)
    if (vm === undefined) return []
    const tab = tabOf(desk)
    const text = LISTS[tab] ? [] : textOf(desk, vm, tab, width)
    return [line(`Tab ${tab}, of ${TABS.join(', ')}.`), ...text]
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
    const body =
      tab === 'snapshots'
        ? drawSnapshots(desk, vm, width, room)
        : list
          ? panel(drawList(desk, list, width - 2, room - 2), width, room, {
              note: tab === 'disks' ? driveNote(vm) : undefined,
            })
          : drawScrolled(desk, 'vm.text', textOf(desk, vm, tab, width - 2), width, room, {})
    return [tabBar(tab, desk.options.look.ascii), ...body]
  },
}
