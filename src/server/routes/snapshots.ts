import { PengxError } from '../../model/error.ts'
import { type Snapshot, snapshotsOf } from '../../model/layer.ts'
import { snapshotDiskShape } from '../views/disk.ts'
import type { Form } from '../views/form.ts'
import { restoreForm, snapshotForm, snapshotUpdateForm } from '../views/formsSnapshot.ts'
import { newSnapshotShape, type OwnedSnapshot, snapshotShape, volumesOfLayer } from '../views/snapshot.ts'
import { type Call, made, type Row, type RowAction, showMany } from './row.ts'
import { needVm, ofVm, onVm } from './vmRow.ts'

/** The rows about a VM's snapshots, in the document's order. A layer without a name is none: nothing here shows it. */

function needSnapshot(call: Call, uuid: string): Snapshot {
  const found = snapshotsOf(needVm(call)).find((one) => one.uuid === uuid)
  if (found === undefined) throw new PengxError('notFound', `there is no snapshot ${uuid}`)
  return found
}

function owned(call: Call): OwnedSnapshot[] {
  const vm = needVm(call)
  return snapshotsOf(vm).map((snapshot) => ({ vm, snapshot }))
}

/** An operation on the snapshot that the path names. */
function onSnapshot(operation: string, takes?: Form): RowAction {
  const params = ({ ids }: Call) => ({ vm: ids.vm_uuid, snapshot: ids.snapshot_uuid })
  return { kind: 'run', operation, params, ...(takes ? { takes } : {}) }
}

const take: RowAction = {
  ...onVm('snapshot.create', {}, snapshotForm),
  made: made(newSnapshotShape, (call, { uuid }) => ({ vm: needVm(call), snapshot: needSnapshot(call, String(uuid)) })),
}

export const SNAPSHOTS: readonly Row[] = [
  ofVm(
    'POST',
    'start/snapshots/:snapshot_uuid/',
    'VMControlView.start',
    200,
    onSnapshot('snapshot.start', restoreForm),
  ),
  ofVm('POST', 'snapshots/', 'SnapshotView.create', 201, take),
  ofVm('DELETE', 'snapshots/:snapshot_uuid/', 'SnapshotView.delete', 204, onSnapshot('snapshot.delete')),
  ofVm('GET', 'snapshots/', 'SnapshotView.index', 200, showMany('snapshots', snapshotShape, owned)),
  ofVm('POST', 'snapshots/:snapshot_uuid/', 'SnapshotView.restore', 201, onSnapshot('snapshot.restore', restoreForm)),
  ofVm('PUT', 'snapshots/:snapshot_uuid/', 'added', 204, onSnapshot('snapshot.update', snapshotUpdateForm)),
  ofVm(
    'GET',
    'disks/snapshots/:snapshot_uuid/',
    'DiskView.index',
    200,
    showMany('disks', snapshotDiskShape, (call) => volumesOfLayer(needSnapshot(call, call.ids.snapshot_uuid ?? ''))),
  ),
]
