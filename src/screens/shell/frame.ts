import { formatAge, formatSpan, formatTime } from '../../lib/age.ts'
import { cellWidth } from '../../lib/text.ts'
import { keyLabel, withKeyNames } from '../../ui/keymap.ts'
import { fill, fit, hitOf, type Line, line, over, type Span, span, spread, toAnsi, widthOf } from '../../ui/line.ts'
import { type AppContext, isAtWork } from '../app/context.ts'
import { listOf } from '../app/state.ts'
import { refusalOf } from '../ask/action.ts'
import { screenOf, screens } from '../catalog.ts'
import { count } from '../words.ts'
import { isThere, keyRefusal, rowFor, subjectsOf } from './keyRows.ts'

/**
 * A whole frame as lines, exactly as many as the terminal has. Only lines that differ from the last frame are handed
 * on, so a site on which nothing happens costs nothing.
 */

const LEAST = { columns: 80, rows: 24 } as const
/** Header, places, rule, title; last line, footer. */
const AROUND = 6

export function paint(app: AppContext): void {
  const { size, lines: before } = app.state()
  const drawn = drawFrame(app, size.columns, size.rows)
  if (app.state().mouse) lastDrawn.set(app, drawn)
  const frame = drawn.map((content) => toAnsi(fit(content, size.columns), app.options.theme))
  if (frame.length === before.length && frame.every((text, index) => text === before[index])) return
  app.store.setState({ lines: frame })
}

const lastDrawn = new WeakMap<AppContext, readonly Line[]>()

/** What a click on a cell of the last frame means. */
export function hitAt(app: AppContext, row: number, column: number): string | undefined {
  return hitOf(lastDrawn.get(app)?.[row] ?? [], column)
}

/** How many rows of a list are on the screen, roughly: what a page is. */
export function pageOf(app: AppContext): number {
  return Math.max(app.state().size.rows - AROUND - 4, 5)
}

export function isTooSmall({ columns, rows }: { columns: number; rows: number }): boolean {
  return columns < LEAST.columns || rows < LEAST.rows
}

function drawFrame(app: AppContext, columns: number, rows: number): Line[] {
  if (isTooSmall({ columns, rows })) return tooSmall(columns, rows)
  const screen = screenOf(app)
  const bodyHeight = rows - AROUND
  const body = fill(screen.draw(app, columns, bodyHeight), bodyHeight).map((content) => fit(content, columns))
  return [
    header(app, columns),
    places(app, columns),
    [span('─'.repeat(columns), 'dim')],
    fit(screen.heading(app), columns),
    ...drawOverlays(app, body, columns, bodyHeight),
    lastLine(app, columns),
    footer(app, columns),
  ]
}

function tooSmall(columns: number, rows: number): Line[] {
  return fill(
    [
      line(` pengx needs ${LEAST.columns}x${LEAST.rows}; this terminal is ${columns}x${rows}.`),
      line(' Make it larger, or run: pengx vms  (prints a plain list)'),
      line(' q quit'),
    ],
    rows,
  )
}

function header(app: AppContext, width: number): Line {
  const { siteName, production } = app.options
  const jobs = app.view().jobs()
  const atWork = jobs.filter(isAtWork).length
  const stuck = jobs.filter(({ state }) => state === 'stuck').length
  const left: Span[] = [span(' pengx', 'accent'), { text: siteName ? `  ${siteName}` : '' }]
  if (production) left.push(span('  [PROD]', 'bad'))
  if (app.engine.readOnly) left.push(span('  [READ-ONLY]', 'warn'))
  const right: Span[] = []
  if (atWork > 0) right.push(span(`▶ ${count(atWork, 'job')}`, 'busy'), { text: '  ' })
  if (stuck > 0) right.push(span(`✗ ${stuck} stuck`, 'bad'), { text: '  ' })
  right.push({ text: ' ' }, freshness(app), { text: `   ${formatTime(app.now())} ` })
  const trouble = storeWords(app, width - widthOf(left) - widthOf(right) - 4)
  return spread(left, trouble === undefined ? right : [span(trouble, 'bad'), { text: '  ' }, ...right], width)
}

/** That nothing can be written down, and why, where there is room for that: it stands among what needs attention too. */
function storeWords(app: AppContext, room: number): string | undefined {
  const { storeTrouble } = app.engine.view
  if (!storeTrouble) return undefined
  const words = `✗ store: ${storeTrouble.why}`
  return cellWidth(words) <= room ? words : '✗ store'
}

/** Beyond this the picture is called old: a beat is two seconds, ten for a machine that is slow. */
const OLD_MS = 15_000

/** How old what is shown is: the newest look at any machine. */
function freshness(app: AppContext): Span {
  const { frozenAt } = app.state()
  if (frozenAt !== undefined) return span(`‖ frozen ${formatTime(frozenAt)}`, 'warn')
  const newest = app
    .view()
    .pms()
    .reduce((at, pm) => Math.max(at, pm.seen.at), 0)
  if (newest === 0) return span('◌ not looked yet', 'dim')
  const age = Math.max(app.now() - newest, 0)
  return age > OLD_MS ? span(`▲ ${formatAge(age)} old`, 'warn') : span('● live', 'ok')
}

