import { PengxError } from '../../model/error.ts'
import type { Storlink } from '../../model/storlink.ts'
import { batch } from '../host/batch.ts'
import type { Host, Output } from '../host/host.ts'
import { run, runAll } from '../host/run.ts'
import { parseGroup, showGroup } from '../tools/lvm.ts'
import { changerAmong, type NamedChanger, tagGroup } from '../tools/lvmTags.ts'
import type { Program } from '../tools/program.ts'
import {
  makeMarker,
  markerPath,
  markersAmong,
  markerTag,
  parseMarker,
  readMarker,
  removeMarker,
} from '../tools/storlinkMarker.ts'
import { runParts } from './groupChange.ts'
import type { GroupPlaces } from './groupPlace.ts'
import { runRescanning } from './rescan.ts'
import { groupOf, lookAtGroup } from './volumeGroup.ts'

/**
 * The marker of a storage, which lies on the storage itself and says its UUID: a file in a directory, a tag of a volume
 * group. A level that has no driver has none.
 */
export type MarkedPlace = Pick<Storlink, 'link' | 'level'>

/** What was found of it: its UUIDs (several where two marked a group at once), or why there is none. */
export interface MarkerSeen {
  readonly uuids: readonly string[]
  /** As a clause. */
  readonly problem?: string
  /** There is no place to put one. */
  readonly isGone?: true
  /** Of a volume group without a lock manager: the PM that its tags name as its changer, null where they name none. */
  readonly changer?: NamedChanger | null
}

const PATIENCE_MS = 60_000
const NOT_THERE = 'its marker is not there: not mounted, or another disk?'

/** Pure. What is asked for it, and what the answers say; looks only. */
export function markerQuestion({ link, level }: MarkedPlace): {
  readonly parts: readonly Program[]
  read(outputs: readonly Output[]): MarkerSeen
} {
  if (level === 'FL') return { parts: [readMarker(link)], read: ([output]) => fileSeen(link, output) }
  if (level === 'BL') return { parts: [showGroup(groupOf(link))], read: ([output]) => groupSeen(link, output) }
  return { parts: [], read: () => ({ uuids: [] }) }
}

function fileSeen(link: string, output: Output | undefined): MarkerSeen {
  const uuid = output?.exit === 0 ? parseMarker(output.stdout) : undefined
  if (uuid !== undefined) return { uuids: [uuid] }
  const path = markerPath(link)
  if (output?.exit === 0) return { uuids: [], problem: `its marker (${path}) says no UUID` }
  // A look that lives with what hangs does not hear what is said.
  const why = output?.stderr.trim().split('\n').at(-1) ?? ''
  if (why === '' || /No such file|Not a directory/.test(why)) return { uuids: [], problem: NOT_THERE }
  return { uuids: [], problem: `its marker cannot be read (${why.replace(/^cat: /, '')})` }
}

function groupSeen(link: string, output: Output | undefined): MarkerSeen {
  if (output?.exit === 127) return { uuids: [], isGone: true, problem: 'lvm2 is not installed there' }
  const group = output?.exit === 0 ? parseGroup(output.stdout) : undefined
  if (!group) return { uuids: [], isGone: true, problem: `there is no volume group ${groupOf(link)}` }
  const uuids = markersAmong(group.tags)
  const changer = group.lockType === undefined ? { changer: changerAmong(group.tags) ?? null } : {}
  return uuids.length > 0 ? { uuids, ...changer } : { uuids, problem: NOT_THERE, ...changer }
}

/** Reads it in one round trip, two where a group is not found at first. Throws `unreachable` where the host, or the file system, does not answer. */
export async function lookForMarker(host: Host, place: MarkedPlace): Promise<MarkerSeen> {
  const { parts, read } = markerQuestion(place)
  return read(await runRescanning(host, parts, { timeoutMs: PATIENCE_MS }))
}

/** Pure. Why what was seen is not the storlink's marker, as a clause; undefined where it is. `all`: to name another's. */
export function refuseMarker(
  storlink: Storlink,
  { uuids, problem }: MarkerSeen,
  all: readonly Storlink[],
): string | undefined {
  if (storlink.uuid !== undefined && uuids.includes(storlink.uuid)) return undefined
  const [uuid] = uuids
  if (uuid === undefined) return problem ?? NOT_THERE
  return `it has the marker of another storage (${uuid}, ${saysWhose(uuid, storlink, all)})`
}

function saysWhose(uuid: string, { id }: Storlink, all: readonly Storlink[]): string {
  const known = all.find((other) => other.uuid === uuid && other.id !== id)
  return known ? `known here as storlink ${known.id} (${known.name})` : 'which is not known here'
}

/**
 * Puts a marker where there is none, and gives the UUID that is there then: of several that put one at once, in whatever
 * pengx, all but one take over what is there. `isNew`: it is the one given. Repeatable. A group's is put where that is
 * changed (`at`), and `refused` where it cannot be.
 */
export async function putMarker(
  host: Host,
  place: MarkedPlace,
  uuid: string,
  tag: string | undefined,
  at: GroupPlaces,
): Promise<{ readonly uuid: string; readonly isNew: boolean }> {
  const there = (await lookForMarker(host, place)).uuids[0] ?? (await makeAndRead(host, place, uuid, tag, at))
  if (there !== undefined) return { uuid: there, isNew: there === uuid }
  throw new PengxError('commandFailed', `what ${host.name} has marked ${place.link} with cannot be read`)
}

async function makeAndRead(
  host: Host,
  place: MarkedPlace,
  uuid: string,
  tag: string | undefined,
  at: GroupPlaces,
): Promise<string | undefined> {
  const { link, level } = place
  if (level === 'FL') {
    const outputs = await runAll(host, { ...batch(makeMarker(link, uuid), { stopOnFailure: true }), ...under(tag) })
    return parseMarker(outputs.at(-1)?.stdout ?? '')
  }
  const group = groupOf(link)
  await retagGroup(host, group, { add: [markerTag(uuid)] }, tag, at)
  const [first] = (await lookForMarker(host, place)).uuids
  // Another has put one in the same moment.
  if (first !== undefined && first !== uuid) await retagGroup(host, group, { drop: [markerTag(uuid)] }, tag, at)
  return first
}

/** Looks where the group is changed, and changes its tags there (`runParts`). */
async function retagGroup(
  host: Host,
  group: string,
  change: Parameters<typeof tagGroup>[1],
  tag: string | undefined,
  at: GroupPlaces,
): Promise<void> {
  const { place } = await lookAtGroup(at(host, group), undefined)
  await runParts(place, tag, [tagGroup(group, change)])
}

/** A look has no job under which its commands would be found again. */
function under(tag: string | undefined): { readonly tag?: string } {
  return tag === undefined ? {} : { tag }
}

/** Takes a marker away that says this, and what a cut-off `putMarker` left; one that says something else stays. */
export async function dropMarker(
  host: Host,
  place: MarkedPlace,
  uuid: string,
  tag: string,
  at: GroupPlaces,
): Promise<void> {
  const { link, level } = place
  const isIts = (await lookForMarker(host, place)).uuids.includes(uuid)
  if (level === 'FL') return void (await run(host, { ...removeMarker(link, uuid, isIts), tag }))
  if (isIts) await retagGroup(host, groupOf(link), { drop: [markerTag(uuid)] }, tag, at)
}
