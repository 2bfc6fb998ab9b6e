import type { AppContext } from '../app/context.ts'
import { type AnyList, cursorRow, setList } from '../app/list.ts'
import { listOf } from '../app/state.ts'
import { openPicker } from '../ask/picker.ts'
import { screenOf } from '../catalog.ts'

/** `W`: which columns are shown. */
export function openColumns(app: AppContext, list: AnyList) {
  openPicker(app, {
    name: 'columns',
    title: 'Columns',
    typing: false,
    stays: true,
    foot: 'space shows or hides   esc leaves',
    items: () => {
      const state = listOf(app.state(), list.name)
      return list.columns.map((column, index) => {
        const shown = (state.wide || !column.wide) && !state.hidden.has(column.name)
        return {
          label: `${shown ? '✓' : ' '} ${column.title || column.name}`,
          note: column.wide ? 'a wide column' : undefined,
          reason: index === 0 ? 'the first column always stays' : undefined,
          run: () => {
            const hidden = new Set(state.hidden)
            if (shown) hidden.add(column.name)
            else hidden.delete(column.name)
            setList(app, list, { hidden, wide: state.wide || (!shown && column.wide === true) })
          },
        }
      })
    },
  })
}

/** `y` copies the first thing that can be copied here; `Y` asks which. */
export function openCopy(app: AppContext, first: boolean) {
  const screen = screenOf(app)
  const list = screen.list?.(app)
  const row = list && cursorRow(app, list)
  const copies = screen.copies?.(app) ?? (list && row !== undefined ? list.copies(row, app) : [])
  const top = copies[0]
  if (top === undefined) return app.say('there is nothing here to copy')
  const copy = ([what, text]: readonly [string, string]) =>
    app.attempt(async () => {
      const where = await app.options.copy(text)
      app.say(`${what} copied ${where}`, 'ok')
    })
  if (first) return copy(top)
  openPicker(app, {
    name: 'copy',
    title: 'Copy',
    typing: false,
    foot: '↵ copies   esc leaves',
    items: () =>
      copies.map(([what, text], index) => ({
        key: String(index + 1),
        label: what,
        note: text.length > 60 ? `${text.length} characters` : text,
        run: () => copy([what, text]),
      })),
  })
}
