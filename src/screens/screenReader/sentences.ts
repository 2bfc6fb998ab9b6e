import { stripControl } from '../../lib/text.ts'
import type { Line } from '../../ui/line.ts'
import { hasCursor, plainLine, plainText } from '../../ui/plain.ts'
import type { Cell } from '../../ui/table.ts'
import type { AppContext } from '../app/context.ts'
import { type AnyList, settledList, shownRows, visibleColumns } from '../app/list.ts'
import { listOf } from '../app/state.ts'
import { screenOf } from '../catalog.ts'

/** What a screen is to somebody who hears it: sentences in place of a picture. */

/** Where one is: the path, how many there are, what is filtered and how it is sorted. */
export function headingSentence(app: AppContext): string {
  const screen = screenOf(app)
  const list = screen.list?.(app)
  const heading = screen.heading(app)
  if (list === undefined) return sentence([plainLine(heading)])
  const { filter, sort = list.sort, marks, wide } = listOf(app.state(), list.name)
  const { rows, total } = shownRows(app, list)
  const column = list.columns.find(({ name }) => name === sort.column)
  return sentence([
    plainText(heading[0]?.text.replaceAll('›', ',') ?? screen.title).replaceAll(' ,', ','),
    rows.length === total ? String(total) : `${rows.length} of ${total}`,
    filter === '' ? '' : `filter ${filter.replaceAll('|', ' or ')}`,
    column ? `sorted by ${titleWords(column.title)} ${sort.down ? 'descending' : 'ascending'}` : '',
    wide ? 'wide' : '',
    marks.size > 0 ? `${marks.size} marked` : '',
    app.state().frozenAt === undefined ? '' : 'frozen',
  ])
}

/** What else a screen says when one comes to it. */
export function contentSentences(app: AppContext): string[] {
  return (screenOf(app).says?.(app, READER_SIZE.columns) ?? []).map(plainLine).filter((text) => text !== '')
}

/** The row under the cursor. */
export function rowSentence(app: AppContext): string {
  const own = screenOf(app).here?.(app)
  if (own !== undefined) return plainLine(own)
  const list = screenOf(app).list?.(app)
  if (list === undefined || list.columns.length === 0) return ''
  const shown = shownRows(app, list)
  const state = settledList(app, list, shown)
  const row = shown.rows[state.index]
  if (row === undefined) return shown.total === 0 ? sentence([list.empty]) : 'nothing matches the filter.'
  const mark = state.marks.has(shown.ids[state.index]!) ? 'marked' : ''
  return `Row ${state.index + 1} of ${shown.rows.length}: ${sentence([mark, ...cellPhrases(app, list, row)])}`
}

function cellPhrases(app: AppContext, list: AnyList, row: unknown): string[] {
  return visibleColumns(listOf(app.state(), list.name), list).map((column, index) => {
    const value = valueWords(column.cell(row, app))
    if (value === '') return ''
    if (index === 0 || column.name === 'status' || column.name === 'state') return value
    return phrase(column.title, value)
  })
}

/** Numbers alone are words here too: they are said with their title. */
function valueWords(cell: Cell): string {
  const spans: Line = typeof cell === 'string' ? [{ text: cell }] : 'text' in cell ? [cell] : cell
  const text = spans.map((piece) => piece.text).join('')
  const picture = /^[\s\u2800-\u28ff█░▁▂▃▄▅▆▇·.:|#]*$/.test(text)
  if (picture || !/[\p{L}\d]/u.test(text)) return ''
  const bare = plainText(text).replace(/^\? /, '') || stripControl(text).trim()
  return bare.replaceAll('–', 'unknown')
}

const UNITS = [' GiB', ' Mb/s', ' MB/s', '%'] as const

/** `CPU%` and `189` as `CPU 189 percent`; `MEM GiB` and `8/16` as `memory 8 of 16 GiB`. */
function phrase(title: string, value: string): string {
  const unit = UNITS.find((one) => title.endsWith(one))
  const word = titleWords(unit ? title.slice(0, -unit.length) : title)
  if (unit === undefined) return `${word} ${value}`
  if (unit === '%') return `${word} ${value} percent`
  return `${word} ${unit === ' GiB' ? value.replace('/', ' of ') : value}${unit}`
}

const SAID: Readonly<Record<string, string>> = { MEM: 'memory', VMS: 'VMs', PM: 'on', MEMORY: 'memory', ON: 'on' }
const ACRONYMS = /^(CPU|OS|ID|MAC|UUID|RX|TX|RX\/TX|VCPU|VNC|ISO)$/

function titleWords(title: string): string {
  return title
    .split(' ')
    .map((word) => SAID[word] ?? (ACRONYMS.test(word) ? word : word.toLowerCase()))
    .join(' ')
}

function sentence(parts: readonly string[]): string {
  const said = parts.filter((part) => part !== '').join(', ')
  return /[.?!]$/.test(said) ? said : `${said}.`
}

/** Wide enough that nothing is cut, narrow enough that parts stand below each other. */
export const READER_SIZE = { columns: 96, rows: 120 } as const

/** What lies on top: all of its lines, and those with the cursor in them. */
export function overlaySentences(
  app: AppContext,
): { readonly name: string; readonly all: readonly string[]; readonly here: string } | undefined {
  const overlay = app.state().overlays.at(-1)
  if (overlay === undefined) return undefined
  const { lines } = overlay.draw(READER_SIZE.columns, READER_SIZE.rows)
  const said = lines.map((content) => ({ text: plainLine(content), cursor: hasCursor(content) }))
  const still = said.filter(({ text, cursor }) => text !== '' && !cursor).map(({ text }) => text)
  const here = said.filter(({ text, cursor }) => cursor && text !== '').map(({ text }) => text)
  const menu = overlay.menu?.()
  if (menu === undefined) return { name: overlay.name, all: still, here: here.join('. ') }
  // Its title and how it works are enough to begin with: its lines are heard as one goes through them.
  const all = [still[0] ?? '', `${menu.count} lines`, still.at(-1) ?? '']
  return { name: overlay.name, all, here: plainText(menu.typed ? `${menu.typed}. ${menu.here}` : menu.here) }
}
