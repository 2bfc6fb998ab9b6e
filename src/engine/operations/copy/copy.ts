import { newUuid } from '../../../lib/ids.ts'
import type { Json } from '../../../model/json.ts'
import type { Lock } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'
import { vmOperation } from '../vm/target.ts'
import { type CopyFacts, gatherCopy } from './facts.ts'
import { type CopyParams, copyParams, namesOf, pmForCopy, refuseCopy, storlinksFor } from './params.ts'
import { planCopy } from './steps.ts'

/**
 * A VM once more, or several times: what its disks hold at one moment, under a UUID, addresses and a name of its own. Of one
 * that runs its QEMU keeps the moment (disk/moment.ts), and its guest goes on. The copies are left shut down.
 */
function locks(p: CopyParams, view: View): Lock[] {
  const vm = view.needVm(p.vm)
  const storlinks = [...vm.disks.map((disk) => disk.storlink), ...storlinksFor(p, vm), p.scratch]
  const shared = [
    ...[...new Set(storlinks)].flatMap((id) => (id === undefined ? [] : `storlink:${id}`)),
    ...new Set([`pm:${vm.pm}`, `pm:${pmForCopy(p, view)}`]),
  ]
  return [
    ...[p.vm, ...p.uuids].map((uuid): Lock => ({ key: `vm:${uuid}`, mode: 'exclusive' })),
    ...namesOf(p).map((name): Lock => ({ key: `name:vm:${name}`, mode: 'exclusive' })),
    ...shared.map((key): Lock => ({ key, mode: 'shared' })),
  ]
}

export const vmCopy = vmOperation<CopyParams, CopyFacts & Json>({
  name: 'vm.copy',
  title: 'copy',
  help: 'Makes a VM, or several, with what the disks of this one hold at one moment; a running guest goes on.',
  danger: 'safe',
  params: copyParams,
  complete: (p) => ({ ...p, uuids: p.uuids.length > 0 ? p.uuids : namesOf(p).map(() => newUuid()) }),
  locks,
  refuse: refuseCopy,
  gather: gatherCopy,
  plan: (_p, facts) => planCopy(facts),
  result: ({ uuids, name }) => ({ uuid: uuids[0] ?? '', name, uuids }),
  touches(p, view) {
    return view.getVm(p.vm) ? [...new Set([view.needVm(p.vm).pm, pmForCopy(p, view)])] : []
  },
})
