import type { PmHosts } from './jobs/context.ts'
import { refuseGroupChange } from './operations/storlink/access.ts'
import type { View } from './store/view.ts'
import { type GroupPlaces, ownGroup } from './volumes/groupPlace.ts'
import { groupOf } from './volumes/volumeGroup.ts'

/** Where volume groups are changed, as storlinks say: a shared one by its storlink's PM, any other by the PM that has it. */
export function groupPlaces(view: View, hosts: PmHosts): GroupPlaces {
  return (host, group) => {
    const here = view.pms().find((pm) => pm.name === host.name)
    const storlink = view.storlinks().find((one) => one.level === 'BL' && one.shared && groupOf(one.link) === group)
    if (!here || !storlink) return ownGroup(host, group)
    const owner = view.getPm(storlink.pm)
    const refusal = refuseGroupChange(storlink, here.uuid, view)
    return {
      host,
      group,
      changer: here.uuid === storlink.pm || !owner ? host : hosts.host(owner.uuid),
      shared: true,
      others: view
        .pms()
        .filter((pm) => pm.uuid !== here.uuid && pm.seen.reach === 'up')
        .map((pm) => (pm.uuid === owner?.uuid ? hosts.host(pm.uuid) : hosts.beside(pm.uuid))),
      ...(refusal === undefined ? {} : { refusal }),
    }
  }
}
