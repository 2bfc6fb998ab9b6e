import { z } from 'zod'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import { type Layer, layersOf, type Snapshot, snapshotsOf } from '../../../model/layer.ts'
import { refuseName, type Vm } from '../../../model/vm.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { vmField } from '../vm/target.ts'

/** What the operations on snapshots have in common: which one is meant, what one may be called, what is told of it. */

export const snapshotField = field(z.string().min(1), {
  title: 'Snapshot',
  help: 'its UUID, or its name',
  from: 'snapshot',
})
export const snapshotParams = z.object({ vm: vmField, snapshot: snapshotField })

/** A listed snapshot by its UUID, or by its name. Throws `invalid` where several have that name, else `notFound`. */
export function needSnapshot(vm: Vm, named: string): Snapshot {
  const listed = snapshotsOf(vm)
  const byUuid = listed.find((one) => one.uuid === named.toLowerCase())
  const byName = listed.filter((one) => one.name === named)
  if (byUuid) return byUuid
  if (byName.length === 1) return byName[0]!
  if (byName.length > 1) {
    const which = byName.map((one) => one.uuid).join(', ')
    throw new PengxError('invalid', `${vm.name} has ${byName.length} snapshots named ${named}: give a UUID, ${which}`)
  }
  const there = listed.map((one) => one.name).join(', ') || 'none'
  throw new PengxError('notFound', `${vm.name} has no snapshot ${named}; it has ${there}`)
}

/** Why no snapshot can be called so, or undefined. */
export function refuseSnapshotName(name: string): string | undefined {
  const reason = refuseName(name)
  return reason === undefined ? undefined : `name: ${reason}`
}

/** What is told of a snapshot that was made: its UUID and the name that it has by now. */
export function snapshotResult(vm: string, uuid: string, view: View): Json {
  const layer: Layer | undefined = layersOf(view.needVm(vm)).find((one) => one.uuid === uuid)
  return { uuid, name: layer?.name ?? '' }
}
