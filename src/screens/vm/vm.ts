import type { Backup } from '../../model/backup.ts'
import { loadedCds } from '../../model/drive.ts'
import type { Vm } from '../../model/vm.ts'
import { withKeyNames } from '../../ui/keymap.ts'
import { beside, fill, type Line, line, type Span, span } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import { pmName } from '../app/columns.ts'
import type { AppContext } from '../app/context.ts'
import { type AnyList, cursorRow, drawList, type ListDef, listTitle } from '../app/list.ts'
import { type Pane, paneWidth } from '../app/pane.ts'
import { drawScrolled, handleScrollKey } from '../app/scroll.ts'
import { tabBar, tabBeside } from '../app/tabs.ts'
import { check } from '../ask/action.ts'
import { backupPane } from '../backup/pane.ts'
import type { KeyRow, Screen } from '../screen.ts'
import { capital, vmStatus } from '../words.ts'
import { restorable, vmBackupKeys, vmBackupList } from './backups.ts'
import { configLines } from './config.ts'
import { vmKeys } from './keys.ts'
import { vmPane } from './pane.ts'
import { snapshotPane } from './snapshotPane.ts'
import { depthNote, type PlacedBranch, snapshotKeys, snapshotList } from './snapshots.ts'
import { diskList, nicList, vmJobList, vmOf } from './tabs.ts'

/** One VM: tabs for what it is made of, what it can go back to and what happened to it. */

const TABS = ['overview', 'disks', 'interfaces', 'snapshots', 'backups', 'jobs', 'config'] as const
type Tab = (typeof TABS)[number]

const tabOf = (app: AppContext): Tab => (app.state().choices['vm.tab'] as Tab | undefined) ?? 'overview'

const LISTS: Partial<Record<Tab, AnyList>> = {
  disks: diskList,
  interfaces: nicList,
  snapshots: snapshotList,
  backups: vmBackupList,
  jobs: vmJobList,
}

function turnTab(app: AppContext, by: number): void {
  app.choose('vm.tab', tabBeside(TABS, tabOf(app), by))
}

const on = (tab: Tab) => (app: AppContext) => tabOf(app) === tab
const chosenDisk = (app: AppContext) => ({ disk: cursorRow(app, diskList)?.uuid ?? '' })
const chosenNic = (app: AppContext) => ({ nic: String(cursorRow(app, nicList)?.id ?? '') })
const noDisk = (app: AppContext) => (cursorRow(app, diskList) ? undefined : 'there is no disk here')
const noNic = (app: AppContext) => (cursorRow(app, nicList) ? undefined : 'there is no interface here')

/** Why no form could change the interface: what it is now written down once more is refused as well. */
function fixedNic(app: AppContext): string | undefined {
  const [vm, nic] = [vmOf(app), cursorRow(app, nicList)]
  if (!vm || !nic) return noNic(app)
  return check(app, app.engine.operations.get('nic.update')!, { ...chosenNic(app), vm: vm.uuid, ip: nic.ip }).refusal
}

/** What the tabs with lists add; there a key of theirs is about the row and not about the VM. */
const tabKeys: readonly KeyRow[] = [
  { key: 'n', title: 'new disk', operation: 'disk.create', when: on('disks') },
  { key: '+', title: 'grow', operation: 'disk.grow', when: on('disks'), refuse: noDisk, raw: chosenDisk },
  { key: 'M', title: 'move disk', operation: 'vm.smigrate', when: on('disks'), refuse: noDisk, raw: chosenDisk },
  { key: 'D', title: 'delete disk', operation: 'disk.delete', when: on('disks'), refuse: noDisk, raw: chosenDisk },
  { key: 'i', title: 'insert a CD', operation: 'iso.insert', when: on('disks') },
  { key: 'I', title: 'eject it', operation: 'iso.eject', when: on('disks') },
  { key: 'n', title: 'new interface', operation: 'nic.create', when: on('interfaces') },
  {
    key: 'e',
    title: 'edit interface',
    operation: 'nic.update',
    when: on('interfaces'),
    refuse: fixedNic,
    raw: chosenNic,
  },
  {
    key: 'D',
    title: 'delete interface',
    operation: 'nic.delete',
    when: on('interfaces'),
    refuse: noNic,
    raw: chosenNic,
  },
  ...snapshotKeys(on('snapshots')),
  ...vmBackupKeys(on('backups')),
]

const isTabs = (key: string, app: AppContext) => tabKeys.some((row) => row.key === key && row.when!(app))

const keys: readonly KeyRow[] = [
  {
    key: 'enter',
    title: 'open job',
    quiet: true,
    when: on('jobs'),
    refuse: (app) => (cursorRow(app, vmJobList) ? undefined : 'there is no job here'),
    act: (app) => app.go({ screen: 'job', id: cursorRow(app, vmJobList)!.id }),
  },
  ...tabKeys,
  ...vmKeys(vmOf).map((row) =>
    tabKeys.some(({ key }) => key === row.key) ? { ...row, when: (app: AppContext) => !isTabs(row.key, app) } : row,
  ),
]

