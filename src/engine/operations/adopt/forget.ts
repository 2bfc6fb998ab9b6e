import type { Json } from '../../../model/json.ts'
import { layersOf, snapshotsOf } from '../../../model/layer.ts'
import { isUpkeep } from '../../../model/template.ts'
import type { Vm } from '../../../model/vm.ts'
import { isForgotten, putBack, splitSecret, type VmSecrets } from '../vm/secrets.ts'
import { type VmParams, vmOperation, vmParams } from '../vm/target.ts'

type ForgetFacts = { readonly vm: Vm & Json; readonly secrets: VmSecrets }

export const vmForget = vmOperation<VmParams, ForgetFacts>({
  name: 'vm.forget',
  title: 'forget',
  help: 'Gives a VM out of care again: its domain, disks and configuration stay as they are.',
  danger: 'disrupts',
  params: vmParams,
  refuse({ vm }, view) {
    const row = view.needVm(vm)
    if (isUpkeep(row)) return 'it is the upkeep of a template: template.shutdown ends it'
    if (layersOf(row).length > 0)
      return `its ${snapshotsOf(row).length} snapshots are written down here alone: delete them first`
    return row.origin === 'found' ? 'it is not adopted' : undefined
  },
  gather: async ({ vm }, cx) => splitSecret(cx.view.needVm(vm)),
  plan: (_params, { vm, secrets }) => [
    {
      name: 'forget',
      async do(cx) {
        await cx.inventory.dropVm(vm.uuid)
        return null
      },
      isApplied: async (cx) => isForgotten(cx.view.getVm(vm.uuid)),
      undo: (cx) => putBack(cx, vm, secrets),
    },
  ],
  effects: (_params, { vm }) => ({
    keeps: [
      ...vm.disks.map((disk) => disk.path),
      ...(vm.configPath ? [vm.configPath] : []),
      ...(vm.seen.autostart?.paths ?? []),
    ],
  }),
})
