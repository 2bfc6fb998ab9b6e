import type { Template } from '../../model/template.ts'
import { fill, line, span } from '../../ui/line.ts'
import { pmName } from '../app/columns.ts'
import type { AppContext } from '../app/context.ts'
import { drawScrolled, handleScrollKey } from '../app/scroll.ts'
import type { KeyRow, Screen } from '../screen.ts'
import { templateKeys } from './keys.ts'
import { templateList, templateLock, templateStatus } from './list.ts'
import { templatePane } from './pane.ts'

/** One template opened. */

const shown = (app: AppContext): Template | undefined => app.view().getTemplate(app.route().id ?? '')

const keys: readonly KeyRow[] = templateKeys(shown)

export const templateScreen: Screen = {
  name: 'template',
  title: 'Template',
  keys,
  heading(app) {
    const template = shown(app)
    if (template === undefined) return line(span(' Templates › it is gone', 'strong'))
    return line(
      span(` Templates › ${template.name}`, 'strong'),
      '   ',
      templateStatus(template, app),
      '  ',
      templateLock(template, app),
      ` on ${pmName(template, app)}`,
    )
  },
  subjects(app) {
    const template = shown(app)
    return template ? [templateList.subject!(template)] : []
  },
  copies(app) {
    const template = shown(app)
    return template ? templateList.copies(template, app) : []
  },
  says(app, width) {
    const template = shown(app)
    return template ? templatePane(app, template, keys, width) : []
  },
  handleKey: (app, key) => handleScrollKey(app, 'template.text', key),
  draw(app, width, height) {
    const template = shown(app)
    if (template === undefined) return fill([[], line('  This template is not there any more. esc goes back.')], height)
    return drawScrolled(app, 'template.text', templatePane(app, template, keys, width - 2), width, height, {})
  },
}
