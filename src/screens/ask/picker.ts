import { cellWidth, padCells } from '../../lib/text.ts'
import { keyLabel, withKeyNames } from '../../ui/keymap.ts'
import { type Line, line, type Span, span, withHit } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import { drawInput, editText, textInput } from '../../ui/textInput.ts'
import type { AppContext } from '../app/context.ts'
import type { Overlay } from '../app/state.ts'

/** A line of a menu. One with a reason is shown grey and does nothing but say it. */
export interface MenuItem {
  readonly key?: string
  readonly label: string
  readonly note?: string
  readonly reason?: string
  readonly group?: string
  run(): void
}

export interface PickerOptions {
  readonly name: string
  readonly title: string
  /** Typing narrows; without it letters are the items' own keys. */
  readonly typing: boolean
  /** Stays open after an item has run. */
  readonly stays?: true
  readonly foot: string
  items(typed: string): readonly MenuItem[]
}

/** A menu over the screen: the palette, help, actions, columns and copying are all this. */
export function openPicker(app: AppContext, options: PickerOptions): void {
  let typed = textInput()
  let index = 0
  let items = options.items('')
  let page = 10

  const close = () => app.close(overlay)
  const refresh = () => {
    items = options.items(typed.text)
    index = Math.min(index, Math.max(items.length - 1, 0))
  }
  const run = (item: MenuItem | undefined) => {
    if (item === undefined) return
    if (item.reason !== undefined) return app.say(`${item.label}: ${item.reason}`)
    if (!options.stays) close()
    item.run()
    if (options.stays) refresh()
  }
  const move = (by: number) => {
    index = Math.min(Math.max(index + by, 0), Math.max(items.length - 1, 0))
  }

  const overlay: Overlay = {
    name: options.name,
    click(at) {
      index = at
      run(items[at])
      app.repaint()
    },
    menu() {
      const item = items[index]
      return { count: items.length, typed: typed.text, here: item ? menuItemWords(item) : 'nothing is called that' }
    },
    handleKey(key) {
      if (key === 'esc' || key === 'ctrl-c') return close()
      if (key === 'enter' || (options.stays && key === 'space')) run(items[index])
      else if (key === 'up' || key === 'shift-tab' || key === 'ctrl-p') move(-1)
      else if (key === 'down' || key === 'tab' || key === 'ctrl-n') move(1)
      else if (key === 'pagedown') move(page)
      else if (key === 'pageup') move(-page)
      else if (options.typing) {
        const next = editText(typed, key)
        if (next !== undefined && next.text !== typed.text) index = 0
        typed = next ?? typed
        refresh()
      } else handleLetter(key)
      app.repaint()
    },
    draw(width, height) {
      const boxWidth = Math.min(width - 4, 100)
      const inner = boxWidth - 4
      const head: Line[] = options.typing ? [line(span('› ', 'accent'), ...drawInput(typed)), []] : []
      const room = Math.max(Math.min(items.length, height - head.length - 4), 1)
      page = room
      const top = Math.min(Math.max(index - room + 1, 0), Math.max(items.length - room, 0))
      const keyWidth = Math.max(...items.map(({ key }) => cellWidth(keyLabel(key ?? '', app.options.theme.ascii))), 1)
      const labelWidth = Math.min(Math.max(...items.map(({ label }) => cellWidth(label)), 1), Math.floor(inner / 2))
      const shown = items.slice(top, top + room).map((item, at): Line => {
        const pieces = drawMenuItem(item, keyWidth, labelWidth, app.options.theme.ascii)
        const drawn = top + at === index ? pieces.map(({ text }) => ({ text, inverse: true as const })) : pieces
        return withHit(drawn, `item ${top + at}`)
      })
      if (items.length === 0) shown.push(line(span('nothing is called that', 'dim')))
      const body = [...head, ...shown, line(span(withKeyNames(options.foot, app.options.theme.ascii), 'dim'))].map(
        (content) => [{ text: ' ' }, ...content],
      )
      const note = items.length > room ? `${index + 1} of ${items.length}` : undefined
      return {
        lines: panel(body, boxWidth, body.length + 2, { title: options.title, note, tone: 'accent' }),
        width: boxWidth,
      }
    },
  }

  const handleLetter = (key: string) => {
    if (key === 'j') return move(1)
    if (key === 'k') return move(-1)
    if (key === 'g' || key === 'home') return move(-items.length)
    if (key === 'G' || key === 'end') return move(items.length)
    if (key === 'q') return close()
    const found =
      items.find((item) => item.key === key && item.reason === undefined) ?? items.find((item) => item.key === key)
    if (found === undefined) return
    index = items.indexOf(found)
    run(found)
  }

  app.open(overlay)
}

function menuItemWords({ key, label, note, reason }: MenuItem): string {
  const more = reason === undefined ? note : `unavailable, ${reason}`
  return [key, label].filter(Boolean).join(' ') + (more ? `: ${more}` : '')
}

function drawMenuItem(item: MenuItem, keyWidth: number, labelWidth: number, ascii: boolean): Span[] {
  const grey = item.reason !== undefined
  const key = padCells(keyLabel(item.key ?? '', ascii), keyWidth)
  return [
    span(key, grey ? 'dim' : 'accent'),
    { text: '  ' },
    span(padCells(item.label, labelWidth), grey ? 'dim' : 'plain'),
    { text: '  ' },
    span(item.reason ?? item.note ?? '', 'dim'),
  ]
}
