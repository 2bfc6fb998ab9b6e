import { beside, fill, type Line, line, span } from '../../ui/line.ts'
import type { AppContext } from '../app/context.ts'
import { cursorRow, drawList, listTitle, selectedRows, setList, shownRows } from '../app/list.ts'
import { openTerminal } from '../app/terminal.ts'
import type { KeyRow, Screen } from '../screen.ts'
import { vmList } from '../vm/list.ts'
import { acknowledge, attentionLine, attentionOf } from './attention.ts'
import { pmList } from './list.ts'
import { attentionIndex, attentionPanel, detailPanel, runningPanel } from './panels.ts'

/** Where one begins: the machines, what needs attention, what runs. */

const chosen = (app: AppContext) => cursorRow(app, pmList)
const noPm = (app: AppContext) => (chosen(app) === undefined ? 'there is no machine here' : undefined)

function open(app: AppContext) {
  if (app.state().focus === 'attention') {
    const item = attentionOf(app)[attentionIndex(app)]
    if (item) app.go(item.opens)
    return
  }
  const pm = chosen(app)
  if (pm) app.go({ screen: 'perf', id: pm.uuid })
}

function acknowledgeHere(app: AppContext) {
  const items = attentionOf(app)
  if (app.state().focus === 'attention')
    return acknowledge(app, items.slice(attentionIndex(app), attentionIndex(app) + 1))
  const pm = chosen(app)
  const about = items.filter((item) => item.pm === pm?.uuid)
  if (about.length === 0) return app.say('nothing here needs attention; tab goes to what does')
  acknowledge(app, about)
}

const keys: readonly KeyRow[] = [
  { key: 'enter', title: 'open', refuse: noPm, act: open },
  {
    key: 'o',
    title: 'its VMs',
    refuse: noPm,
    act: (app) => {
      const pm = chosen(app)!
      app.jump({ screen: 'vms' })
      setList(app, vmList, { filter: `pm:${pm.name}` })
    },
  },
  { key: 'p', title: 'perf', refuse: noPm, act: (app) => app.go({ screen: 'perf', id: chosen(app)!.uuid }) },
  {
    key: 'S',
    title: 'shell',
    help: 'a shell on the machine; the way out is told first',
    refuse: noPm,
    act: (app) => openTerminal(app, { shell: chosen(app)!.uuid }, `shell on ${chosen(app)!.name}`),
  },
  {
    key: 'K',
    title: 'spread keys',
    help: 'each PM’s public key into each PM’s authorized_keys',
    operation: 'pm.spreadKeys',
    fresh: true,
  },
  { key: 'a', title: 'acknowledge', help: 'what needs attention here was seen', act: acknowledgeHere },
  { key: 'N', title: 'add a PM', operation: 'pm.add', fresh: true },
  {
    key: 'T',
    title: 'trust its key',
    operation: 'pm.trust',
    fresh: true,
    quiet: true,
    raw: (app) => unknownKey(app),
  },
  { key: 'D', title: 'remove', operation: 'pm.remove' },
]

/** The destination of the machine under the cursor, so that only the fingerprint is left to give. */
function unknownKey(app: AppContext): Readonly<Record<string, string>> {
  const pm = chosen(app)
  return pm?.seen.reach === 'down' ? { destination: pm.destination } : {}
}

function draw(app: AppContext, width: number, height: number): Line[] {
  const rows = shownRows(app, pmList).rows.length
  const pm = chosen(app)
  const detail = pm && height >= 26 ? detailPanel(app, pm, width) : []
  const table = Math.min(Math.max(rows, 1) + 1, Math.max(Math.floor(height * 0.4), 4))
  const room = height - table - 1 - detail.length
  const lines: Line[] = [...drawList(app, pmList, width, table), []]
  if (width >= 100) {
    const middle = Math.min(room, 12 + Math.max(room - 16, 0))
    const left = Math.floor(width * 0.58)
    lines.push(
      ...beside(attentionPanel(app, left, middle), left, runningPanel(app, width - left, middle), width - left),
    )
  } else {
    const running = room >= 10 ? Math.min(Math.max(Math.floor(room / 2), 5), 8) : 0
    lines.push(...attentionPanel(app, width, room - running))
    if (running > 0) lines.push(...runningPanel(app, width, running))
  }
  return fill([...lines, ...detail], height)
}

export const pmsScreen: Screen = {
  name: 'pms',
  title: 'PMs',
  also: 'hosts machines',
  digit: '1',
  list: () => pmList,
  keys,
  parts: () => ['list', 'attention'],
  heading: (app) => [span(' PMs', 'strong'), ...listTitle(app, pmList)],
  subjects: (app) => selectedRows(app, pmList).map((pm) => pmList.subject!(pm)),
  handleKey(app, key) {
    if (app.state().focus !== 'attention') return false
    const by = { j: 1, down: 1, k: -1, up: -1 }[key]
    if (by === undefined) return false
    app.choose('attention', Math.max(Math.min(attentionIndex(app) + by, attentionOf(app).length - 1), 0))
    return true
  },
  says: (app, width) => [
    line(`Needs attention: ${attentionOf(app).length}. tab goes there.`),
    ...attentionOf(app).map(attentionLine),
    ...runningPanel(app, width, 40),
  ],
  here(app) {
    const item = app.state().focus === 'attention' ? attentionOf(app)[attentionIndex(app)] : undefined
    return item && attentionLine(item)
  },
  draw,
}
