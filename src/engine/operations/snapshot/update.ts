import { z } from 'zod'
import type { Json } from '../../../model/json.ts'
import { layersOf } from '../../../model/layer.ts'
import type { Vm } from '../../../model/vm.ts'
import { field } from '../../jobs/params.ts'
import { layersStep } from '../disk/layers.ts'
import { splitSecret, type VmSecrets } from '../vm/secrets.ts'
import { vmOperation } from '../vm/target.ts'
import { needSnapshot, refuseSnapshotName, snapshotParams } from './target.ts'

const params = snapshotParams.extend({
  name: field(z.string().trim().optional(), { title: 'Name' }),
  desc: field(z.string().optional(), { title: 'Note', clearable: true }),
})
type Params = z.infer<typeof params>
type Facts = { readonly vm: Vm & Json; readonly secrets: VmSecrets; readonly uuid: string }

export const snapshotUpdate = vmOperation<Params, Facts>({
  name: 'snapshot.update',
  title: 'rename a snapshot of',
  help: 'Gives a snapshot another name or note.',
  danger: 'safe',
  params,
  refuse({ vm, snapshot, name, desc }, view) {
    needSnapshot(view.needVm(vm), snapshot)
    if (name === undefined && desc === undefined) return 'neither a name nor a note is given'
    return name === undefined ? undefined : refuseSnapshotName(name)
  },
  gather: async ({ vm, snapshot }, cx) => {
    const row = cx.view.needVm(vm)
    return { ...splitSecret(row), uuid: needSnapshot(row, snapshot).uuid }
  },
  plan: ({ name, desc }, { vm, uuid }) => [
    layersStep('record', vm as Vm, (row) => ({
      ...row,
      layers: layersOf(row).map((layer) =>
        layer.uuid === uuid ? { ...layer, name: name ?? layer.name, note: desc ?? layer.note } : layer,
      ),
    })),
  ],
})
