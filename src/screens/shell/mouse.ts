import type { Click } from '../../ui/mouseInput.ts'
import type { AppContext } from '../app/context.ts'
import { setList } from '../app/list.ts'
import { listOf } from '../app/state.ts'
import { screenOf, screens } from '../catalog.ts'
import { hitAt } from './frame.ts'
import { handleKey } from './handleKey.ts'

/**
 * The mouse, where it was switched on: what a click means stands on the span that was drawn there, so nothing here knows
 * of layout. A click on a row is the cursor, a second one soon after it is ↵; the title of a column sorts by it.
 */
const DOUBLE_MS = 400
const WHEEL_ROWS = 3

const clicked = new WeakMap<AppContext, { readonly hit: string; readonly at: number }>()

export function handleClick(app: AppContext, click: Click, now = performance.now()): void {
  if (!app.state().mouse) return
  if (click.button !== 'left') {
    for (let row = 0; row < WHEEL_ROWS; row++) handleKey(app, click.button === 'wheelUp' ? 'up' : 'down')
    return
  }
  const hit = hitAt(app, click.row, click.column)
  if (hit === undefined) return
  const last = clicked.get(app)
  const twice = last?.hit === hit && now - last.at < DOUBLE_MS
  clicked.set(app, { hit, at: twice ? Number.NEGATIVE_INFINITY : now })
  const [kind, ...rest] = hit.split(' ')
  const meant = rest.join(' ')
  const overlay = app.state().overlays.at(-1)
  if (overlay !== undefined) {
    if (kind === 'item') overlay.click?.(Number(meant))
    else if (kind === 'answer') handleKey(app, meant)
  } else if (kind === 'key') handleKey(app, meant)
  else if (kind === 'place') jump(app, meant)
  else if (kind === 'sort') sortBy(app, meant)
  else if (kind === 'row') chooseRow(app, meant, twice)
}

function jump(app: AppContext, name: string): void {
  const screen = screens.find((one) => one.name === name)
  if (screen) app.jump({ screen: screen.name })
}

function chooseRow(app: AppContext, id: string, twice: boolean): void {
  const list = screenOf(app).list?.(app)
  if (list === undefined) return
  app.set({ focus: 'list' })
  setList(app, list, { cursor: id })
  if (twice) handleKey(app, 'enter')
}

/** By that column; the one it is sorted by already is turned. */
function sortBy(app: AppContext, name: string): void {
  const list = screenOf(app).list?.(app)
  const column = list?.columns.find((one) => one.name === name)
  if (list === undefined || column?.sort === undefined) return
  const sort = listOf(app.state(), list.name).sort ?? list.sort
  const down = sort.column === name ? !sort.down : column.kind !== 'text'
  setList(app, list, { sort: { column: name, down } })
}
