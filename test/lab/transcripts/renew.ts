// npm run lab -- transcripts: what the real programs print, written anew into test/transcripts. Between two renewals of one
// version only what time and chance decide differs: domids where a create failed more often, memory, seconds, pids.

import { say, timed } from '../machine/command.ts'
import { booting } from '../machine/console.ts'
import type { LabHost } from '../machine/ssh.ts'
import { CHANGES, ENDS } from './changes.ts'
import { HALVES } from './halves.ts'
import { FIRST_LOOKS, LOOKS } from './looks.ts'
import { record, type Take, versionsOf } from './record.ts'
import { REFUSALS } from './refusals.ts'
import { HVM, prepare, startFirst } from './stage.ts'

/** Every take there is, in the order in which they are made. */
export const TAKES: readonly Take[] = [...FIRST_LOOKS, ...HVM, ...LOOKS, ...REFUSALS, ...CHANGES, ...ENDS, ...HALVES]

/** On a host that has just booted: the domids are those that the tests know. A take that fails is told, and the next is made. */
export async function renewTranscripts(host: LabHost): Promise<number> {
  const versions = await versionsOf(host)
  let failed = 0
  const make = async (takes: readonly Take[]) => {
    for (const take of takes) {
      try {
        await record(host, versions, take)
      } catch (error) {
        failed++
        say(`NOT written: ${take.program} ${take.subject}: ${(error as Error).message}`)
      }
    }
  }
  await timed('stage', () => prepare(host))
  await make(FIRST_LOOKS)
  await timed('guests', () => startFirst(host))
  await timed('HVM guest', () => booting(host, 'hvm1', () => make(HVM)))
  await make(LOOKS)
  await make(REFUSALS)
  await make(CHANGES)
  await make(ENDS)
  await make(HALVES)
  return failed === 0 ? 0 : 1
}
