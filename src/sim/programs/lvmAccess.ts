/** Whether lvm2 lets a host at a group, and what becomes of a plain one that two hosts change at once. */
import type { Call } from '../machine/program.ts'
import type { PmState, VolumeGroup } from '../machine/state.ts'

/** Why a host does not even see it, in lvm2's words. */
export function whyHidden(pm: PmState, group: VolumeGroup): string | undefined {
  if (group.systemId !== undefined && group.systemId !== pm.name) {
    const words = `Cannot access VG ${group.name} with system ID ${group.systemId} with unknown local system ID.`
    return `  ${words}\n  ${words}\n`
  }
  if (group.lockType !== undefined && pm.lvmlockd === undefined)
    return `  Cannot access VG ${group.name} with lock type ${group.lockType} that requires lvmlockd.\n`
  return undefined
}

/** Why nothing of it can be changed or activated there, in lvm2's words. */
export function whyNoChange(pm: PmState, group: VolumeGroup, what: 'change' | 'activate'): string | undefined {
  const hidden = whyHidden(pm, group)
  if (hidden !== undefined) return hidden
  if (group.lockType !== undefined && pm.lvmlockd === 'stopped')
    return `  WARNING: lvmlockd process is not running.\n  Cannot access VG ${group.name} due to failed lock.\n`
  if (group.exported) return `  Volume group ${group.name} is exported\n`
  if (group.partial && what === 'change')
    return `  Cannot change VG ${group.name} while PVs are missing.\n  See vgreduce --removemissing and vgextend --restoremissing.\n  Cannot process volume group ${group.name}\n`
  return undefined
}

const turns = new WeakMap<VolumeGroup, Map<string, Promise<unknown>>>()

/**
 * A change of a group's metadata: read, changed, written. On one machine lvm2's lock keeps others out meanwhile; a machine
 * that changes a plain group while another does writes back what it has read, and what the other wrote is lost.
 */
export async function changing(call: Call, group: VolumeGroup | undefined, change: () => number): Promise<number> {
  if (!group?.sharedBy) return change()
  const here = group.lockType === undefined ? call.pm.name : 'all'
  const waiting = turns.get(group) ?? new Map<string, Promise<unknown>>()
  turns.set(group, waiting)
  const mine = (waiting.get(here) ?? Promise.resolve()).then(async () => {
    const read = { volumes: structuredClone(group.volumes), written: group.written ?? 0 }
    await new Promise((resolve) => setTimeout(resolve, 0))
    if ((group.written ?? 0) !== read.written) group.volumes = read.volumes
    group.written = (group.written ?? 0) + 1
    return change()
  })
  waiting.set(here, mine)
  return await mine
}
