// What has to be so after each round, whatever was killed in it.
import { expect } from 'bun:test'
import { type JobRow, type Rows, readRows } from '../kills/look.ts'
import { rebootsOrNot } from '../kills/victim.ts'
import { fillNew, needOneMind, needOpen, needSameBytes } from '../kills/whole.ts'
import { perform } from '../pengx.ts'
import type { SoakAct } from './acts.ts'
import { domainsOn } from './domains.ts'
import type { Place } from './place.ts'
import { follow, goOn, type Writer } from './writer.ts'

/** MiB of a disk, by its vdev. */
const SIZES: Readonly<Record<string, number>> = { xvda: 9, xvdb: 9 }
const EXTRA_MIB = 2

/**
 * Asks everything of the guest that an act was done on, which runs at the end; `before` is the newest job from before it, `markThere` is of its
 * console on the other host. Gives how many bytes were compared.
 */
export async function needActDone(
  place: Place,
  writer: Writer,
  act: SoakAct,
  before: number,
  markThere: number,
): Promise<number> {
  const reboots = act.operation === 'vm.reboot' && (await rebootsOrNot(writer.victim, writer.told))
  const rows = await readRows(place.pengx)
  await findWriter(place, writer, rows, markThere)
  const { victim, known, told: since } = writer
  const begun = reboots || act.isOff
  const look = await needOneMind(victim, rows)
  writer.look = look
  const job = look.jobs.find(({ number, operation }) => number > before && operation === act.operation)
  const restored = restoredTo(act, job, writer)
  const fresh = await needSameBytes(victim, look, known)
  if (look.written === undefined) {
    if (!act.isOff) throw new Error(`the domain of ${victim.name} is gone`)
    await perform(place.pengx, 'vm.start', victim.name)
    await needOpen(victim, look)
  }
  const told = await goOn(writer, { begun, restored })
  expect({ name: victim.name, began: told.resumed.length }).toEqual({ name: victim.name, began: begun ? 1 : 0 })
  for (const { uuid, name } of fresh) {
    const { number } = known.snapshots.get(uuid)!
    // What is on both disks may not have been told before the guest was cut off.
    if (number < since.last || number > told.highest + 1)
      throw new Error(`${name} of ${victim.name} holds ${number}, of no moment since ${since.last}`)
  }
  await fillNew(victim, look, known)
  return comparedIn(writer)
}

function restoredTo(act: SoakAct, job: JobRow | undefined, { known }: Writer): number | undefined {
  return act.operation === 'snapshot.restore' && job?.state === 'done'
    ? known.snapshots.get(act.snapshot!)!.number
    : undefined
}

/** On which host it is now, by what pengx says; needOneMind() and needDomains() hold that against what runs. */
async function findWriter({ hosts }: Place, writer: Writer, { vms }: Rows, markThere: number): Promise<void> {
  const { uuid, host } = writer.victim
  const { pm } = vms.find((row) => row.uuid === uuid)!
  if (pm !== host.name) await follow(writer, hosts.find(({ name }) => name === pm)!, markThere)
}

function comparedIn({ look }: Writer): number {
  const volumes = look!.snapshots.flatMap((snapshot) => snapshot.volumes)
  const disks = look!.row.disks.filter(({ vdev }) => SIZES[vdev] === undefined)
  return [...volumes, ...disks].reduce((sum, { vdev }) => sum + (SIZES[vdev] ?? EXTRA_MIB) * 1024 * 1024, 0)
}

/** All that nothing was done to: as they were, and they go on. */
export async function needOthersWell(place: Place, writers: readonly Writer[]): Promise<void> {
  const rows = await readRows(place.pengx)
  await Promise.all(
    writers.map(async (writer) => {
      writer.look = await needOneMind(writer.victim, rows)
      const told = await goOn(writer)
      expect({ name: writer.victim.name, began: told.resumed }).toEqual({ name: writer.victim.name, began: [] })
    }),
  )
}

/** Snapshots and disks that nobody writes to, of one writer; gives how many bytes were compared. */
export async function needSnapshots(writer: Writer): Promise<number> {
  expect(await needSameBytes(writer.victim, writer.look!, writer.known)).toEqual([])
  return comparedIn(writer)
}

/** Each guest runs once, and where pengx says. */
export async function needDomains({ hosts, pengx, writers, idlers }: Place): Promise<void> {
  const [domains, { vms }] = [await domainsOn(hosts), await readRows(pengx)]
  const wanted = [...writers, ...idlers].map(({ name, uuid }) => {
    const row = vms.find((one) => one.uuid === uuid)!
    expect({ name, state: row.state, drift: row.drift }).toEqual({ name, state: 'running', drift: [] })
    return { host: row.pm, name, uuid }
  })
  expect(domains).toEqual(wanted.sort((a, b) => (a.name < b.name ? -1 : 1)))
}
