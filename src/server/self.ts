import type { View } from '../engine/store/view.ts'
import { PengxError } from '../model/error.ts'
import type { Pm } from '../model/pm.ts'

/** The PM that `/pms/` means: the one this runs on, else the one that is configured, else the only one. */
export function findSelf(view: View, configured: string | undefined): Pm | undefined {
  const pms = view.pms()
  const named = configured ?? view.setting('self')
  return (
    pms.find((pm) => pm.destination === 'local') ??
    pms.find((pm) => named !== undefined && (pm.uuid === named || pm.name === named)) ??
    (pms.length === 1 ? pms[0] : undefined)
  )
}

export function needSelf(view: View, configured: string | undefined): Pm {
  const pm = findSelf(view, configured)
  if (pm) return pm
  const count = view.pms().length
  const why =
    count === 0 ? 'there is no PM yet' : `it runs on none of the ${count} PMs and none is configured as "self"`
  throw new PengxError('notFound', `no PM is this server's own: ${why}; ask for one by its UUID`)
}
