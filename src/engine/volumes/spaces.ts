import type { Storlink } from '../../model/storlink.ts'
import { batch } from '../host/batch.ts'
import type { Host, Output } from '../host/host.ts'
import { runBatch } from '../host/run.ts'
import { parseGroup, parseVolumes, showGroup, showVolumes } from '../tools/lvm.ts'
import type { Program } from '../tools/program.ts'
import { freeSpace, parseFreeSpace } from '../tools/system.ts'
import { groupOf, spaceOf } from './volumeGroup.ts'

/** How much each of a PM's storlinks holds, in one round trip; what does not answer is left out. */
export interface StorlinkSpace {
  readonly id: number
  readonly sizeMib: number
  readonly freeMib: number
}

/** A file system whose server is gone answers nobody: it is not waited for. */
const TIMEOUT_MS = 10_000

interface Question {
  readonly id: number
  readonly parts: readonly Program[]
  read(outputs: readonly Output[]): Omit<StorlinkSpace, 'id'> | undefined
}

/**
 * Size and free space in MiB of a PM's storlinks (df(1), vgs(8) and lvs(8)). Looks only. One that answers with an
 * error is left out; `unreachable` where one of them keeps all waiting for 10 s.
 */
export async function spacesOf(host: Host, storlinks: readonly Storlink[]): Promise<StorlinkSpace[]> {
  const questions = storlinks.flatMap(questionFor)
  if (questions.length === 0) return []
  const parts = questions.flatMap((question) => question.parts)
  const outputs = await runBatch(host, batch(parts, { timeoutMs: TIMEOUT_MS }))
  return questions.flatMap(({ id, parts, read }) => {
    const space = read(outputs.splice(0, parts.length))
    return space ? [{ id, ...space }] : []
  })
}

function questionFor({ id, level, link }: Storlink): Question[] {
  if (level === 'FL') return [{ id, parts: [{ ...freeSpace(link), okExits: [0, 1] }], read: readFileSystem }]
  if (level === 'BL') return [{ id, parts: [showGroup(groupOf(link)), showVolumes(groupOf(link))], read: readGroup }]
  return []
}

function readFileSystem([output]: readonly Output[]): Omit<StorlinkSpace, 'id'> | undefined {
  const found = output?.exit === 0 ? parseFreeSpace(output.stdout) : undefined
  return found && { sizeMib: found.sizeMib, freeMib: found.freeMib }
}

function readGroup([groups, volumes]: readonly Output[]): Omit<StorlinkSpace, 'id'> | undefined {
  if (groups?.exit !== 0 || volumes?.exit !== 0) return undefined
  const group = parseGroup(groups.stdout)
  return group && spaceOf({ group, volumes: parseVolumes(volumes.stdout) })
}
