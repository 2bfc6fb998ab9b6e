import { z } from 'zod'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Pm } from '../../../model/pm.ts'
import { isProvisional } from '../../../model/provisional.ts'
import { refuseName } from '../../../model/vm.ts'
import type { Lock, Operation } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'

/** What the operations on storlinks have in common: what they ask for, who is acted on, what one may be called. */

export const TYPES = ['LO', 'FC', 'ISC', 'NFS', 'CEP'] as const
export const LEVELS = ['FL', 'BL', 'OB'] as const
export const FIELDS = {
  link: { title: 'Link', help: 'a directory on the PM (/data), or a volume group (/dev/vg)' },
  type: { title: 'Type', help: 'what carries it: local, FC, iSCSI, NFS, Ceph' },
  level: { title: 'Level', help: 'how disks lie there: file, block, object' },
  shared: { title: 'Shared', help: 'other PMs see it under the same link' },
} as const
export const storlinkField = field(z.number().int(), { title: 'Storlink', from: 'storlink' })

/** Two that are made at once must not come to lie in each other. */
export const PLACES_LOCK: Lock = { key: 'site:storlinks', mode: 'exclusive' }

type OneStorlink = 'subjectKind' | 'target' | 'subject' | 'touches'

/** An operation on a storlink that is there. */
export function storlinkOperation<P extends { readonly storlink: number }, F extends Json>(
  operation: Omit<Operation<P, F>, OneStorlink>,
): Operation<P, F> {
  return {
    subjectKind: 'storlink',
    target: { param: 'storlink', kind: 'storlink' },
    subject: ({ storlink }, view) => ({
      kind: 'storlink',
      id: String(storlink),
      name: view.needStorlink(storlink).name,
    }),
    touches: () => [],
    ...operation,
  }
}

/** The PM that is meant: the one named, this machine, the one that is configured, or the only one there is. */
export function choosePm(pm: string | undefined, view: View): string {
  const chosen = pm === undefined ? defaultPm(view) : view.needPm(pm)
  if (isProvisional(chosen)) {
    throw new PengxError(
      'unreachable',
      `PM ${chosen.name} has not answered yet${chosen.seen.problem ? `: ${chosen.seen.problem}` : ''}`,
    )
  }
  return chosen.uuid
}

function defaultPm(view: View): Pm {
  const pms = view.pms()
  const self = view.setting('self')
  const meant = pms.find((pm) => pm.destination === 'local') ?? pms.find((pm) => pm.uuid === self || pm.name === self)
  if (meant) return meant
  if (pms.length === 1) return pms[0]!
  throw new PengxError(
    'invalid',
    pms.length > 1 ? 'pm is missing: there is more than one' : 'there is no PM yet: add one first',
  )
}

/** Why a storlink cannot have that name, or undefined; `own` has it already. */
export function refuseStorlinkName(name: string, view: View, own?: number): string | undefined {
  const wrong = refuseName(name)
  if (wrong) return wrong
  const other = view.storlinks().find((one) => one.name === name && one.id !== own)
  return other && `storlink ${other.id} already has the name "${name}"`
}