function textOf(app: AppContext, vm: Vm, tab: Tab, width: number): readonly Line[] {
  return tab === 'overview' ? vmPane(app, vm, vmKeys(vmOf), width) : configLines(vm)
}

function driveNote(vm: Vm): string | undefined {
  return vm.type === 'hvm' ? `CD drive: ${loadedCds(vm).join(', ') || 'empty'}` : undefined
}

/** A list, and where there is room what can be said of the row under the cursor. */
function drawWithPane<R>(
  app: AppContext,
  def: ListDef<R>,
  pane: Pane<R>,
  width: number,
  height: number,
  head?: Span,
): Line[] {
  const right = paneWidth(app, def.name, width, pane)
  const left = width - right
  const list = panel(drawList(app, def, left - 2, height - 2), left, height, { title: head?.text, tone: head?.tone })
  if (right === 0) return list
  const row = cursorRow(app, def)
  const lines = row === undefined ? [] : pane.lines(row, right - 2)
  return beside(list, left, panel(lines, right, height, { title: row === undefined ? '' : pane.title(row) }), right)
}

function drawTab(app: AppContext, vm: Vm, tab: Tab, width: number, height: number): Line[] {
  if (tab === 'snapshots') {
    const pane: Pane<PlacedBranch> = {
      share: 0.4,
      least: 44,
      title: ({ snapshot }) => snapshot.name,
      lines: (branch, inner) => snapshotPane(app, vm, branch, inner),
    }
    return drawWithPane(app, snapshotList, pane, width, height)
  }
  if (tab === 'backups') {
    const pane: Pane<Backup> = {
      share: 0.38,
      least: 44,
      title: ({ name }) => name,
      lines: (backup, inner) => backupPane(app, backup, inner),
    }
    return drawWithPane(app, vmBackupList, pane, width, height, restorable(vm, app))
  }
  const list = LISTS[tab]
  if (list === undefined) return drawScrolled(app, 'vm.text', textOf(app, vm, tab, width - 2), width, height, {})
  const note = tab === 'disks' ? driveNote(vm) : undefined
  return panel(drawList(app, list, width - 2, height - 2), width, height, { note })
}

export const vmScreen: Screen = {
  name: 'vm',
  title: 'VM',
  list: (app) => LISTS[tabOf(app)],
  keys,
  heading(app) {
    const vm = vmOf(app)
    if (vm === undefined) return line(span(' VMs › it is gone', 'strong'))
    const list = LISTS[tabOf(app)]
    return [
      span(` VMs › ${vm.name}`, 'strong'),
      { text: '   ' },
      vmStatus(vm, app.view().jobOn('vm', vm.uuid), app.engine),
      { text: ` on ${pmName(vm, app)}` },
      ...(list ? [{ text: `   ${capital(tabOf(app))}` }, ...listTitle(app, list)] : []),
      ...(tabOf(app) === 'snapshots' ? depthNote(vm) : []),
    ]
  },
  subjects(app) {
    const vm = vmOf(app)
    return vm ? [{ kind: 'vm', id: vm.uuid, name: vm.name }] : []
  },
  copies: (app) => {
    const list = LISTS[tabOf(app)]
    const row = list && cursorRow(app, list)
    const vm = vmOf(app)
    const own = vm
      ? ([
          ['uuid', vm.uuid],
          ['name', vm.name],
        ] as const)
      : []
    return [...(list && row !== undefined ? list.copies(row, app) : []), ...own]
  },
  says(app, width) {
    const vm = vmOf(app)
    if (vm === undefined) return []
    const tab = tabOf(app)
    const text = LISTS[tab] ? [] : textOf(app, vm, tab, width)
    const said = tab === 'backups' ? [line(restorable(vm, app))] : text
    return [line(`Tab ${tab}, of ${TABS.join(', ')}.`), ...said]
  },
  handleKey(app, key) {
    if (key === 'tab' || key === 'right' || key === 'l') turnTab(app, 1)
    else if (key === 'shift-tab' || key === 'left' || key === 'h') turnTab(app, -1)
    else return LISTS[tabOf(app)] === undefined && handleScrollKey(app, 'vm.text', key)
    return true
  },
  draw(app, width, height) {
    const vm = vmOf(app)
    if (vm === undefined) return fill([[], line('  This VM is not there any more. esc goes back.')], height)
    const tab = tabOf(app)
    const hint = withKeyNames('← → or tab', app.options.theme.ascii)
    const bar = tabBar(TABS.map(capital), TABS.indexOf(tab), hint, width)
    return [bar, ...drawTab(app, vm, tab, width, height - 1)]
  },
}
