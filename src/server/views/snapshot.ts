import { type Layer, type Snapshot, snapshotBelow } from '../../model/layer.ts'
import type { Vm } from '../../model/vm.ts'
import type { PlacedDisk } from './disk.ts'
import type { Shape, ShapeField } from './shape.ts'

/** A snapshot and whose it is: its parent is found among the VM's layers. */
export interface OwnedSnapshot {
  readonly vm: Vm
  readonly snapshot: Snapshot
}

type Fields = readonly ShapeField<OwnedSnapshot>[]

const name: ShapeField<OwnedSnapshot> = { kind: 'text', name: 'name', get: ({ snapshot }) => snapshot.name }
const date: ShapeField<OwnedSnapshot> = { kind: 'time', name: 'date', get: ({ snapshot }) => snapshot.createdAt }

function shapeWith(fields: Fields): Shape<OwnedSnapshot> {
  return { name: 'snapshot', id: ({ snapshot }) => snapshot.uuid, fields }
}

/** A snapshot among others: here the document's word for its note is `description`. */
export const snapshotShape = shapeWith([
  name,
  date,
  { kind: 'text', name: 'description', get: ({ snapshot }) => snapshot.note },
])

/** One that was just taken. */
export const newSnapshotShape = shapeWith([
  name,
  {
    kind: 'text',
    name: 'type',
    help: 'LIVE: the VM ran; OFFLINE: it did not',
    get: ({ snapshot }) => snapshot.type,
  },
  {
    kind: 'text',
    name: 'parent',
    help: 'UUID of the nearest snapshot below it',
    get: ({ vm, snapshot }) => snapshotBelow(vm, snapshot)?.uuid,
  },
  date,
  { kind: 'text', name: 'desc', get: ({ snapshot }) => snapshot.note },
])

/** What the VM's disks held then: volumes with ids of their own, as old as the snapshot. */
export function volumesOfLayer({ uuid: owner, volumes, createdAt }: Layer): PlacedDisk[] {
  return volumes.map((volume, order) => ({ disk: { ...volume, desc: '', createdAt }, owner, order }))
}
