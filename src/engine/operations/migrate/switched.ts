import { toPengxError } from '../../../model/error.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import { switchOnImages } from '../vm/switchOn.ts'
import type { MigrateFacts } from './steps.ts'

/** Logical volumes that two PMs see, while a VM goes from one to the other: both have them for as long as that takes. */

export function receiveSteps({ before, switched, target, targetName }: MigrateFacts): Step[] {
  if (switched.length === 0) return []
  return [
    {
      name: `switch its volumes on on ${targetName}`,
      shows: switched.map(({ path }) => `lvchange -ay ${path.slice('/dev/'.length)}`),
      async do(cx) {
        // Where a lock manager keeps them for the one that writes, that one has to let another in.
        for (const pm of [before.pm, target]) await switchOnImages(cx, switched, pm, 'several')
        return null
      },
      // What was looked at is old after a gap: a VM that has not gone over by then stays where it is.
      isApplied: async () => false,
      undo: (cx) => release(cx, switched, target, targetName),
    },
  ]
}

export function letGoSteps({ before, switched, sourceName }: MigrateFacts): Step[] {
  if (switched.length === 0) return []
  return [
    {
      name: `switch its volumes off on ${sourceName}`,
      shows: switched.map(({ path }) => `lvchange -an ${path.slice('/dev/'.length)}`),
      async do(cx) {
        await release(cx, switched, before.pm, sourceName)
        return null
      },
      isApplied: async () => 'again',
    },
  ]
}

/** What is open there stays: the VM is where it is all the same. */
async function release(cx: Context, switched: MigrateFacts['switched'], pm: string, name: string): Promise<void> {
  for (const { path } of switched) {
    try {
      await cx.volumes('BL').release(cx.host(pm), path, cx.tag)
    } catch (error) {
      const { code, message } = toPengxError(error)
      if (code !== 'conflict') throw error
      cx.notice(`${path} is still switched on on ${name}: ${message}`)
    }
  }
}
