import { span } from '../../ui/line.ts'
import type { AppContext } from '../app/context.ts'
import { cursorRow, listTitle, selectedRows } from '../app/list.ts'
import { drawListAndPane, hasPane, paneName } from '../app/pane.ts'
import { handleScrollKey } from '../app/scroll.ts'
import type { KeyRow, Screen } from '../screen.ts'
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
  subjects: (app) => selectedRows(app, templateList).map((template) => templateList.subject!(template)),
  handleKey: (app, key) => app.state().focus === 'pane' && handleScrollKey(app, paneName('templates'), key),
  draw: (app, width, height) =>
    drawListAndPane(
      app,
      templateList,
      {
        share: 0.38,
        least: 44,
        title: ({ name }) => name,
        lines: (template, paneWidth) => templatePane(app, template, keys, paneWidth),
      },
      width,
      height,
    ),
}
