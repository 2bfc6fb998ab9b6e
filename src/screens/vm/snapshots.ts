import { formatDate } from '../../lib/age.ts'
import { getOrMake } from '../../lib/getOrMake.ts'
import { naturalKey } from '../../lib/text.ts'
import { DEEP, depthOf } from '../../model/layer.ts'
import { type Branch, snapshotTree } from '../../model/storage/snapshotTree.ts'
import type { Vm } from '../../model/vm.ts'
import { type Line, type Span, span } from '../../ui/line.ts'
import type { AppContext } from '../app/context.ts'
import { cursorRow, type ListDef } from '../app/list.ts'
import { listOf } from '../app/state.ts'
import type { KeyRow } from '../screen.ts'
import { count } from '../words.ts'
import { vmOf } from './tabs.ts'

/** The snapshots of one VM as a list that is a tree for as long as nothing else orders or filters it. */
export type PlacedBranch = Branch & { readonly at: number }

const trees = new WeakMap<Vm, readonly PlacedBranch[]>()

/** The same array until the VM changes. */
function branchesOf(app: AppContext): readonly PlacedBranch[] {
  const vm = vmOf(app)
  return vm ? getOrMake(trees, vm, () => snapshotTree(vm).map((branch, at) => ({ ...branch, at }))) : []
}

function isTree(app: AppContext): boolean {
  const { sort, filter } = listOf(app.state(), snapshotList.name)
  return filter.trim() === '' && (sort === undefined || (sort.column === 'tree' && !sort.down))
}

/** Lines from what it lies on: a root has none. */
function rungsOf({ rungs }: Branch): string {
  const own = rungs.length < 2 ? '' : rungs.at(-1) ? '├─' : '└─'
  return `${rungs
    .slice(1, -1)
    .map((follows) => (follows ? '│ ' : '  '))
    .join('')}${own}`
}

function treeCell(branch: Branch, app: AppContext): Line {
  const { snapshot, isBelowVm } = branch
  const rungs: Span[] = isTree(app) ? [span(rungsOf(branch), 'dim')] : []
  if (!isBelowVm) return [...rungs, { text: `○ ${snapshot.name}` }]
  return [...rungs, span(`◉ ${snapshot.name}`, 'accent'), span('  the VM is here', 'accent')]
}

function depthSpan(depth: number, text: string): Span {
  return depth < DEEP ? { text } : span(text, 'warn')
}

export const snapshotList: ListDef<PlacedBranch> = {
  name: 'vm.snapshots',
  sort: { column: 'tree', down: false },
  empty: 'no snapshot: n takes one',
  columns: [
    {
      name: 'tree',
      title: 'TREE',
      width: 26,
      grow: 72,
      kind: 'text',
      cell: treeCell,
      sort: ({ at }) => at,
      tail: true,
    },
    {
      name: 'taken',
      title: 'TAKEN',
      width: 16,
      kind: 'age',
      cell: ({ snapshot }) => formatDate(snapshot.createdAt),
      sort: ({ snapshot }) => snapshot.createdAt,
    },
    {
      name: 'type',
      title: 'TYPE',
      width: 7,
      kind: 'text',
      drop: 2,
      cell: ({ snapshot }) => snapshot.type,
      sort: ({ snapshot }) => snapshot.type,
    },
    {
      name: 'depth',
      title: 'LAYERS',
      width: 6,
      kind: 'number',
      drop: 3,
      cell: ({ depth }) => depthSpan(depth, String(depth)),
      sort: ({ depth }) => depth,
    },
    {
      name: 'note',
      title: 'NOTE',
      width: 10,
      grow: 60,
      kind: 'text',
      drop: 4,
      cell: ({ snapshot }) => snapshot.note,
      sort: ({ snapshot }) => naturalKey(snapshot.note),
    },
    {
      name: 'uuid',
      title: 'UUID',
      width: 36,
      kind: 'text',
      wide: true,
      drop: 5,
      cell: ({ snapshot }) => snapshot.uuid,
    },
  ],
  rows: branchesOf,
  id: ({ snapshot }) => snapshot.uuid,
  words: ({ snapshot }) => `${snapshot.name} ${snapshot.note} ${snapshot.type} ${snapshot.uuid}`,
  filters: {},
  copies: ({ snapshot }) => [
    ['snapshot', snapshot.uuid],
    ['its name', snapshot.name],
  ],
}

/** How deep the VM's own disks lie: from a point on, that is a reason to merge some. */
export function depthNote(vm: Vm): Line {
  const depth = depthOf(vm)
  if (depth === 0) return []
  const layers = count(depth, 'layer')
  return [{ text: '   ' }, depth < DEEP ? span(layers, 'dim') : span(`▲ ${layers} slow its reads`, 'warn')]
}

export function snapshotKeys(when: (app: AppContext) => boolean): readonly KeyRow[] {
  const none = (app: AppContext) => (cursorRow(app, snapshotList) ? undefined : 'there is no snapshot here')
  const raw = (app: AppContext) => ({ snapshot: cursorRow(app, snapshotList)?.snapshot.uuid ?? '' })
  return [
    { key: 'n', title: 'new snapshot', operation: 'snapshot.create', when },
    { key: 'R', title: 'restore', operation: 'snapshot.restore', when, refuse: none, raw },
    { key: 's', title: 'start from it', operation: 'snapshot.start', when, refuse: none, raw },
    { key: 'e', title: 'rename', help: 'its name and note', operation: 'snapshot.update', when, refuse: none, raw },
    { key: 'D', title: 'delete it', operation: 'snapshot.delete', when, refuse: none, raw },
  ]
}