function places(app: AppContext, width: number): Line {
  const current = app.state().trail[0]!.screen
  const pieces = screens.flatMap(({ digit, name, title }): Span[] => {
    if (digit === undefined) return []
    const piece = name === current ? span(`[${digit} ${title}]`, 'accent') : { text: ` ${digit} ${title} ` }
    return [{ ...piece, hit: `place ${name}` }]
  })
  const apart = (gap: string): Line => [{ text: ' ' }, ...pieces.flatMap((piece) => [piece, { text: gap }])]
  const left = widthOf(apart('  ')) <= width ? apart('  ') : apart(' ')
  const hints = line(span(': go  / filter  ? help ', 'dim'))
  return widthOf(left) + widthOf(hints) <= width ? spread(left, hints, width) : fit(left, width)
}

function drawOverlays(app: AppContext, body: Line[], width: number, height: number): Line[] {
  let drawn = body
  for (const overlay of app.state().overlays) {
    const box = overlay.draw(width, height)
    const lines = box.lines.slice(0, height)
    const row = Math.max(Math.floor((height - lines.length) / 3), 0)
    const column = Math.max(Math.floor((width - box.width) / 2), 0)
    drawn = over(drawn, lines, row, column, box.width)
  }
  return drawn
}

/** A word for the person, else what marks would do, else the last command. */
function lastLine(app: AppContext, width: number): Line {
  const { toast, filtering } = app.state()
  const screen = screenOf(app)
  const list = screen.list?.(app)
  if (toast) return fit(line(' ', span(toast.text, toast.tone)), width)
  if (filtering && list) {
    const keys = Object.keys(list.filters)
    const hint = `words  a|b  !not  ${keys.length > 0 ? `${keys.slice(0, 4).join(': ')}:  ` : ''}/re/   ↵ keeps it   esc clears`
    return fit(line(span(` ${withKeyNames(hint, app.options.theme.ascii)}`, 'dim')), width)
  }
  const marks = list ? listOf(app.state(), list.name).marks.size : 0
  if (marks > 0) return fit(marksLine(app, marks), width)
  const last = app.commands.findLast(({ host }) => host !== '')
  if (last === undefined) return fit([], width)
  const end = last.exit === undefined ? '' : last.exit === 0 ? ' ✓' : ` ✗ ${last.exit}`
  const took = last.tookMs === undefined ? '' : ` ${formatSpan(last.tookMs)}`
  const tail = ` @ ${last.host}${end}${took}`
  const room = Math.max(width - 8 - cellWidth(tail), 10)
  return fit([span(' last: ', 'dim'), ...fitText(last.line, room), span(tail, 'dim')], width)
}

function fitText(text: string, room: number): Line {
  return cellWidth(text) <= room ? [span(text, 'dim')] : fit([span(text, 'dim')], room)
}

/** So many marks are counted through for the last line; more are only numbered. */
const COUNTED = 100

function marksLine(app: AppContext, marks: number): Line {
  const screen = screenOf(app)
  const subjects = screen.subjects(app)
  const pieces: Span[] = [span(` ${marks} marked`, 'accent'), { text: ': ' }]
  if (subjects.length <= COUNTED) {
    for (const row of screen.keys) {
      if (row.operation === undefined || row.fresh || row.quiet || !isThere(app, row)) continue
      const on = subjectsOf(app, row)
      const able = on.filter((subject) => refusalOf(app, row.operation!, [subject]) === undefined).length
      if (able > 0) pieces.push(span(row.key, 'accent'), { text: ` ${row.title} ${able}  ` })
    }
  }
  if (pieces.length === 2 && subjects[0] && subjects.length <= COUNTED) {
    const row = screen.keys.find(({ operation, fresh }) => operation !== undefined && !fresh)
    const reason = row && refusalOf(app, row.operation!, subjects)
    if (reason) pieces.push({ text: `nothing to do with all of them: ${reason}` })
  }
  pieces.push(span('  space unmarks  esc clears', 'dim'))
  return pieces
}

/** The keys of the screen, those that do nothing now dimmed; then what works everywhere, as far as it fits. */
function footer(app: AppContext, width: number): Line {
  const screen = screenOf(app)
  const ascii = app.options.theme.ascii
  const hints = screen.keys
    .filter((row) => !row.quiet && rowFor(app, screen.keys, row.key) === row)
    .map((row) => ({ key: row.key, title: row.title, off: keyRefusal(app, row) !== undefined }))
  const deep = app.state().trail.length > 1
  const tail = [
    { key: 'x', title: 'all', off: false },
    { key: '?', title: 'help', off: false },
    deep ? { key: 'esc', title: 'back', off: false } : { key: 'q', title: 'quit', off: false },
  ]
  const hintWidth = (hint: { key: string; title: string }) =>
    cellWidth(keyLabel(hint.key, ascii)) + cellWidth(hint.title) + 3
  let room = width - 1 - tail.reduce((sum, hint) => sum + hintWidth(hint), 0)
  const shown = hints.filter((hint) => {
    room -= hintWidth(hint)
    return room >= 0
  })
  const pieces: Span[] = [{ text: ' ' }]
  for (const { key, title, off } of [...shown, ...tail]) {
    const hit = `key ${key}`
    pieces.push(
      { ...span(keyLabel(key, ascii), off ? 'dim' : 'accent'), hit },
      { ...span(` ${title}`, off ? 'dim' : 'plain'), hit },
      { text: '  ' },
    )
  }
  return fit(pieces, width)
}
