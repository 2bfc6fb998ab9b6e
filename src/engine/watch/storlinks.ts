import { toPengxError } from '../../model/error.ts'
import type { Pm } from '../../model/pm.ts'
import { isProvisional } from '../../model/provisional.ts'
import { pathsOn } from '../../model/storage/onStorlink.ts'
import type { Host } from '../host/host.ts'
import type { Store } from '../store/store.ts'
import { putChanger } from '../volumes/groupChange.ts'
import type { GroupPlaces } from '../volumes/groupPlace.ts'
import { type KnownStorlinks, markUndoubted, unmarked } from '../volumes/marked.ts'
import { lookForMarker, refuseMarker } from '../volumes/marker.ts'
import { type StorlinkLook, storlinkQuestion } from '../volumes/spaces.ts'
import { groupOf } from '../volumes/volumeGroup.ts'
import type { Asker } from './askEach.ts'

type Kept = Pick<Store, 'view' | 'inventory'>

/** What a store knows of storlinks, for who writes volumes. */
export function knownStorlinks({ view, inventory }: Kept, groups: GroupPlaces): KnownStorlinks {
  return {
    groups,
    all: () => view.storlinks(),
    seenFrom(host) {
      const pm = view.pms().find(({ name }) => name === host)
      return view.storlinks().filter((storlink) => storlink.pm === pm?.uuid || storlink.shared)
    },
    ownHost: ({ pm }) => view.getPm(pm)?.name ?? pm,
    volumesOn: (storlink) => pathsOn(storlink, view),
    marked: (id, uuid) => inventory.recordSeen({ storlinks: [{ id, uuid }] }),
  }
}

export interface StorlinkLooks extends Kept {
  /** This process works: it may mark what has no marker yet. */
  readonly marks: boolean
  /** Where volume groups are changed. */
  readonly groups: GroupPlaces
  host(row: Pm): Host
}

/**
 * Looks from a PM at its storlinks and at those that are shared: at the marker of each, and how full it is. A shared one's
 * space is looked at by another PM while its own is away. Those that have never had a marker get it from their own PM, where
 * there is no doubt.
 */
export async function lookAtStorlinks(deps: StorlinkLooks, row: Pm, asker: Asker): Promise<void> {
  const { view, inventory } = deps
  const isAway = (pm: string) => view.getPm(pm)?.seen.reach !== 'up'
  const questions = view
    .storlinks()
    .filter((storlink) => storlink.pm === row.uuid || storlink.shared)
    .flatMap((storlink) => {
      const question = storlinkQuestion(storlink, storlink.pm === row.uuid || isAway(storlink.pm))
      return question ? [{ place: String(storlink.id), ...question }] : []
    })
  const looks = await Promise.all(
    [...(await asker.ask(deps.host(row), questions)).values()].map(async (look) => await lookTwice(deps, row, look)),
  )
  await inventory.recordSeen({ storlinks: looks.flatMap(({ space }) => space ?? []) })
  const problems: { readonly id: number; readonly problem: string | undefined }[] = []
  for (const look of looks) {
    problems.push({ id: look.storlink.id, problem: await problemOf(deps, row, look) })
    await followChanger(deps, row, look)
  }
  // What others have seen meanwhile stays: it is read in the moment in which it is written.
  const storlinks = problems.flatMap(({ id, problem }) => {
    const storlink = view.getStorlink(id)
    const isAsked = ([pm]: readonly [string, string]) =>
      pm !== row.uuid && view.getPm(pm) !== undefined && (storlink?.shared || pm === storlink?.pm)
    const others = Object.fromEntries(Object.entries(storlink?.problems ?? {}).filter(isAsked))
    return { id, problems: problem === undefined ? others : { ...others, [row.uuid]: problem } }
  })
  await inventory.recordSeen({ storlinks })
}

/** What a group's PM does not see at first is looked for on all of its disks, once until it is seen again. */
async function lookTwice({ host }: StorlinkLooks, row: Pm, look: StorlinkLook): Promise<StorlinkLook> {
  const { storlink, marker } = look
  if (storlink.level !== 'BL' || !marker.isGone || storlink.problems?.[row.uuid] !== undefined) return look
  return { ...look, marker: await lookForMarker(host(row), storlink).catch(() => marker) }
}

/**
 * Who changes a shared group is what the group says by its tag: another pengx may have made that another PM. One that says
 * nothing yet is given the tag by its storlink's PM.
 */
async function followChanger(deps: StorlinkLooks, row: Pm, { storlink, marker }: StorlinkLook): Promise<void> {
  const { view } = deps
  const { id, uuid, pm, link, level, shared } = storlink
  if (!deps.marks || !shared || level !== 'BL' || uuid === undefined || !marker.uuids.includes(uuid)) return
  if (marker.changer === undefined || view.jobOn('storlink', String(id)) !== undefined) return
  const named = marker.changer && view.getPm(marker.changer.pm)
  if (named && !isProvisional(named) && named.uuid !== pm) {
    // Where a job has made it another one meanwhile, that has written the tag too.
    if (view.getStorlink(id)?.pm === pm) await deps.inventory.recordSeen({ storlinks: [{ id, pm: named.uuid }] })
  } else if (marker.changer === null && pm === row.uuid && !row.readOnly)
    await putChanger(deps.groups(deps.host(row), groupOf(link))).catch(() => undefined)
}

/** Why the marker of one was not seen from a PM, as a clause. */
async function problemOf(
  deps: StorlinkLooks,
  row: Pm,
  { storlink, marker }: StorlinkLook,
): Promise<string | undefined> {
  const { view } = deps
  if (storlink.uuid !== undefined) return refuseMarker(storlink, marker, view.storlinks())
  const isHeld = view.jobOn('storlink', String(storlink.id)) !== undefined
  if (!deps.marks || row.readOnly || storlink.pm !== row.uuid || isHeld) return undefined
  const host = deps.host(row)
  const marked = markUndoubted(host, storlink, marker, knownStorlinks(deps, deps.groups), undefined)
  const { doubt } = await marked.catch((error) => ({ doubt: toPengxError(error).message }))
  return doubt === undefined ? undefined : unmarked(doubt)
}
