import { span } from '../../ui/line.ts'
import type { AppContext } from '../app/context.ts'
import { cursorRow, listTitle, selectedRows } from '../app/list.ts'
import { drawListAndPane, hasPane, paneName } from '../app/pane.ts'
import { handleScrollKey } from '../app/scroll.ts'
import type { KeyRow, Screen } from '../screen.ts'
import { vmKeys } from './keys.ts'
import { vmList } from './list.ts'
import { vmPane } from './pane.ts'

const chosen = (app: AppContext) => cursorRow(app, vmList)

const keys: readonly KeyRow[] = [
  {
    key: 'enter',
    title: 'open',
    quiet: true,
    refuse: (app) => (chosen(app) === undefined ? 'there is no VM here' : undefined),
    act: (app) => app.go({ screen: 'vm', id: chosen(app)!.uuid }),
  },
  ...vmKeys(chosen),
  { key: 'N', title: 'new', operation: 'vm.create', fresh: true },
]

export const vmsScreen: Screen = {
  name: 'vms',
  title: 'VMs',
  also: 'guests domains',
  digit: '3',
  list: () => vmList,
  keys,
  parts: (app) => (hasPane(app, 'vms') ? ['list', 'pane'] : ['list']),
  heading: (app) => [span(' VMs', 'strong'), ...listTitle(app, vmList)],
  subjects: (app) => selectedRows(app, vmList).map((vm) => vmList.subject!(vm)),
  handleKey: (app, key) => app.state().focus === 'pane' && handleScrollKey(app, paneName('vms'), key),
  draw: (app, width, height) =>
    drawListAndPane(
      app,
      vmList,
      {
        share: 0.33,
        least: 40,
        title: ({ name }) => name,
        lines: (vm, paneWidth) => vmPane(app, vm, keys, paneWidth),
      },
      width,
      height,
    ),
}
