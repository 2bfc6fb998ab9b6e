import type { Storlink } from '../../model/storlink.ts'
import type { Output } from '../host/host.ts'
import { parseGroup, parseVolumes, showGroup, showVolumes } from '../tools/lvm.ts'
import type { Program } from '../tools/program.ts'
import { freeSpace, parseFreeSpace } from '../tools/system.ts'
import { groupOf, spaceOf } from './volumeGroup.ts'

/** How much a storlink holds. */
interface StorlinkSpace {
  readonly id: number
  readonly sizeMib: number
  readonly freeMib: number
}

/** What is asked of one, and what its answers say: nothing, where it has none. */
export interface SpaceQuestion {
  readonly parts: readonly Program[]
  read(outputs: readonly Output[]): StorlinkSpace | undefined
}

/**
 * Pure. Size and free space in MiB of a storlink (df(1), vgs(8) and lvs(8)), which looks only; none for a level that is
 * not looked at.
 */
export function spaceQuestion({ id, level, link, shared }: Storlink): SpaceQuestion | undefined {
  const reading = (read: (outputs: readonly Output[]) => Space | undefined) => (outputs: readonly Output[]) => {
    const space = read(outputs)
    return space && { id, ...space }
  }
  if (level === 'FL') return { parts: [{ ...freeSpace(link), okExits: [0, 1] }], read: reading(readFileSystem) }
  if (level !== 'BL') return undefined
  return {
    parts: [showGroup(groupOf(link)), showVolumes(groupOf(link))],
    read: reading((outputs) => readGroup(outputs, shared)),
  }
}

type Space = Omit<StorlinkSpace, 'id'>

function readFileSystem([output]: readonly Output[]): Space | undefined {
  const found = output?.exit === 0 ? parseFreeSpace(output.stdout) : undefined
  return found && { sizeMib: found.sizeMib, freeMib: found.freeMib }
}

function readGroup([groups, volumes]: readonly Output[], shared: boolean): Space | undefined {
  if (groups?.exit !== 0 || volumes?.exit !== 0) return undefined
  const group = parseGroup(groups.stdout)
  return group && spaceOf({ place: { shared }, group, volumes: parseVolumes(volumes.stdout) })
}
