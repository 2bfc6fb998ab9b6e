import { isClaimTag } from '../../model/storage/claim.ts'
import type { Storlink } from '../../model/storlink.ts'
import type { Host, Output } from '../host/host.ts'
import { listDirectory, parseListed } from '../tools/fileLists.ts'
import { parseVolumes, showVolumes } from '../tools/lvm.ts'
import { markerQuestion } from '../volumes/marker.ts'
import { runRescanning } from '../volumes/rescan.ts'
import { groupOf } from '../volumes/volumeGroup.ts'
import { claimedBy } from './claims.ts'
import type { Entry, MarkFacts, PlaceFacts, SiteFacts } from './facts.ts'
import { judgeMark } from './marks.ts'

/** A file system that hangs is no reason to wait for ever. */
const LOOK_MS = 60_000

/** A storlink as one PM sees it; without a `place` what lies there is looked at from another. */
interface PlaceLook {
  readonly place?: PlaceFacts
  readonly mark?: MarkFacts
}

/**
 * What lies in a storlink, and its marker, in one round trip, two where the marker is not there. Of what is another's storage
 * nothing is told. Looks only.
 */
export async function lookAtPlace(
  view: SiteFacts['view'],
  host: Host,
  pm: string,
  storlink: Storlink,
): Promise<PlaceLook> {
  const isListed = lookedAtFrom(storlink, view) === pm
  const list = isListed ? listOf(storlink) : undefined
  const marker = markerQuestion(storlink)
  const parts = [...(list ? [list.program] : []), ...marker.parts]
  const outputs = parts.length === 0 ? [] : await runRescanning(host, parts, { timeoutMs: LOOK_MS })
  const place = isListed ? { storlink, pm, ...(list?.read(outputs[0]!) ?? notLookedAt(storlink)) } : undefined
  if (marker.parts.length === 0 || place?.problem !== undefined) return place ? { place } : {}
  const seen = marker.read(outputs.slice(list ? 1 : 0))
  const mark = await judgeMark(host, pm, { storlink, seen, ...(place ? { entries: place.entries } : {}) }, view)
  if (!mark) return {}
  const isOther = mark.state === 'another' || mark.state === 'away'
  return { mark, ...(place ? { place: isOther ? { ...place, entries: [] } : place } : {}) }
}

/** The PM from which a storlink is looked at: its own, or for a shared one another that is up. */
function lookedAtFrom({ pm, shared }: Storlink, view: SiteFacts['view']): string | undefined {
  if (!shared || view.getPm(pm)?.seen.reach === 'up') return pm
  return view.pms().find(({ seen }) => seen.reach === 'up')?.uuid
}

type Listed = Pick<PlaceFacts, 'entries' | 'problem'>

function listOf({ link, level }: Storlink) {
  if (level === 'FL') return { program: listDirectory(link), read: filesIn }
  if (level !== 'BL') return undefined
  const group = groupOf(link)
  return { program: showVolumes(group, ''), read: (output: Output) => volumesIn(group, output) }
}

const notLookedAt = ({ level }: Storlink): Listed => ({ entries: [], problem: `level ${level} is not looked at` })

function filesIn({ exit, stdout, stderr }: Output): Listed {
  const listed: readonly Entry[] = parseListed(stdout)
  const claims = new Set(listed.map(claimedBy))
  const entries = listed.map((entry) => (claims.has(entry.path) ? { ...entry, claimed: true as const } : entry))
  if (exit === 0) return { entries }
  return { entries, problem: stderr.trim().split('\n')[0] || 'it could not be listed' }
}

function volumesIn(group: string, { exit, stdout, stderr }: Output): Listed {
  if (exit !== 0) return { entries: [], problem: stderr.trim().split('\n')[0] || `there is no volume group ${group}` }
  const volumes = parseVolumes(stdout).filter(({ kind }) => kind === 'thick' || kind === 'thin')
  const entries = volumes.map(({ name, sizeBytes: bytes, tags, active }) => ({
    path: `/dev/${group}/${name}`,
    kind: 'volume' as const,
    bytes,
    ...(active ? {} : { asleep: true as const }),
    ...(tags.some(isClaimTag) ? { claimed: true as const } : {}),
  }))
  return { entries }
}
