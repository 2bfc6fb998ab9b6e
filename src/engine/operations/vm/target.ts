import { z } from 'zod'
import { isUuid } from '../../../lib/ids.ts'
import type { Json } from '../../../model/json.ts'
import type { Operation } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'

/** What the operations on one VM have in common: who is acted on, what is locked, what is looked at again. */

/** The parameter that names the VM that is acted on, by its UUID. */
export const vmField = field(z.string().refine(isUuid, 'is not a UUID'), { title: 'VM', from: 'vm' })

/** The parameters of an operation that needs no more than its VM. */
export const vmParams = z.object({ vm: vmField })
/** What `vmParams` decodes to, and what any operation on one VM has among its own. */
export type VmParams = z.infer<typeof vmParams>

type FromTarget = 'subjectKind' | 'target' | 'subject' | 'locks' | 'touches'

/** An operation on one VM: the VM is its own, and its PM has to stay. */
export function vmOperation<P extends VmParams, F extends Json>(
  operation: Omit<Operation<P, F>, FromTarget> & Partial<Pick<Operation<P, F>, 'locks' | 'touches'>>,
): Operation<P, F> {
  return {
    subjectKind: 'vm',
    target: { param: 'vm', kind: 'vm' },
    subject: ({ vm }, view) => ({ kind: 'vm', id: vm, name: view.needVm(vm).name }),
    locks: ({ vm }, view) => [
      { key: `vm:${vm}`, mode: 'exclusive' },
      { key: `pm:${view.needVm(vm).pm}`, mode: 'shared' },
    ],
    touches: ({ vm }, view) => {
      const pm = view.getVm(vm)?.pm
      return pm === undefined ? [] : [pm]
    },
    ...operation,
  }
}
