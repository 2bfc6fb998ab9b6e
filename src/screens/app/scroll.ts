import type { Line } from '../../ui/line.ts'
import { type PanelOptions, panel } from '../../ui/panel.ts'
import type { AppContext } from './context.ts'

/** A panel over more lines than fit; where it stands is remembered by name. */
export function drawScrolled(
  app: AppContext,
  name: string,
  content: readonly Line[],
  width: number,
  height: number,
  options: PanelOptions,
): Line[] {
  const room = Math.max(height - 2, 1)
  const last = Math.max(content.length - room, 0)
  const top = Math.min(Number(app.state().choices[name] ?? 0), last)
  if (top !== Number(app.state().choices[name] ?? 0)) rememberTop(app, name, top)
  const note =
    content.length > room ? `${top + 1}–${Math.min(top + room, content.length)} of ${content.length}` : options.note
  return panel(content.slice(top, top + room), width, height, { ...options, note })
}

function rememberTop(app: AppContext, name: string, top: number): void {
  app.store.setState({ choices: { ...app.state().choices, [name]: top } })
}

/** Keys that scroll such a panel; false for any other. */
export function handleScrollKey(app: AppContext, name: string, key: string): boolean {
  const by = { j: 1, down: 1, k: -1, up: -1, pagedown: 20, pageup: -20, 'ctrl-d': 10, 'ctrl-u': -10 }[key]
  const top = Number(app.state().choices[name] ?? 0)
  if (by !== undefined) app.choose(name, Math.max(top + by, 0))
  else if (key === 'g' || key === 'home') app.choose(name, 0)
  else if (key === 'G' || key === 'end') app.choose(name, 1e9)
  else return false
  return true
}
