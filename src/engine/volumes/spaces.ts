import type { Storlink } from '../../model/storlink.ts'
import type { Output } from '../host/host.ts'
import { parseGroup, parseVolumes, showVolumes } from '../tools/lvm.ts'
import type { Program } from '../tools/program.ts'
import { freeSpace, parseFreeSpace } from '../tools/system.ts'
import { type MarkerSeen, markerQuestion } from './marker.ts'
import { groupOf, spaceOf } from './volumeGroup.ts'

/** How much a storlink holds. */
interface StorlinkSpace {
  readonly id: number
  readonly sizeMib: number
  readonly freeMib: number
}

/** What is seen of one from a PM. */
export interface StorlinkLook {
  readonly storlink: Storlink
  readonly marker: MarkerSeen
  /** Absent where it could not be told, or was not asked. */
  readonly space?: StorlinkSpace
}

/** What is asked of one, and what its answers say. */
export interface StorlinkQuestion {
  readonly parts: readonly Program[]
  read(outputs: readonly Output[]): StorlinkLook
}

/**
 * Pure. The marker of a storlink and, where wanted, its size and free space in MiB (df(1), vgs(8) and lvs(8)), which looks
 * only; none for a level that is not looked at.
 */
export function storlinkQuestion(storlink: Storlink, withSpace: boolean): StorlinkQuestion | undefined {
  const { id, level, link, shared } = storlink
  if (level === 'OB') return undefined
  const { parts, read } = markerQuestion(storlink)
  const more = level === 'FL' ? { ...freeSpace(link), okExits: [0, 1] } : showVolumes(groupOf(link))
  return {
    parts: withSpace ? [...parts, more] : parts,
    read(outputs) {
      const space = withSpace ? (level === 'FL' ? readFileSystem(outputs) : readGroup(outputs, shared)) : undefined
      return { storlink, marker: read(outputs), ...(space ? { space: { id, ...space } } : {}) }
    },
  }
}

type Space = Omit<StorlinkSpace, 'id'>

function readFileSystem([, output]: readonly Output[]): Space | undefined {
  const found = output?.exit === 0 ? parseFreeSpace(output.stdout) : undefined
  return found && { sizeMib: found.sizeMib, freeMib: found.freeMib }
}

function readGroup([groups, volumes]: readonly Output[], shared: boolean): Space | undefined {
  if (groups?.exit !== 0 || volumes?.exit !== 0) return undefined
  const group = parseGroup(groups.stdout)
  return group && spaceOf({ place: { shared }, group, volumes: parseVolumes(volumes.stdout) })
}
