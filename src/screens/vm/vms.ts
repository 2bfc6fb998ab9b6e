import { beside, type Line, span } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import type { AppContext } from '../app/context.ts'
import { chosenRows, cursorRow, drawList, listTitle } from '../app/list.ts'
import { drawScrolled, pressScroll } from '../app/scroll.ts'
import { listOf } from '../app/state.ts'
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

/** From this width on a pane stands beside a list, unless that was made wide. */
const PANE_FROM = 120

export function hasPane(app: AppContext, list: string): boolean {
  return app.state().size.columns >= PANE_FROM && !listOf(app.state(), list).wide
}

export const vmsScreen: Screen = {
  name: 'vms',
  title: 'VMs',
  also: 'guests domains',
  digit: '3',
  list: () => vmList,
  keys,
  parts: (app) => (hasPane(app, 'vms') ? ['list', 'pane'] : ['list']),
  heading: (app) => [span(' VMs', 'strong'), ...listTitle(app, vmList)],
  subjects: (app) => chosenRows(app, vmList).map((vm) => vmList.subject!(vm)),
  press: (app, key) => app.state().focus === 'pane' && pressScroll(app, 'vms.pane', key),
  draw(app, width, height): Line[] {
    const vm = chosen(app)
    const paneWidth = hasPane(app, 'vms') ? Math.min(Math.max(Math.floor(width * 0.33), 40), 64) : 0
    const listWidth = width - paneWidth
    const listFocused = app.state().focus === 'list'
    const list = panel(drawList(app, vmList, listWidth - 2, height - 2), listWidth, height, {
      focused: listFocused && paneWidth > 0,
    })
    if (paneWidth === 0) return list
    const content = vm ? vmPane(app, vm, keys, paneWidth - 2) : []
    const pane = drawScrolled(app, 'vms.pane', content, paneWidth, height, {
      title: vm?.name ?? '',
      focused: !listFocused,
    })
    return beside(list, listWidth, pane, paneWidth)
  },
}
