import { formatSpan, formatTime } from '../../lib/age.ts'
import { type Line, span } from '../../ui/line.ts'
import { panel } from '../../ui/panel.ts'
import type { CommandLine } from '../app/commandRing.ts'
import type { AppContext } from '../app/context.ts'
import { drawList, type ListDef, listTitle, setList, shownRows } from '../app/list.ts'
import { listOf } from '../app/state.ts'
import type { KeyRow, Screen } from '../screen.ts'

/** What pengx did and ran, anywhere, newest at the end; it stays at the end until somebody scrolls. */

const LEVELS = ['everything', 'jobs and failures', 'failures'] as const
type Level = (typeof LEVELS)[number]

const levelOf = (app: AppContext): Level => (app.state().choices['log.level'] as Level | undefined) ?? 'everything'
const follows = (app: AppContext) => app.state().choices['log.follow'] !== false

const rowsOf = new WeakMap<
  AppContext,
  { readonly last: number; readonly level: Level; readonly rows: readonly CommandLine[] }
>()

const failed = ({ exit }: CommandLine) => exit !== undefined && exit !== 0

/** The same array until a line comes. */
function logRows(app: AppContext): readonly CommandLine[] {
  const level = levelOf(app)
  const last = app.commands.at(-1)?.seq ?? 0
  const known = rowsOf.get(app)
  const at = app.state().frozenAt
  if (known && known.level === level && (known.last === last || at !== undefined)) return known.rows
  const rows = app.commands.filter(
    (entry) => level === 'everything' || failed(entry) || (level === 'jobs and failures' && entry.host === ''),
  )
  rowsOf.set(app, { last, level, rows })
  return rows
}

function endCell({ exit, tookMs }: CommandLine): Line {
  const took = tookMs === undefined ? '' : ` ${formatSpan(tookMs)}`
  if (exit === undefined) return [span(took, 'dim')]
  return [span(exit === 0 ? '✓' : `✗ ${exit}`, exit === 0 ? 'ok' : 'bad'), span(took, 'dim')]
}

const logList: ListDef<CommandLine> = {
  name: 'log',
  sort: { column: '', down: false },
  empty: 'nothing yet',
  columns: [
    { name: 'time', title: 'TIME', width: 8, kind: 'text', cell: ({ at }) => formatTime(at) },
    {
      name: 'host',
      title: 'WHERE',
      width: 10,
      grow: 14,
      kind: 'text',
      cell: ({ host }) => host || span('pengx', 'accent'),
    },
    { name: 'end', title: 'END', width: 11, kind: 'text', cell: endCell },
    {
      name: 'line',
      title: 'WHAT',
      width: 20,
      grow: 400,
      kind: 'text',
      cell: (entry) => span(entry.line, failed(entry) ? 'bad' : 'plain'),
    },
  ],
  rows: logRows,
  id: ({ seq }) => String(seq),
  words: ({ host, line }) => `${host} ${line}`,
  filters: { host: ({ host }) => host },
  copies: ({ line, host }) => [
    ['line', line],
    ['host', host],
  ],
}

const keys: readonly KeyRow[] = [
  {
    key: 'F',
    title: 'follow',
    help: 'stay at the newest line; scrolling ends it',
    act: (app) => app.choose('log.follow', !follows(app)),
  },
  {
    key: 'L',
    title: 'level',
    help: LEVELS.join(', '),
    act: (app) => app.choose('log.level', LEVELS[(LEVELS.indexOf(levelOf(app)) + 1) % LEVELS.length]),
  },
]

const SCROLLS = new Set(['j', 'k', 'up', 'down', 'g', 'home', 'ctrl-u', 'ctrl-d', 'pageup', 'pagedown'])

export const logScreen: Screen = {
  name: 'log',
  title: 'Log',
  also: 'events commands',
  digit: '8',
  list: () => logList,
  keys,
  heading: (app) => [
    span(' Log', 'strong'),
    ...listTitle(app, logList),
    span(`   level ${levelOf(app)}   follow ${follows(app) ? 'on' : 'off'}`, 'dim'),
  ],
  subjects: () => [],
  handleKey(app, key) {
    if (SCROLLS.has(key) && follows(app)) app.choose('log.follow', false)
    if ((key === 'G' || key === 'end') && !follows(app)) app.choose('log.follow', true)
    return false
  },
  draw(app, width, height) {
    if (follows(app)) {
      const last = shownRows(app, logList).ids.at(-1)
      if (listOf(app.state(), 'log').cursor !== last) setList(app, logList, { cursor: last })
    }
    return panel(drawList(app, logList, width - 2, height - 2), width, height, { focused: true })
  },
}
