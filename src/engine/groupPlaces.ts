import type { Pm } from '../model/pm.ts'
import type { Host } from './host/host.ts'
import { refuseGroupChange, refuseNamedChanger } from './operations/storlink/access.ts'
import type { View } from './store/view.ts'
import { changerTag } from './tools/lvmTags.ts'
import { type GroupPlace, type GroupPlaces, ownGroup } from './volumes/groupPlace.ts'
import { groupOf } from './volumes/volumeGroup.ts'

/**
 * Where volume groups are changed: a shared one by its storlink's PM, any other by the PM that has it, and each by the PM
 * that its tag names as soon as it is looked at. `hostOf`: of a PM, by its UUID.
 */
export function groupPlaces(view: View, hostOf: (pm: string) => Host): GroupPlaces {
  return (host, group) => {
    const here = view.pms().find((pm) => pm.name === host.name)
    if (!here) return ownGroup(host, group)
    const storlink = view.storlinks().find((one) => one.level === 'BL' && one.shared && groupOf(one.link) === group)
    const by = (owner: Pm | undefined, refusal: string | undefined): GroupPlace => ({
      host,
      group,
      changer: owner === undefined || owner.uuid === here.uuid ? host : hostOf(owner.uuid),
      shared: true,
      others: view
        .pms()
        .filter((pm) => pm.uuid !== here.uuid && pm.seen.reach === 'up')
        .map((pm) => hostOf(pm.uuid)),
      ...(refusal === undefined ? {} : { refusal }),
    })
    const follow: GroupPlace['follow'] = (named) =>
      by(view.getPm(named.pm), named.pm === here.uuid ? undefined : refuseNamedChanger(group, named, view))
    if (!storlink) return { ...ownGroup(host, group), follow }
    const owner = view.getPm(storlink.pm)
    const place = by(owner, refuseGroupChange(storlink, here.uuid, view))
    return { ...place, follow, ...(owner ? { tag: changerTag({ pm: owner.uuid, name: owner.name }) } : {}) }
  }
}
