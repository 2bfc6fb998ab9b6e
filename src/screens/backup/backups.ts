import type { Backup, Schedule } from '../../model/backup.ts'
import { withKeyNames } from '../../ui/keymap.ts'
import { line, span } from '../../ui/line.ts'
import type { AppContext } from '../app/context.ts'
import { type AnyList, cursorRow, type ListDef, listTitle, selectedRows, setList } from '../app/list.ts'
import { drawListWithPane, type Pane, paneName } from '../app/pane.ts'
import { handleScrollKey } from '../app/scroll.ts'
import { tabBar, tabBeside } from '../app/tabs.ts'
import type { KeyRow, Screen } from '../screen.ts'
import { capital } from '../words.ts'
import { backupColumns, backupRows, backupSubject } from './columns.ts'
import { backupKeys } from './keys.ts'
import { backupPane } from './pane.ts'
import { scheduleKeys } from './scheduleKeys.ts'
import { scheduleList, scheduleSubject } from './scheduleList.ts'
import { schedulePane } from './schedulePane.ts'

/** All backups of the site, those of VMs that are gone too, and in a second tab the schedules that make them. */

const TABS = ['backups', 'schedules'] as const
type Tab = (typeof TABS)[number]

const tabOf = (app: AppContext): Tab => (app.state().choices['backups.tab'] as Tab | undefined) ?? 'backups'
const on = (tab: Tab) => (app: AppContext) => tabOf(app) === tab

const backupList: ListDef<Backup> = {
  ...backupRows,
  name: 'backups',
  empty: 'no backup yet: n makes one',
  columns: Object.values(backupColumns),
  rows: (app) => app.view().backups(),
}

const listOf = (app: AppContext): AnyList => (tabOf(app) === 'backups' ? backupList : scheduleList)

const chosenVm = (app: AppContext) =>
  (tabOf(app) === 'backups' ? cursorRow(app, backupList) : cursorRow(app, scheduleList))?.vm

const keys: readonly KeyRow[] = [
  {
    key: 'enter',
    title: 'open its VM',
    quiet: true,
    refuse(app) {
      const vm = chosenVm(app)
      if (vm === undefined) return 'there is nothing here'
      return app.view().getVm(vm) === undefined ? 'its VM is gone: R brings it back' : undefined
    },
    act(app) {
      app.choose('vm.tab', 'backups')
      app.go({ screen: 'vm', id: chosenVm(app)! })
    },
  },
  { key: 'n', title: 'new backup', operation: 'backup.create', fresh: true, when: on('backups') },
  ...backupKeys((app) => selectedRows(app, backupList).map(backupSubject)).map((row) => ({
    ...row,
    when: on('backups'),
  })),
  ...scheduleKeys(on('schedules')),
]

/** A path that names a backup or a schedule puts the cursor on it, once. */
function settleOnWanted(app: AppContext): void {
  const wanted = app.route().id
  if (wanted === undefined || app.state().choices['backups.at'] === wanted) return
  const tab: Tab = app.view().getSchedule(wanted) === undefined ? 'backups' : 'schedules'
  app.choose('backups.tab', tab)
  app.choose('backups.at', wanted)
  setList(app, listOf(app), { cursor: wanted })
}

export const backupsScreen: Screen = {
  name: 'backups',
  title: 'Backups',
  also: 'schedules restore',
  digit: '6',
  list: listOf,
  keys,
  parts: () => ['list', 'pane'],
  heading: (app) => [span(` Backups › ${capital(tabOf(app))}`, 'strong'), ...listTitle(app, listOf(app))],
  subjects: (app) =>
    tabOf(app) === 'backups'
      ? selectedRows(app, backupList).map(backupSubject)
      : selectedRows(app, scheduleList).map(scheduleSubject),
  says: (app) => [line(`Tab ${tabOf(app)}, of ${TABS.join(', ')}.`)],
  handleKey(app, key) {
    if (app.state().focus === 'pane' && handleScrollKey(app, paneName(listOf(app).name), key)) return true
    if (key === 'right' || key === 'l') app.choose('backups.tab', tabBeside(TABS, tabOf(app), 1))
    else if (key === 'left' || key === 'h') app.choose('backups.tab', tabBeside(TABS, tabOf(app), -1))
    else return false
    return true
  },
  draw(app, width, height) {
    settleOnWanted(app)
    const tab = tabOf(app)
    const hint = withKeyNames('← →', app.options.theme.ascii)
    const bar = tabBar(TABS.map(capital), TABS.indexOf(tab), hint, width)
    const size = { share: 0.38, least: 44 }
    const backups: Pane<Backup> = {
      ...size,
      title: ({ name, vmName }) => `${name} of ${vmName}`,
      lines: (backup, inner) => backupPane(app, backup, inner),
    }
    const schedules: Pane<Schedule> = {
      ...size,
      title: ({ vmName }) => `schedule of ${vmName}`,
      lines: (schedule, inner) => schedulePane(app, schedule, inner),
    }
    const body =
      tab === 'backups'
        ? drawListWithPane(app, backupList, backups, width, height - 1)
        : drawListWithPane(app, scheduleList, schedules, width, height - 1)
    return [bar, ...body]
  },
}
