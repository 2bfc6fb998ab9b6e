import { editText, textInput } from '../../ui/textInput.ts'
import type { AppContext } from '../app/context.ts'
import { handleListKey, setList } from '../app/list.ts'
import { listOf } from '../app/state.ts'
import { screenOf, screens } from '../catalog.ts'
import { isTooSmall, pageOf } from './frame.ts'
import { rowFor, runKey } from './keyRows.ts'
import { EVERYWHERE } from './keys.ts'
import { openQuit } from './quit.ts'

/** One key, to whoever it is for: what lies on top, the filter being typed, the screen, everywhere, the list. */
export function handleKey(app: AppContext, pressed: string) {
  const state = app.state()
  if (isTooSmall(state.size)) {
    if (pressed === 'q' || pressed === 'ctrl-c') openQuit(app)
    return
  }
  const overlay = state.overlays.at(-1)
  if (overlay !== undefined) return pressed === 'ctrl-c' ? app.close(overlay) : overlay.handleKey(pressed)
  if (pressed === 'ctrl-c') return openQuit(app)
  if (state.filtering && handleFilterKey(app, pressed)) return
  const key = app.options.aliases.get(pressed) ?? pressed

  const screen = screenOf(app)
  if (screen.handleKey?.(app, key)) return
  const row = rowFor(app, screen.keys, key) ?? EVERYWHERE.find((every) => every.key === key)
  if (row !== undefined) return runKey(app, row)
  const place = screens.find(({ digit }) => digit === key)
  if (place !== undefined) return app.jump({ screen: place.name })
  const list = screen.list?.(app)
  if (list !== undefined) handleListKey(app, list, key, pageOf(app))
}

/** Filters while it is typed: `↵` keeps it, `esc` clears it, arrows already move in what is found. */
function handleFilterKey(app: AppContext, key: string): boolean {
  const list = screenOf(app).list?.(app)
  if (list === undefined) return false
  if (key === 'enter' || key === 'tab') app.set({ filtering: false })
  else if (key === 'esc') {
    setList(app, list, { filter: '' })
    app.set({ filtering: false })
  } else if (key === 'up' || key === 'down' || key === 'pageup' || key === 'pagedown') {
    handleListKey(app, list, key, pageOf(app))
  } else {
    const { filter } = listOf(app.state(), list.name)
    const next = editText(textInput(filter), key)
    if (next !== undefined) setList(app, list, { filter: next.text })
  }
  return true
}
