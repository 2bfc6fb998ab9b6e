import { beside, type Line, span } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import type { AppContext } from '../app/context.ts'
import { chosenRows, cursorRow, drawList, listTitle } from '../app/list.ts'
import { drawScrolled, pressScroll } from '../app/scroll.ts'
import type { KeyRow, Screen } from '../screen.ts'
import { hasPane } from '../vm/vms.ts'
import { templateKeys } from './keys.ts'
import { templateList } from './list.ts'
import { templatePane } from './pane.ts'

/** Templates: what VMs are made from. */

const chosen = (app: AppContext) => cursorRow(app, templateList)

const keys: readonly KeyRow[] = [
  {
    key: 'enter',
    title: 'open',
    quiet: true,
    refuse: (app) => (chosen(app) === undefined ? 'there is no template here' : undefined),
    act: (app) => app.go({ screen: 'template', id: chosen(app)!.uuid }),
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
  parts: (app) => (hasPane(app, 'templates') ? ['list', 'pane'] : ['list']),
  heading: (app) => [span(' Templates', 'strong'), ...listTitle(app, templateList)],
  subjects: (app) => chosenRows(app, templateList).map((template) => templateList.subject!(template)),
  press: (app, key) => app.state().focus === 'pane' && pressScroll(app, 'templates.pane', key),
  draw(app, width, height): Line[] {
    const template = chosen(app)
    const paneWidth = hasPane(app, 'templates') ? Math.min(Math.max(Math.floor(width * 0.38), 44), 64) : 0
    const listWidth = width - paneWidth
    const focused = app.state().focus === 'list'
    const list = panel(drawList(app, templateList, listWidth - 2, height - 2), listWidth, height, {
      focused: focused && paneWidth > 0,
    })
    if (paneWidth === 0) return list
    const content = template ? templatePane(app, template, keys, paneWidth - 2) : []
    const pane = drawScrolled(app, 'templates.pane', content, paneWidth, height, {
      title: template?.name ?? '',
      focused: !focused,
    })
    return beside(list, listWidth, pane, paneWidth)
  },
}
