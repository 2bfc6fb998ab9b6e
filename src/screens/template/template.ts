import type { Template } from '../../model/template.ts'
import { fill, line, span } from '../../ui/line.ts'
import type { Desk } from '../app/context.ts'
import { drawScrolled, pressScroll } from '../app/scroll.ts'
import type { KeyRow, Screen } from '../screen.ts'
import { templateKeys } from './keys.ts'
import { templateList, templateLock, templateStatus } from './list.ts'
import { templatePane } from './pane.ts'

/** One template opened. */

const shown = (desk: Desk): Template | undefined => desk.view().getTemplate(desk.stop().id ?? '')

const keys: readonly KeyRow[] = templateKeys(shown)

export const templateScreen: Screen = {
  name: 'template',
  title: 'Template',
  keys,
  heading(desk) {
    const template = shown(desk)
    if (template === undefined) return line(span(' Templates › it is gone', 'strong'))
    return line(
      span(` Templates › ${template.name}`, 'strong'),
      '   ',
      templateStatus(template, desk),
      '  ',
      templateLock(template, desk),
      ` on ${desk.view().getPm(template.pm)?.name ?? '?'}`,
    )
  },
  subjects(desk) {
    const template = shown(desk)
    return template ? [templateList.subject!(template)] : []
  },
  copies(desk) {
    const template = shown(desk)
    return template ? templateList.copies(template, desk) : []
  },
  says(desk, width) {
    const template = shown(desk)
    return template ? templatePane(desk, template, keys, width) : []
  },
  press: (desk, key) => pressScroll(desk, 'template.text', key),
  draw(desk, width, height) {
    const template = shown(desk)
    if (template === undefined) return fill([[], line('  This template is not there any more. esc goes back.')], height)
    return drawScrolled(desk, 'template.text', templatePane(desk, template, keys, width - 2), width, height, {})
  },
}
