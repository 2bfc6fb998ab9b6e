import { formatMib } from '../../lib/bytes.ts'
import { getOrMake } from '../../lib/getOrMake.ts'
import type { Storlink } from '../../model/storlink.ts'
import { isUpkeep } from '../../model/template.ts'
import { bar } from '../../ui/graph.ts'
import { type Line, line, span } from '../../ui/line.ts'
import { facts } from '../../ui/panel.ts'
import { nameColumn, noteColumn, pmColumn, pmName, shareBar } from '../app/columns.ts'
import type { AppContext } from '../app/context.ts'
import { type ListDef, listTitle, selectedRows, setList } from '../app/list.ts'
import { drawListWithPane, type Pane, paneName } from '../app/pane.ts'
import { handleScrollKey } from '../app/scroll.ts'
import type { KeyRow, Screen } from '../screen.ts'
import { count, percent, shareTone, usedShare } from '../words.ts'

/** Storlinks: the places where disks lie, how full they are, and what lies on them. */

interface OnIt {
  /** The VM or template that it is of. */
  readonly of: string
  readonly vdev: string
  readonly sizeMib: number | undefined
  readonly path: string
}

const disksBy = new WeakMap<object, Map<object, Map<number, OnIt[]>>>()

/** Disks by storlink, gathered once for each state of the lists of VMs and templates. */
function disksOn(app: AppContext, id: number): readonly OnIt[] {
  const vms = app.view().vms()
  const templates = app.view().templates()
  const byTemplates = getOrMake(disksBy, vms, () => new Map<object, Map<number, OnIt[]>>())
  const byId = getOrMake(byTemplates, templates, () => {
    const gathered = new Map<number, OnIt[]>()
    for (const vm of vms) {
      // While a template is looked after, its disks are its VM's too.
      if (isUpkeep(vm)) continue
      for (const { storlink, vdev, sizeMib, path } of vm.disks) {
        if (storlink !== undefined) getOrMake(gathered, storlink, () => []).push({ of: vm.name, vdev, sizeMib, path })
      }
    }
    for (const { name, disks } of templates) {
      for (const { storlink, sizeMib, path } of disks) {
        getOrMake(gathered, storlink, () => []).push({ of: `template ${name}`, vdev: '', sizeMib, path })
      }
    }
    return gathered
  })
  return byId.get(id) ?? []
}

const storlinkList: ListDef<Storlink> = {
  name: 'storage',
  sort: { column: 'id', down: false },
  empty: 'no storlink yet: n makes one, and then VMs can have disks',
  columns: [
    { name: 'id', title: 'ID', width: 4, kind: 'number', cell: ({ id }) => String(id), sort: ({ id }) => id },
    { ...nameColumn, grow: 24 },
    { ...pmColumn, width: 8, grow: undefined },
    { name: 'type', title: 'TYPE', width: 4, kind: 'text', cell: ({ type }) => type, sort: ({ type }) => type },
    {
      name: 'level',
      title: 'LEVEL',
      width: 5,
      kind: 'text',
      drop: 4,
      cell: ({ level }) => level,
      sort: ({ level }) => level,
    },
    {
      name: 'size',
      title: 'SIZE',
      width: 9,
      kind: 'size',
      cell: ({ sizeMib }) => (sizeMib ? formatMib(sizeMib) : '–'),
      sort: ({ sizeMib }) => sizeMib,
    },
    {
      name: 'free',
      title: 'FREE',
      width: 9,
      kind: 'size',
      cell: ({ sizeMib, freeMib }) => (sizeMib ? formatMib(freeMib) : '–'),
      sort: ({ freeMib }) => freeMib,
    },
    {
      name: 'used',
      title: 'USED',
      width: 5,
      kind: 'number',
      cell: (storlink) => {
        const share = usedShare(storlink)
        return share === undefined ? '–' : span(percent(share), shareTone(share))
      },
      sort: usedShare,
    },
    { name: 'bar', title: '', width: 10, kind: 'text', drop: 6, cell: (storlink) => shareBar(usedShare(storlink)) },
    {
      name: 'disks',
      title: 'DISKS',
      width: 6,
      kind: 'number',
      drop: 3,
      cell: ({ id }, app) => String(disksOn(app, id).length),
      sort: ({ id }, app) => disksOn(app, id).length,
      live: true,
    },
    {
      name: 'shared',
      title: 'SHARED',
      width: 6,
      kind: 'text',
      drop: 5,
      cell: ({ shared }) => (shared ? 'yes' : span('no', 'dim')),
      sort: ({ shared }) => String(shared),
    },
    {
      name: 'link',
      title: 'LINK',
      width: 12,
      grow: 40,
      kind: 'text',
      drop: 2,
      cell: ({ link }) => link,
      sort: ({ link }) => link,
    },
    { ...noteColumn, drop: 7 },
  ],
  rows: (app) => app.view().storlinks(),
  id: ({ id }) => String(id),
  subject: ({ id, name }) => ({ kind: 'storlink', id: String(id), name }),
  words: (storlink, app) =>
    `${storlink.id} ${storlink.name} ${storlink.link} ${storlink.type} ${storlink.level} ${storlink.desc} ${pmName(storlink, app)}`,
  filters: {
    name: ({ name }) => name,
    pm: pmName,
    type: ({ type }) => type,
    level: ({ level }) => level,
    link: ({ link }) => link,
  },
  copies: ({ id, link, name }) => [
    ['link', link],
    ['id', String(id)],
    ['name', name],
  ],
}

