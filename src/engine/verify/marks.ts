import { volumesOf } from '../../model/layer.ts'
import { pathsOn } from '../../model/storage/onStorlink.ts'
import type { Storlink } from '../../model/storlink.ts'
import type { Host } from '../host/host.ts'
import { doubtOf } from '../volumes/doubt.ts'
import { type MarkerSeen, refuseMarker } from '../volumes/marker.ts'
import type { Entry, MarkFacts, SiteFacts } from './facts.ts'

/** A storlink's marker as a PM has seen it. */
export interface MarkSeen {
  readonly storlink: Storlink
  readonly seen: MarkerSeen
  /** What lies there; absent: that is looked at from another PM. */
  readonly entries?: readonly Entry[]
}

/** Why nothing speaks for the place where nothing is written down that would lie there. */
const NOTHING_TO_TELL = 'nothing is written down that lies there, by which it could be known'

/**
 * What a marker that was seen on a PM says of the storlink. Where there is none it is looked whether what lies there is the
 * right storage all the same, by what is written down of it. Undefined: that PM has nothing to do with it. Looks only.
 */
export async function judgeMark(
  host: Host,
  pm: string,
  { storlink, seen, entries }: MarkSeen,
  view: SiteFacts['view'],
): Promise<MarkFacts | undefined> {
  const where = { storlink: storlink.id, pm }
  const why = refuseMarker(storlink, seen, view.storlinks())
  if (why === undefined) return { ...where, state: 'its own' }
  const isKnown = storlink.uuid !== undefined
  if (isKnown && seen.uuids.length > 0) return { ...where, state: 'another', why }
  if (entries === undefined) {
    const isUsed = view.vmsOn(pm).some((vm) => volumesOf(vm).some((one) => one.storlink === storlink.id))
    return isUsed ? { ...where, state: 'away', why } : undefined
  }
  const paths = pathsOn(storlink.id, view)
  const there = new Set(entries.map(({ path }) => path))
  if (isKnown && paths.length > 0 && !paths.some((path) => there.has(path))) return { ...where, state: 'away', why }
  const doubt = (await doubtOf(host, storlink, paths)) ?? (isKnown && paths.length === 0 ? NOTHING_TO_TELL : undefined)
  return { ...where, state: 'none', ...(doubt === undefined ? {} : { why: doubt }) }
}
