import type { Form } from '../views/form.ts'
import type { Call, Row, RowAction } from './row.ts'

/** What the rows about one VM have in common. */

export const needVm = ({ view, ids }: Call) => view.needVm(ids.vm_uuid ?? '')

/** A row about one VM. */
export function ofVm(
  method: Row['method'],
  rest: string,
  section: string,
  status: number,
  action: RowAction,
  versions: Row['versions'] = ['v1'],
): Row {
  return { method, path: `/vms/:vm_uuid/${rest}`, section, versions, status, action }
}

/** An operation on the VM that the path names. */
export function onVm(
  operation: string,
  more: Readonly<Record<string, unknown>> = {},
  takes?: Form,
): Extract<RowAction, { kind: 'run' }> {
  return { kind: 'run', operation, params: ({ ids }) => ({ vm: ids.vm_uuid, ...more }), ...(takes ? { takes } : {}) }
}
