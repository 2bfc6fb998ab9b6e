import { beside, type Line, span } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import type { Desk } from '../app/context.ts'
import { chosenRows, cursorRow, drawList, listTitle } from '../app/list.ts'
import { drawScrolled, pressScroll } from '../app/scroll.ts'
import { listOf } from '../app/state.ts'
import type { KeyRow, Screen } from '../screen.ts'
import { vmKeys } from './keys.ts'
import { vmList } from './list.ts'
import { vmPane } from './pane.ts'

const chosen = (desk: Desk) => cursorRow(desk, vmList)

const keys: readonly KeyRow[] = [
  {
    key: 'enter',
    title: 'open',
    quiet: true,
    refuse: (desk) => (chosen(desk) === undefined ? 'there is no VM here' : undefined),
    act: (desk) => desk.go({ screen: 'vm', id: chosen(desk)!.uuid }),
  },
  ...vmKeys(chosen),
  { key: 'N', title: 'new', operation: 'vm.create', fresh: true },
]

/** From this width on a pane stands beside a list, unless that was made wide. */
const PANE_FROM = 120

export function hasPane(desk: Desk, list: string): boolean {
  return desk.state().size.columns >= PANE_FROM && !listOf(desk.state(), list).wide
}

export const vmsScreen: Screen = {
  name: 'vms',
  title: 'VMs',
  also: 'guests domains',
  digit: '3',
  list: () => vmList,
  keys,
  parts: (desk) => (hasPane(desk, 'vms') ? ['list', 'pane'] : ['list']),
  heading: (desk) => [span(' VMs', 'strong'), ...listTitle(desk, vmList)],
  subjects: (desk) => chosenRows(desk, vmList).map((vm) => vmList.subject!(vm)),
  press: (desk, key) => desk.state().focus === 'pane' && pressScroll(desk, 'vms.pane', key),
  draw(desk, width, height): Line[] {
    const vm = chosen(desk)
    const paneWidth = hasPane(desk, 'vms') ? Math.min(Math.max(Math.floor(width * 0.33), 40), 64) : 0
    const listWidth = width - paneWidth
    const listFocused = desk.state().focus === 'list'
    const list = panel(drawList(desk, vmList, listWidth - 2, height - 2), listWidth, height, {
      focused: listFocused && paneWidth > 0,
    })
    if (paneWidth === 0) return list
    const content = vm ? vmPane(desk, vm, keys, paneWidth - 2) : []
    const pane = drawScrolled(desk, 'vms.pane', content, paneWidth, height, {
      title: vm?.name ?? '',
      focused: !listFocused,
    })
    return beside(list, listWidth, pane, paneWidth)
  },
}
