// npm run lab -- transcripts: what the real programs print, written anew into test/transcripts. Between two renewals of one
// version only what time and chance decide differs: domids where a create failed more often, memory, seconds, pids.

import { say, timed } from '../machine/command.ts'
import { waitConsole } from '../machine/console.ts'
import type { LabHost } from '../machine/ssh.ts'
import { CHANGES, ENDS } from './changes.ts'
import { HALVES } from './halves.ts'
import { FIRST_LOOKS, LOOKS } from './looks.ts'
import { record, type Take, type Versions, versionsOf } from './record.ts'
import { REFUSALS } from './refusals.ts'
import { HVM, prepare, startFirst } from './stage.ts'

/** Every take there is, in the order in which they are made. */
export const TAKES: readonly Take[] = [...FIRST_LOOKS, ...HVM, ...LOOKS, ...REFUSALS, ...CHANGES, ...ENDS, ...HALVES]

/** A guest that does not start uses a domid up, and the tests know the domids: then all begins anew, so many times. */
const BOOTS = 3

/** `boot` gives a host that has just booted. A take that fails is told, and the next is made. */
export async function renewTranscripts(boot: () => Promise<LabHost>): Promise<number> {
  let failed = 0
  const make = async (host: LabHost, versions: Versions, takes: readonly Take[]) => {
    for (const take of takes) {
      try {
        await record(host, versions, take)
      } catch (error) {
        failed++
        say(`NOT written: ${take.program} ${take.subject}: ${(error as Error).message}`)
      }
    }
  }
  const stage = async (): Promise<readonly [LabHost, Versions]> => {
    failed = 0
    const host = await boot()
    const versions = await versionsOf(host)
    await timed('stage', () => prepare(host))
    await make(host, versions, FIRST_LOOKS)
    await timed('guests', () => startFirst(host))
    await make(host, versions, HVM)
    return [host, versions]
  }
  const begin = async (tries: number): ReturnType<typeof stage> => {
    try {
      return await stage()
    } catch (error) {
      if (tries === 1) throw error
      say(`${(error as Error).message}; from the beginning`)
      return await begin(tries - 1)
    }
  }
  const [host, versions] = await begin(BOOTS)
  await make(host, versions, [...LOOKS, ...REFUSALS, ...CHANGES])
  // what ends them asks them to: by now they have long booted, mostly
  for (const name of ['pvh1', 'hvm1'])
    await waitConsole(host, name, new RegExp(`^READY name=${name} `)).catch(() => undefined)
  await make(host, versions, [...ENDS, ...HALVES])
  return failed === 0 ? 0 : 1
}
