import { beside, type Line } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import type { AppContext } from './context.ts'
import { cursorRow, drawList, type ListDef } from './list.ts'
import { drawScrolled } from './scroll.ts'
import { listOf } from './state.ts'

/** From this width on a pane stands beside a list, unless that was made wide. */
const PANE_FROM = 120
const WIDEST = 64

/** How much of the width a pane takes, and how many cells at least. */
export interface PaneWidth {
  readonly share: number
  readonly least: number
}

/** What stands beside a list: about the row under the cursor. */
export interface Pane<R> extends PaneWidth {
  title(row: R): string
  lines(row: R, width: number): readonly Line[]
}

export function hasPane(app: AppContext, list: string): boolean {
  return app.state().size.columns >= PANE_FROM && !listOf(app.state(), list).wide
}

/** In cells; 0 where there is none. */
export function paneWidth(app: AppContext, list: string, width: number, { share, least }: PaneWidth): number {
  return hasPane(app, list) ? Math.min(Math.max(Math.floor(width * share), least), WIDEST) : 0
}

/** The name under which it is remembered how far the pane of a list is scrolled. */
export function paneName(list: string): string {
  return `${list}.pane`
}

/** A list and, where there is room, its pane: exactly `height` lines. */
export function drawListAndPane<R>(
  app: AppContext,
  def: ListDef<R>,
  pane: Pane<R>,
  width: number,
  height: number,
): Line[] {
  const right = paneWidth(app, def.name, width, pane)
  const left = width - right
  const focused = app.state().focus === 'list'
  const list = panel(drawList(app, def, left - 2, height - 2), left, height, { focused: focused && right > 0 })
  return right === 0 ? list : beside(list, left, drawPane(app, def, pane, right, height), right)
}

/** A list and its pane: beside it where there is room, else below, where the list keeps that share of the height. */
export function drawListWithPane<R>(
  app: AppContext,
  def: ListDef<R>,
  pane: Pane<R>,
  width: number,
  height: number,
  share = 0.5,
): Line[] {
  if (hasPane(app, def.name)) return drawListAndPane(app, def, pane, width, height)
  const listHeight = Math.max(Math.floor(height * share), 6)
  const focused = app.state().focus === 'list'
  return [
    ...panel(drawList(app, def, width - 2, listHeight - 2), width, listHeight, { focused }),
    ...drawPane(app, def, pane, width, height - listHeight),
  ]
}

/** The pane alone. */
function drawPane<R>(app: AppContext, def: ListDef<R>, pane: Pane<R>, width: number, height: number): Line[] {
  const row = cursorRow(app, def)
  const content = row === undefined ? [] : pane.lines(row, width - 2)
  const title = row === undefined ? '' : pane.title(row)
  return drawScrolled(app, paneName(def.name), content, width, height, {
    title,
    focused: app.state().focus !== 'list',
  })
}
