import type { Pm } from '../model/pm.ts'
import type { Storlink } from '../model/storlink.ts'
import type { PmHosts } from './jobs/context.ts'
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
    const refusal = here.uuid === owner?.uuid ? undefined : refuseOwner(storlink, owner, group)
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

function refuseOwner({ id, name }: Storlink, owner: Pm | undefined, group: string): string | undefined {
  const what = `volume group ${group} (storlink ${id}, ${name}) is changed by PM ${owner?.name ?? '(forgotten)'} alone`
  const help = 'storlink.update with pm= makes another PM that sees it do that'
  if (!owner || owner.seen.reach === 'down')
    return `${what}, which cannot be reached: ${owner?.seen.problem ?? 'it does not answer'}; ${help}`
  return owner.readOnly ? `${what}, which is read-only; ${help}` : undefined
}
