// Every backup that was called good: of one moment of its guest, the same for as long as it is there, and restored.
import { expect } from 'bun:test'
import { momentOf, SLOTS, SLOTS_AT } from '../guestWrites.ts'
import { lookAtHost } from '../kills/look.ts'
import { consoleMark, waitConsole } from '../machine/console.ts'
import { imageBytes } from '../machine/guestDisk.ts'
import type { LabHost } from '../machine/ssh.ts'
import { type Pengx, perform } from '../pengx.ts'
import type { Place } from './place.ts'
import type { BackupFacts } from './store.ts'
import { bounds, type Writer } from './writer.ts'

/** Of each backup, by its UUID, what was so when it was first seen; the number is that of a guest that writes. */
export type KnownBackups = Map<string, { readonly facts: BackupFacts; readonly number: number | undefined }>

/** Looks at those that are new; gives how many bytes were compared. */
export async function needGood(
  host: LabHost,
  backups: readonly BackupFacts[],
  writers: readonly Writer[],
  known: KnownBackups,
): Promise<number> {
  let bytes = 0
  expect(backups.filter(({ state }) => state !== 'verified')).toEqual([])
  for (const facts of backups) {
    const { uuid, vm, name, vmName, volumes } = facts
    const before = known.get(uuid)
    if (before) {
      expect({ name, volumes }).toEqual({ name, volumes: before.facts.volumes })
      continue
    }
    const writer = writers.find(({ victim }) => victim.uuid === vm)
    const number = writer && (await numberIn(host, facts))
    if (writer && number !== undefined && facts.live) {
      const { least, most } = bounds(writer, facts.createdAt, facts.checkedAt)
      if (number < least || number > most)
        throw new Error(`backup ${name} of ${vmName} holds ${number}, and its guest was between ${least} and ${most}`)
    }
    if (writer) bytes += 2 * SLOTS * 4096
    known.set(uuid, { facts, number })
  }
  return bytes
}

/** The number that both disks of a writer's backup hold; throws where they are not of one moment, or hold anything else. */
async function numberIn(host: LabHost, { volumes }: BackupFacts): Promise<number> {
  const on = async (vdev: string) =>
    momentOf(await imageBytes(host, volumes.find((volume) => volume.vdev === vdev)!.path, SLOTS_AT, SLOTS))
  const [a, b] = [await on('xvda'), await on('xvdb')]
  expect([a, a - 1]).toContain(b)
  return b
}

/** Reads all of them back by pengx and holds each against what it held first; gives how many bytes were compared. */
export async function verifyAll(
  pengx: Pengx,
  host: LabHost,
  backups: readonly BackupFacts[],
  known: KnownBackups,
): Promise<number> {
  let bytes = 0
  for (const facts of backups) {
    const done = await pengx.run('run', 'backup.verify', facts.uuid, '--yes')
    if (done.exit !== 0) throw new Error(`backup ${facts.name} of ${facts.vmName}: ${done.stderr}`)
    bytes += facts.volumes.reduce((sum, volume) => sum + volume.bytes, 0)
    const { number } = known.get(facts.uuid)!
    if (number === undefined) continue
    expect({ backup: facts.name, number: await numberIn(host, facts) }).toEqual({ backup: facts.name, number })
    bytes += 2 * SLOTS * 4096
  }
  return bytes
}

const RESTORED = 'restored'

/** Makes a VM of a writer's backup, whose guest goes on from the number of that. */
export async function restoreOne({ pengx, hosts }: Place, facts: BackupFacts, number: number): Promise<void> {
  const [, xen2] = hosts
  const made = await perform(pengx, 'backup.restore', facts.uuid, '--as', 'new', '--name', RESTORED)
  const { vm } = made.result as { vm: string }
  const mark = await consoleMark(xen2, RESTORED)
  await perform(pengx, 'vm.start', RESTORED)
  const { written } = await lookAtHost({
    host: xen2,
    pengx,
    name: RESTORED,
    uuid: vm,
    storlink: '',
    link: '/srv/shared',
  })
  expect(written?.length).toBe(facts.volumes.length)
  const [, began] = await waitConsole(xen2, RESTORED, /^RESUME (\d+)$/, { mark })
  expect(Number(began)).toBe(number)
  await waitConsole(xen2, RESTORED, new RegExp(`^COUNT ${number + 2}$`), { mark })
  await perform(pengx, 'vm.poweroff', RESTORED)
  await perform(pengx, 'vm.delete', RESTORED)
}
