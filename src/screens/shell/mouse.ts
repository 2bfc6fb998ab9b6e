import type { Click } from '../../ui/mouseInput.ts'
import type { Desk } from '../app/context.ts'
import { setList } from '../app/list.ts'
import { listOf } from '../app/state.ts'
import { screenOf, screens } from '../catalog.ts'
import { hitAt } from './frame.ts'
import { press } from './press.ts'

/**
 * The mouse, where it was switched on: what a click means stands on the span that was drawn there, so nothing here knows
 * of layout. A click on a row is the cursor, a second one soon after it is ↵; the title of a column sorts by it.
 */
const DOUBLE_MS = 400
const WHEEL_ROWS = 3

const clicked = new WeakMap<Desk, { readonly hit: string; readonly at: number }>()

export function pressMouse(desk: Desk, click: Click, now = performance.now()): void {
  if (!desk.state().mouse) return
  if (click.button !== 'left') {
    for (let row = 0; row < WHEEL_ROWS; row++) press(desk, click.button === 'wheelUp' ? 'up' : 'down')
    return
  }
  const hit = hitAt(desk, click.row, click.column)
  if (hit === undefined) return
  const last = clicked.get(desk)
  const twice = last?.hit === hit && now - last.at < DOUBLE_MS
  clicked.set(desk, { hit, at: twice ? Number.NEGATIVE_INFINITY : now })
  const [kind, ...rest] = hit.split(' ')
  const meant = rest.join(' ')
  const overlay = desk.state().overlays.at(-1)
  if (overlay !== undefined) {
    if (kind === 'item') overlay.click?.(Number(meant))
    else if (kind === 'answer') press(desk, meant)
  } else if (kind === 'key') press(desk, meant)
  else if (kind === 'place') jump(desk, meant)
  else if (kind === 'sort') sortBy(desk, meant)
  else if (kind === 'row') chooseRow(desk, meant, twice)
}

function jump(desk: Desk, name: string): void {
  const screen = screens.find((one) => one.name === name)
  if (screen) desk.jump({ screen: screen.name })
}

function chooseRow(desk: Desk, id: string, twice: boolean): void {
  const list = screenOf(desk).list?.(desk)
  if (list === undefined) return
  desk.set({ focus: 'list' })
  setList(desk, list, { cursor: id })
  if (twice) press(desk, 'enter')
}

/** By that column; the one it is sorted by already is turned. */
function sortBy(desk: Desk, name: string): void {
  const list = screenOf(desk).list?.(desk)
  const column = list?.columns.find((one) => one.name === name)
  if (list === undefined || column?.sort === undefined) return
  const sort = listOf(desk.state(), list.name).sort ?? list.sort
  const down = sort.column === name ? !sort.down : column.kind !== 'text'
  setList(desk, list, { sort: { column: name, down } })
}
