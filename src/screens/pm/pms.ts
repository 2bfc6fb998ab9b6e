import { beside, fill, type Line, line, span } from '../../ui/line.ts'
import type { Desk } from '../app/context.ts'
import { chosenRows, cursorRow, drawList, listTitle, setList, shownRows } from '../app/list.ts'
import { openTerminal } from '../app/terminal.ts'
import type { KeyRow, Screen } from '../screen.ts'
import { vmList } from '../vm/list.ts'
import { acknowledge, attentionLine, attentionOf } from './attention.ts'
import { pmList } from './list.ts'
import { attentionIndex, attentionPanel, detailPanel, runningPanel } from './panels.ts'

/** Where one begins: the machines, what needs attention, what runs. */

const chosen = (desk: Desk) => cursorRow(desk, pmList)
const noPm = (desk: Desk) => (chosen(desk) === undefined ? 'there is no machine here' : undefined)

function open(desk: Desk) {
  if (desk.state().focus === 'attention') {
    const item = attentionOf(desk)[attentionIndex(desk)]
    if (item) desk.go(item.opens)
    return
  }
  const pm = chosen(desk)
  if (pm) desk.go({ screen: 'perf', id: pm.uuid })
}

function acknowledgeHere(desk: Desk) {
  const items = attentionOf(desk)
  if (desk.state().focus === 'attention')
    return acknowledge(desk, items.slice(attentionIndex(desk), attentionIndex(desk) + 1))
  const pm = chosen(desk)
  const about = items.filter((item) => item.pm === pm?.uuid)
  if (about.length === 0) return desk.say('nothing here needs attention; tab goes to what does')
  acknowledge(desk, about)
}

const keys: readonly KeyRow[] = [
  { key: 'enter', title: 'open', refuse: noPm, act: open },
  {
    key: 'o',
    title: 'its VMs',
    refuse: noPm,
    act: (desk) => {
      const pm = chosen(desk)!
      desk.jump({ screen: 'vms' })
      setList(desk, vmList, { filter: `pm:${pm.name}` })
    },
  },
  { key: 'p', title: 'perf', refuse: noPm, act: (desk) => desk.go({ screen: 'perf', id: chosen(desk)!.uuid }) },
  {
    key: 'S',
    title: 'shell',
    help: 'a shell on the machine; the way out is told first',
    refuse: noPm,
    act: (desk) => openTerminal(desk, { shell: chosen(desk)!.uuid }, `shell on ${chosen(desk)!.name}`),
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
    raw: (desk) => unknownKey(desk),
  },
  { key: 'D', title: 'remove', operation: 'pm.remove' },
]

/** The destination of the machine under the cursor, so that only the fingerprint is left to give. */
function unknownKey(desk: Desk): Readonly<Record<string, string>> {
  const pm = chosen(desk)
  return pm?.seen.reach === 'down' ? { destination: pm.destination } : {}
}

function draw(desk: Desk, width: number, height: number): Line[] {
  const rows = shownRows(desk, pmList).rows.length
  const pm = chosen(desk)
  const detail = pm && height >= 26 ? detailPanel(desk, pm, width) : []
  const table = Math.min(Math.max(rows, 1) + 1, Math.max(Math.floor(height * 0.4), 4))
  const room = height - table - 1 - detail.length
  const lines: Line[] = [...drawList(desk, pmList, width, table), []]
  if (width >= 100) {
    const middle = Math.min(room, 12 + Math.max(room - 16, 0))
    const left = Math.floor(width * 0.58)
    lines.push(
      ...beside(attentionPanel(desk, left, middle), left, runningPanel(desk, width - left, middle), width - left),
    )
  } else {
    const running = room >= 10 ? Math.min(Math.max(Math.floor(room / 2), 5), 8) : 0
    lines.push(...attentionPanel(desk, width, room - running))
    if (running > 0) lines.push(...runningPanel(desk, width, running))
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
  heading: (desk) => [span(' PMs', 'strong'), ...listTitle(desk, pmList)],
  subjects: (desk) => chosenRows(desk, pmList).map((pm) => pmList.subject!(pm)),
  press(desk, key) {
    if (desk.state().focus !== 'attention') return false
    const by = { j: 1, down: 1, k: -1, up: -1 }[key]
    if (by === undefined) return false
    desk.choose('attention', Math.max(Math.min(attentionIndex(desk) + by, attentionOf(desk).length - 1), 0))
    return true
  },
  says: (desk, width) => [
    line(`Needs attention: ${attentionOf(desk).length}. tab goes there.`),
    ...attentionOf(desk).map(attentionLine),
    ...runningPanel(desk, width, 40),
  ],
  here(desk) {
    const item = desk.state().focus === 'attention' ? attentionOf(desk)[attentionIndex(desk)] : undefined
    return item && attentionLine(item)
  },
  draw,
}