const keys: readonly KeyRow[] = [
  { key: 'n', title: 'new', operation: 'storlink.create', fresh: true },
  { key: 'e', title: 'edit', operation: 'storlink.update' },
  { key: 'M', title: 'mark', operation: 'storlink.mark' },
  { key: 'D', title: 'delete', operation: 'storlink.delete' },
]

function paneLines(app: AppContext, storlink: Storlink): Line[] {
  const share = usedShare(storlink)
  const disks = disksOn(app, storlink.id)
  const lines = facts([
    ['link', storlink.link],
    ['PM', `${pmName(storlink, app)}${storlink.shared ? ', and others see it too' : ''}`],
    ['type', `${storlink.type}, level ${storlink.level}`],
    ['free', storlink.sizeMib ? `${formatMib(storlink.freeMib)} of ${formatMib(storlink.sizeMib)}` : 'not known'],
    share === undefined ? undefined : ['used', span(`${bar(share, 20)} ${percent(share)}`, shareTone(share))],
    storlink.desc ? ['note', storlink.desc] : undefined,
    ...Object.entries(storlink.problems ?? {}).map(
      ([pm, problem]) => ['trouble', span(`${app.view().getPm(pm)?.name ?? pm}: ${problem}`, 'bad')] as const,
    ),
  ])
  lines.push([], line(span(` ${count(disks.length, 'disk')} on it`, 'strong')))
  for (const { of, vdev, sizeMib } of disks.slice(0, 200)) {
    lines.push(line(`  ${vdev.padEnd(5)} ${(sizeMib === undefined ? '?' : formatMib(sizeMib)).padEnd(9)} ${of}`))
  }
  return lines
}

export const storageScreen: Screen = {
  name: 'storage',
  title: 'Storage',
  also: 'storlinks disks',
  digit: '5',
  list: () => storlinkList,
  keys,
  parts: () => ['list', 'pane'],
  heading: (app) => [span(' Storage › Storlinks', 'strong'), ...listTitle(app, storlinkList)],
  subjects: (app) => selectedRows(app, storlinkList).map((storlink) => storlinkList.subject!(storlink)),
  handleKey: (app, key) => app.state().focus === 'pane' && handleScrollKey(app, paneName('storage'), key),
  draw(app, width, height) {
    const wanted = app.route().id
    if (wanted !== undefined && app.state().choices['storage.at'] !== wanted) {
      setList(app, storlinkList, { cursor: wanted })
      app.choose('storage.at', wanted)
    }
    const pane: Pane<Storlink> = {
      share: 0.33,
      least: 40,
      title: ({ id, name }) => `${id} ${name}`,
      lines: (storlink) => paneLines(app, storlink),
    }
    return drawListWithPane(app, storlinkList, pane, width, height)
  },
}
