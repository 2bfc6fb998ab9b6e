import { posix } from 'node:path'
import { PengxError } from '../../../model/error.ts'
import { LEVELS_OF, type Level, type Storlink, type StorlinkType } from '../../../model/storlink.ts'
import { batch } from '../../host/batch.ts'
import { runBatch } from '../../host/run.ts'
import type { Context } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'
import { resolveLink } from '../../tools/files.ts'
import type { Space } from '../../volumes/volumeDriver.ts'

/**
 * Where a storlink may lie. Two of them never share a directory or a volume group: what one forgets or measures would
 * be the other's.
 */
export type Place = Pick<Storlink, 'pm' | 'link' | 'type' | 'level' | 'shared'>

/** `/data//`, `/data/.` and `/data` are one directory; `vg` and `/dev/vg` are one volume group. */
export function normalLink(link: string, level: Level): string {
  const path = level === 'BL' && !link.includes('/') ? `/dev/${link}` : link
  const normal = path.startsWith('/') ? posix.normalize(path) : path
  return normal.length > 1 ? normal.replace(/\/+$/, '') : normal
}

/** Why no storlink can be like that anywhere, or undefined. */
export function refuseKind(link: string, type: StorlinkType, level: Level): string | undefined {
  const levels = LEVELS_OF[type]
  if (!levels.includes(level)) return `a storlink of type ${type} has level ${levels.join(' or ')}, not ${level}`
  if (level === 'OB') {
    return 'level OB is not available yet: this version keeps disks in files (FL) and in volume groups (BL)'
  }
  return refuseLink(normalLink(link, level), level)
}

function refuseLink(link: string, level: Level): string | undefined {
  if (/[\u0000-\u001f\u007f]/.test(link)) return 'link has no control characters'
  if (level === 'BL') {
    const isGroup = /^\/dev\/[A-Za-z0-9+_.][A-Za-z0-9+_.-]*$/.test(link) && link !== '/dev/mapper'
    return isGroup ? undefined : `link "${link}" is not a volume group: those are called /dev/NAME`
  }
  if (!link.startsWith('/')) return `link "${link}" is not an absolute path: a directory on the PM is meant`
  if (link !== '/dev' && !link.startsWith('/dev/')) return undefined
  return `link "${link}" is where devices are: for a volume group take level BL, for files a directory`
}

/** Why a storlink cannot lie there beside those that there are, or undefined; `own` lies there already. */
export function refusePlace(place: Place, view: View, own?: number): string | undefined {
  for (const other of view.storlinks()) {
    const met = other.pm === place.pm || other.shared || place.shared
    if (other.id === own || other.level !== place.level || !met) continue
    const refusal = refuseMeeting(place.link, other.link, nameOf(other, place.pm, view))
    if (refusal) return refusal
  }
  return undefined
}

function refuseMeeting(link: string, other: string, name: string): string | undefined {
  if (other === link) return `${link} is already ${name}`
  if (isInside(link, other)) return `${link} lies inside ${name}, which is ${other}`
  if (isInside(other, link)) return `${name}, which is ${other}, lies inside ${link}`
  return undefined
}

function isInside(path: string, directory: string): boolean {
  return path.startsWith(directory === '/' ? '/' : `${directory}/`)
}

/** A shared one is met on every PM, wherever it was made. */
function nameOf({ id, name, pm, shared }: Storlink, here: string, view: View): string {
  if (pm === here) return `storlink ${id} (${name})`
  const where = `${shared ? 'shared by' : 'on'} ${view.getPm(pm)?.name ?? pm}`
  return `storlink ${id} (${name}, ${where})`
}

/** Looks whether the place is what it claims to be, and how much it holds; a link in the way of its path is followed. */
export async function lookAtPlace({ pm, link, level, shared }: Place, cx: Context, own?: number): Promise<Space> {
  const host = cx.host(pm)
  const space = await cx.volumes(level).inspect(host, link)
  if (level !== 'FL') return space
  const others = cx.view
    .storlinks()
    .filter((other) => other.id !== own && other.level === 'FL' && (other.pm === pm || other.shared || shared))
  const paths = [link, ...others.map((other) => other.link)]
  const [real, ...reals] = (await runBatch(host, batch(paths.map(resolveLink)), cx.signal)).map((output, index) =>
    output.exit === 0 ? output.stdout.trim() : paths[index]!,
  )
  others.forEach((other, index) => {
    const refusal = refuseMeeting(real!, reals[index]!, nameOf(other, pm, cx.view))
    if (refusal)
      throw new PengxError('refused', real === link ? refusal : `${link} on ${host.name} leads to ${real}: ${refusal}`)
  })
  return space
}
