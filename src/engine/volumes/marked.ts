import { newUuid } from '../../lib/ids.ts'
import { PengxError } from '../../model/error.ts'
import type { Level, Storlink } from '../../model/storlink.ts'
import type { Host } from '../host/host.ts'
import { doubtOf } from './doubt.ts'
import type { GroupPlaces } from './groupPlace.ts'
import { lookForMarker, type MarkerSeen, putMarker, refuseMarker } from './marker.ts'
import type { Image, VolumeDriver } from './volumeDriver.ts'
import { groupOf } from './volumeGroup.ts'

/** What is known of storlinks where volumes are written. */
export interface KnownStorlinks {
  /** All there are. */
  all(): readonly Storlink[]
  /** Those that a PM sees, by the name of its host. */
  seenFrom(host: string): readonly Storlink[]
  /** The host of its own PM, by name. */
  ownHost(storlink: Storlink): string
  /** Paths of the volumes that are remembered to lie on one. */
  volumesOn(storlink: number): readonly string[]
  /** Where volume groups are changed. */
  readonly groups: GroupPlaces
  /** Its marker was found, or put. */
  marked(storlink: number, uuid: string): Promise<void>
}

/** Pure. The storlink that a path lies on, of those that a PM sees: the innermost; undefined outside of all of them. */
function storlinkOf(path: string, level: Level, storlinks: readonly Storlink[]): Storlink | undefined {
  const holds = ({ link }: Storlink) => {
    const directory = level === 'BL' ? `/dev/${groupOf(link)}` : link.replace(/\/+$/, '')
    return path === directory || path.startsWith(`${directory}/`)
  }
  return storlinks
    .filter((storlink) => storlink.level === level && holds(storlink))
    .sort((a, b) => b.link.length - a.link.length)[0]
}

/**
 * Looks on a PM whether the storlink that a path lies on has its marker there, in one round trip; what lies on none is
 * nobody's affair. Throws `conflict` where it has not (`refused` without a tag: who only looks): nothing was changed. One that has never had a marker gets it first
 * (`tag`), where there is no doubt that it is the one, and is refused where there is.
 */
async function needMarker(
  host: Host,
  level: Level,
  path: string,
  known: KnownStorlinks,
  tag: string | undefined,
): Promise<void> {
  const storlink = storlinkOf(path, level, known.seenFrom(host.name))
  if (!storlink) return
  const seen = await lookForMarker(host, storlink)
  if (storlink.uuid !== undefined) {
    const reason = refuseMarker(storlink, seen, known.all())
    if (reason) throw refused(storlink, host, reason, tag)
    return
  }
  if (tag === undefined) return
  const { uuid, doubt } = await markUndoubted(host, storlink, seen, known, tag)
  if (uuid === undefined) throw refused(storlink, host, unmarked(doubt), tag)
}

/**
 * Puts the marker of a storlink that has never had one, or takes over the one that is there, and remembers it: where there
 * is no doubt that this is the place that is meant. Otherwise the doubt, as a clause, and nothing is changed.
 */
export async function markUndoubted(
  host: Host,
  storlink: Storlink,
  seen: MarkerSeen,
  known: KnownStorlinks,
  tag: string | undefined,
): Promise<{ readonly uuid?: string; readonly doubt?: string }> {
  const doubt = seen.isGone ? seen.problem : await doubtHere(host, storlink, seen, known)
  if (doubt !== undefined) return { doubt }
  const { uuid } = await putMarker(host, storlink, newUuid(), tag, known.groups)
  await known.marked(storlink.id, uuid)
  return { uuid }
}

async function doubtHere(host: Host, storlink: Storlink, seen: MarkerSeen, known: KnownStorlinks) {
  const own = known.ownHost(storlink)
  // What lvm2 writes down of a group that several PMs see is written by one of them.
  if (storlink.level === 'BL' && own !== host.name && seen.uuids.length === 0)
    return `only ${own}, whose storlink it is, puts one there`
  return await doubtOf(host, storlink, known.volumesOn(storlink.id))
}

/** Pure. Why a storlink without a marker is not given one, as a clause. */
export function unmarked(doubt = 'whether it is the one that is meant cannot be told'): string {
  return `it has no marker yet, and ${doubt}`
}

/** `conflict` promises that the step has changed nothing: what only looks promises nothing. */
function refused({ id, name, link }: Storlink, host: Host, reason: string, tag: string | undefined): PengxError {
  const sentence = `storlink ${name} (${link}) on ${host.name}: ${reason}${reason.endsWith('?') ? '' : ';'}`
  const helps = `mount there what belongs there or, where this is the right place, do storlink.mark ${id}`
  return new PengxError(tag === undefined ? 'refused' : 'conflict', `${sentence} ${helps}`)
}

type Method = Exclude<keyof VolumeDriver, 'level' | 'traits' | 'locate' | 'inspect' | 'compare'>

/** Of each method which argument has the path that it is about, and, where it changes something, which is the tag. */
const ARGUMENTS: Readonly<Record<Method, readonly [path: number, tag?: number]>> = {
  create: [1, 4],
  overlay: [1, 4],
  setWritable: [1, 3],
  isWritable: [1],
  activate: [1, 2],
  release: [1, 2],
  resize: [1, 4],
  widen: [1, 4],
  setAside: [1, 2],
  bringBack: [1, 2],
  isAside: [1],
  removeAside: [1, 2],
  remove: [1, 2],
  stat: [1],
  importImage: [2, 3],
  chain: [1],
  dependents: [1],
  rebase: [1, 3],
  stageImage: [1, 4],
  promoteStaged: [1, 3],
  clearStaged: [1, 2],
  pack: [2, 3],
  digest: [1],
  reserve: [1, 3],
  mayWrite: [1, 2],
}

/**
 * A driver that looks for the marker of the storlink before each method that changes something there, and before it says how
 * much room there is; where a method that only reads finds nothing, it looks whether that is the right place to find it.
 */
export function markedVolumes(driver: VolumeDriver, known: KnownStorlinks): VolumeDriver {
  const { level } = driver
  const guarded = Object.entries(ARGUMENTS).map(([name, [path, tag]]) => {
    const method = driver[name as Method] as (...args: unknown[]) => Promise<unknown>
    const need = (args: readonly unknown[], own?: string) => {
      const at = args[path] as string | Image
      return needMarker(args[0] as Host, level, typeof at === 'string' ? at : at.path, known, own)
    }
    const write = async (...args: unknown[]) => {
      await need(args, args[tag!] as string)
      return await method(...args)
    }
    const read = async (...args: unknown[]) => {
      const found = await method(...args).catch((error: unknown) => ({ error }))
      if (isNothing(found)) await need(args)
      if (isFailure(found)) throw found.error
      return found
    }
    return [name, tag === undefined ? read : write] as const
  })
  return {
    ...driver,
    ...(Object.fromEntries(guarded) as Partial<VolumeDriver>),
    async inspect(host, link) {
      await needMarker(host, level, level === 'BL' ? `/dev/${groupOf(link)}` : link, known, undefined)
      return await driver.inspect(host, link)
    },
  }
}

type Failure = { readonly error: unknown }

function isFailure(found: unknown): found is Failure {
  return typeof found === 'object' && found !== null && 'error' in found
}

/** Not there, as each of them says it: none, not so, none of them, `notFound`. */
function isNothing(found: unknown): boolean {
  if (isFailure(found)) return found.error instanceof PengxError && found.error.code === 'notFound'
  return found === undefined || found === false || (Array.isArray(found) && found.length === 0)
}
