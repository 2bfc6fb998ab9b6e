import { newUuid } from '../../../lib/ids.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Storlink } from '../../../model/storlink.ts'
import type { ChangingStep, Context } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'
import type { GroupPlaces } from '../../volumes/groupPlace.ts'
import { dropMarker, lookForMarker, type MarkerSeen, putMarker, refuseMarker } from '../../volumes/marker.ts'

/** The marker of a storage, put by the operations on storlinks: where there is none; where there is one it is taken over. */

type Marked = Pick<Storlink, 'pm' | 'link' | 'level'>

/** What was found of a marker, and the UUID that is written where there is none. */
export type MarkFacts = { readonly found: string | null; readonly uuid: string }

const MARK = 'mark the storage'

/**
 * Looks for the marker of a place and picks what it is to say. Throws `refused` where the place has that of another storlink
 * (not `own`) that its PM sees: they are one place under two names, or one is a copy of the other, with its marker.
 * `lost`: what its marker said before it was lost.
 */
export async function lookToMark(
  cx: Context,
  place: Marked & Pick<Storlink, 'shared'>,
  own?: Storlink,
  lost?: string,
): Promise<MarkFacts> {
  const { uuids } = await lookForMarker(cx.host(place.pm), place)
  const [found = null] = own?.uuid !== undefined && uuids.includes(own.uuid) ? [own.uuid] : uuids
  const other = found === null ? undefined : otherOf(found, place, own?.id, cx.view)
  if (other) {
    const where = `${place.link} on ${cx.view.needPm(place.pm).name}`
    throw new PengxError(
      'refused',
      `${where} has the marker of storlink ${other.id} (${other.name}, ${other.link}): it is the same place, or a copy of it, from which .pengx-storlink has to be removed first`,
    )
  }
  return { found, uuid: found ?? lost ?? newUuid() }
}

/** Two PMs may each have a storlink of their own on what is one storage. */
function otherOf(
  uuid: string,
  { pm, shared }: Pick<Storlink, 'pm' | 'shared'>,
  own: number | undefined,
  view: View,
): Storlink | undefined {
  return view.storlinks().find((one) => one.uuid === uuid && one.id !== own && (one.pm === pm || one.shared || shared))
}

/** Puts the marker; what was there before, whoever made it, stays when it is undone. */
export function markStep(place: Marked, { found, uuid }: MarkFacts): ChangingStep {
  return {
    name: MARK,
    shows: [found === null ? `mark ${place.link} with ${uuid}` : `${place.link} has the marker ${found} already`],
    async do(cx) {
      return { uuid: (await putMarker(cx.host(place.pm), place, uuid, cx.tag, groupsOf(cx, place))).uuid }
    },
    isApplied: async (cx) => (await seenOf(cx, place)).uuids.length > 0 || 'again',
    async undo(cx) {
      if (found === null) await dropMarker(cx.host(place.pm), place, uuid, cx.tag, groupsOf(cx, place))
    },
  }
}

function groupsOf(cx: Context, { pm }: Marked): GroupPlaces {
  return (_host, group) => cx.groupAt(pm, group)
}

function seenOf(cx: Context, place: Marked): Promise<MarkerSeen> {
  return lookForMarker(cx.host(place.pm), place)
}

/** What the marker says that the step has put, or has found there. Throws `conflict` where there is none any more. */
export async function markedUuid(cx: Context, place: Marked, { uuid }: MarkFacts): Promise<string> {
  const put = cx.output(MARK) as { readonly uuid: string } | null | undefined
  if (put) return put.uuid
  const { uuids, problem } = await seenOf(cx, place)
  const said = uuids.includes(uuid) ? uuid : uuids[0]
  if (said !== undefined) return said
  throw new PengxError('conflict', `${place.link} on ${cx.view.needPm(place.pm).name} was marked, and ${problem}`)
}

/**
 * How the other PMs see a shared storage, for the person who says that it is shared: those that are up and do not have its
 * marker, a line for each.
 */
export async function tellOthers(cx: Context, storlink: Storlink): Promise<Json & Readonly<Record<string, string>>> {
  const others = cx.view.pms().filter((pm) => pm.uuid !== storlink.pm && pm.seen.reach === 'up')
  const problems: Record<string, string> = {}
  await Promise.all(
    others.map(async (pm) => {
      const seen = await lookForMarker(cx.host(pm.uuid), storlink).catch((error: Error) => ({
        uuids: [],
        problem: error.message,
      }))
      const reason = refuseMarker(storlink, seen, cx.view.storlinks())
      if (reason === undefined) return
      problems[pm.uuid] = reason
      cx.notice(`${storlink.name} (${storlink.link}) is not seen by ${pm.name}: ${reason}`)
    }),
  )
  return problems
}
