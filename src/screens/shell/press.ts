import { editText, textInput } from '../../ui/textInput.ts'
import type { Desk } from '../app/context.ts'
import { pressInList, setList } from '../app/list.ts'
import { listOf } from '../app/state.ts'
import { screenOf, screens } from '../catalog.ts'
import { isTooSmall, pageOf } from './frame.ts'
import { rowFor, runKey } from './keyRows.ts'
import { EVERYWHERE } from './keys.ts'
import { openQuit } from './quit.ts'

/** One key, to whoever it is for: what lies on top, the filter being typed, the screen, everywhere, the list. */
export function press(desk: Desk, pressed: string) {
  const state = desk.state()
  if (isTooSmall(state.size)) {
    if (pressed === 'q' || pressed === 'ctrl-c') openQuit(desk)
    return
  }
  const overlay = state.overlays.at(-1)
  if (overlay !== undefined) return pressed === 'ctrl-c' ? desk.close(overlay) : overlay.press(pressed)
  if (pressed === 'ctrl-c') return openQuit(desk)
  if (state.filtering && pressFilter(desk, pressed)) return
  const key = desk.options.aliases.get(pressed) ?? pressed

  const screen = screenOf(desk)
  if (screen.press?.(desk, key)) return
  const row = rowFor(desk, screen.keys, key) ?? EVERYWHERE.find((every) => every.key === key)
  if (row !== undefined) return runKey(desk, row)
  const place = screens.find(({ digit }) => digit === key)
  if (place !== undefined) return desk.jump({ screen: place.name })
  const list = screen.list?.(desk)
  if (list !== undefined) pressInList(desk, list, key, pageOf(desk))
}

/** Filters while it is typed: `↵` keeps it, `esc` clears it, arrows already move in what is found. */
function pressFilter(desk: Desk, key: string): boolean {
  const list = screenOf(desk).list?.(desk)
  if (list === undefined) return false
  if (key === 'enter' || key === 'tab') desk.set({ filtering: false })
  else if (key === 'esc') {
    setList(desk, list, { filter: '' })
    desk.set({ filtering: false })
  } else if (key === 'up' || key === 'down' || key === 'pageup' || key === 'pagedown') {
    pressInList(desk, list, key, pageOf(desk))
  } else {
    const { filter } = listOf(desk.state(), list.name)
    const next = editText(textInput(filter), key)
    if (next !== undefined) setList(desk, list, { filter: next.text })
  }
  return true
}
