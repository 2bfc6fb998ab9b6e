import type { Host } from '../host/host.ts'
import { changerAmong, type GroupTags, type NamedChanger } from '../tools/lvmTags.ts'

/**
 * Where a volume group is changed. One that several PMs see without a lock manager is changed by one of them for all:
 * LVM's own lock of a group is a file on one machine, and two machines that write its metadata at once give the same
 * extents out twice (docs/decisions/0019).
 */
export interface GroupPlace {
  /** The PM at work: it reads and writes what is in the volumes. */
  readonly host: Host
  readonly group: string
  /** The PM that writes the group's metadata: the one at work, unless the group is a plain one that several see. */
  readonly changer: Host
  /** Other PMs may see the group, and have its volumes active. */
  readonly shared: boolean
  /** Those of them that are up, with the changer where that is another. */
  readonly others: readonly Host[]
  /** lvmlockd takes the locks: each PM changes the group itself. */
  readonly locked?: true
  /** Why the changer cannot change anything now, and what would help. */
  readonly refusal?: string
  /** The place as it is where the group itself, by a tag, names the PM that changes it, whatever is known here. */
  readonly follow?: (named: NamedChanger) => GroupPlace
  /** The tag that names the changer. */
  readonly tag?: string
  /** The group was looked at and names nobody: the changer's next change puts its tag. */
  readonly isUnnamed?: true
}

/** A PM's group, by name, as a place; asks nobody. */
export type GroupPlaces = (host: Host, group: string) => GroupPlace

/** A group of that PM alone. */
export const ownGroup: GroupPlaces = (host, group) => ({ host, group, changer: host, shared: false, others: [] })

/**
 * Pure. The place of a group that was looked at: by its lock type, and by the PM that its tags name, which all pengx meet
 * that know nothing of each other. `said`: undefined where the look has not come to that.
 */
export function placeWith(place: GroupPlace, said: GroupTags | undefined): GroupPlace {
  if (said === undefined) return place
  if (said.lockType !== undefined) {
    const { refusal: _, tag: _tag, ...rest } = place
    return { ...rest, changer: place.host, shared: true, others: [], locked: true }
  }
  const named = changerAmong(said.tags)
  if (named) return place.follow?.(named) ?? place
  return place.shared && place.tag !== undefined ? { ...place, isUnnamed: true } : place
}

/** Pure. The metadata is written by another PM than the one at work. */
export function isChangedElsewhere({ changer, host }: GroupPlace): boolean {
  return changer !== host
}
