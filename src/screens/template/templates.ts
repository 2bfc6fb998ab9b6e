import { beside, type Line, span } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import type { Desk } from '../app/context.ts'
import { chosenRows, cursorRow, drawList, listTitle } from '../app/list.ts'
import { drawScrolled, pressScroll } from '../app/scroll.ts'
import type { KeyRow, Screen } from '../screen.ts'
import { hasPane } from '../vm/vms.ts'
import { templateKeys } from './keys.ts'
import { templateList } from './list.ts'
import { templatePane } from './pane.ts'

/** Templates: what VMs are made from. */

const chosen = (desk: Desk) => cursorRow(desk, templateList)

const keys: readonly KeyRow[] = [
  {
    key: 'enter',
    title: 'open',
    quiet: true,
    refuse: (desk) => (chosen(desk) === undefined ? 'there is no template here' : undefined),
    act: (desk) => desk.go({ screen: 'template', id: chosen(desk)!.uuid }),
  },
  ...templateKeys(chosen),
  { key: 'n', title: 'from a VM', operation: 'template.create', fresh: true },
  { key: 'N', title: 'new, empty', operation: 'template.addNew', fresh: true },
  { key: 'i', title: 'from an image', operation: 'template.add', fresh: true },
]

export const templatesScreen: Screen = {
  name: 'templates',
  title: 'Templates',
  also: 'gvm images',
  digit: '4',
  list: () => templateList,
  keys,
  parts: (desk) => (hasPane(desk, 'templates') ? ['list', 'pane'] : ['list']),
  heading: (desk) => [span(' Templates', 'strong'), ...listTitle(desk, templateList)],
  subjects: (desk) => chosenRows(desk, templateList).map((template) => templateList.subject!(template)),
  press: (desk, key) => desk.state().focus === 'pane' && pressScroll(desk, 'templates.pane', key),
  draw(desk, width, height): Line[] {
    const template = chosen(desk)
    const paneWidth = hasPane(desk, 'templates') ? Math.min(Math.max(Math.floor(width * 0.38), 44), 64) : 0
    const listWidth = width - paneWidth
    const focused = desk.state().focus === 'list'
    const list = panel(drawList(desk, templateList, listWidth - 2, height - 2), listWidth, height, {
      focused: focused && paneWidth > 0,
    })
    if (paneWidth === 0) return list
    const content = template ? templatePane(desk, template, keys, paneWidth - 2) : []
    const pane = drawScrolled(desk, 'templates.pane', content, paneWidth, height, {
      title: template?.name ?? '',
      focused: !focused,
    })
    return beside(list, listWidth, pane, paneWidth)
  },
}
