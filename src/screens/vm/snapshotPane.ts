import { formatDate } from '../../lib/age.ts'
import { formatMib } from '../../lib/bytes.ts'
import { childrenOf, DEEP, getLayer, type Snapshot } from '../../model/layer.ts'
import type { Branch } from '../../model/storage/snapshotTree.ts'
import { hasDomain, type Vm } from '../../model/vm.ts'
import { type Line, line, span } from '../../ui/line.ts'
import { facts } from '../../ui/panel.ts'
import type { AppContext } from '../app/context.ts'
import { wouldLines } from '../ask/subjectLines.ts'
import { count } from '../words.ts'

/** One snapshot in a pane: what it is, what it holds, and what going back to it and deleting it would do. */
export function snapshotPane(app: AppContext, vm: Vm, { snapshot, parent, depth }: Branch, width: number): Line[] {
  const { type, note, createdAt, uuid } = snapshot
  const ran = type === 'LIVE' ? 'VM running (live)' : 'VM off'
  const layers = count(depth, 'layer')
  const subject = { kind: 'vm', id: vm.uuid, name: vm.name } as const
  const would = (title: string, operation: string, what: readonly string[]) =>
    wouldLines(app, { title, operation, subject, extra: { snapshot: uuid }, what }, width)
  return [
    ...facts(
      [
        ['uuid', uuid],
        ['taken', `${formatDate(createdAt)}, ${ran}`],
        ['lies on', getLayer(vm, parent)?.name ?? 'no snapshot'],
        ['on it', liesOn(vm, uuid)],
        ['depth', depth < DEEP ? layers : span(`${layers}: each slows reads`, 'warn')],
        note ? ['note', note] : undefined,
      ],
      8,
    ),
    ...volumeLines(app, snapshot),
    ...would('R restore', 'snapshot.restore', [
      `go on from ${snapshot.name} in new disks; nothing is copied`,
      `keep what the VM holds now, as "before restore of ${snapshot.name}"`,
    ]),
    ...would('s start from it', 'snapshot.start', ['do the same, then start the VM']),
    ...would('D delete', 'snapshot.delete', [deletion(vm, uuid)]),
  ]
}

function nameOf(vm: Vm, uuid: string | undefined): string {
  return getLayer(vm, uuid)?.name ?? 'a layer without a name'
}

function liesOn(vm: Vm, uuid: string): string {
  const { layers, current } = childrenOf(vm, uuid)
  const names = [...(current ? ['the VM'] : []), ...layers.map((layer) => nameOf(vm, layer.uuid))]
  return names.join(', ') || 'nothing'
}

function deletion(vm: Vm, uuid: string): string {
  const { layers, current } = childrenOf(vm, uuid)
  if (layers.length + (current ? 1 : 0) > 1) return 'take its name away; the layer stays until one thing lies on it'
  if (current) {
    const how = hasDomain(vm.seen.state) ? ', while it runs' : ''
    return `merge what it holds into the disks of the VM itself${how}; it reads as before`
  }
  const [above] = layers
  if (above === undefined) return 'remove what it holds: nothing lies on it'
  return `merge what it holds into ${nameOf(vm, above.uuid)}, which reads as before`
}

function volumeLines(app: AppContext, { volumes }: Snapshot): Line[] {
  const lines = volumes.map(({ vdev, sizeMib, format, storlink, path }) => {
    const size = sizeMib === undefined ? '?' : formatMib(sizeMib)
    const where = storlink === undefined ? path : `${storlink} ${app.view().getStorlink(storlink)?.name ?? '?'}`
    return line(`  ${vdev.padEnd(5)} ${size.padEnd(9)} ${format.padEnd(5)} ${where}`)
  })
  return [[], line(span(' Its disks', 'strong')), ...lines]
}
