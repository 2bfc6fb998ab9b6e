// What has to be so after each recovery, whatever was cut off.
import { expect } from 'bun:test'
import { momentOf, SLOTS, SLOTS_AT } from '../guestWrites.ts'
import { askGuest } from '../machine/console.ts'
import { imageBytes } from '../machine/guestDisk.ts'
import { chainsOf, type Look, lookAt, lookAtHost, type Rows, type SnapshotRow, sumsOf } from './look.ts'
import type { Victim } from './victim.ts'

/** What was true once and stays so. */
export interface Known {
  /** Of each snapshot, by its UUID: what its volumes read as, and the number that both of its disks hold. */
  readonly snapshots: Map<string, { readonly sums: Readonly<Record<string, string>>; readonly number: number }>
  /** Of each disk that was filled once and is not written to since, by its UUID. */
  readonly filled: Map<string, string>
}

/** Those that the guest writes to without an end are the first two. */
export const extraDisksOf = ({ row }: Look) => row.disks.filter(({ vdev }) => vdev !== 'xvda' && vdev !== 'xvdb')

/** Throws for a job that is not over. */
function needOver({ jobs }: Pick<Look, 'jobs'>): void {
  const open = jobs.filter(({ state }) => !['done', 'undone', 'cancelled'].includes(state))
  expect(
    open.map(({ number, operation, state, step, message }) => ({ number, operation, state, step, message })),
  ).toEqual([])
}

/** Throws where rows, configuration, QEMU and files are not of one mind; gives the look. */
export async function needOneMind(victim: Victim, rows?: Rows): Promise<Look> {
  const look = await lookAt(victim, rows)
  needOver(look)
  const { row, snapshots, configured, written, files } = look
  const disks = row.disks.map(({ path }) => path).sort()
  expect({ configured }).toEqual({ configured: disks })
  expect({ state: row.state, written, drift: row.drift }).toEqual(
    written ? { state: 'running', written: disks, drift: [] } : { state: 'shutdown', written, drift: [] },
  )
  const named = [...disks, ...snapshots.flatMap(({ volumes }) => volumes.map(({ path }) => path))]
  expect({ lost: named.filter((path) => !files.includes(path)) }).toEqual({ lost: [] })
  const others = files.filter((path) => !named.includes(path) && !path.endsWith('/.pengx-storlink'))
  if (others.length > 0) {
    // Layers whose snapshot is no more and that others lie on.
    const below = await chainsOf(victim, named)
    expect({ orphans: others.filter((path) => !below.has(path)) }).toEqual({ orphans: [] })
  }
  return look
}

/** Throws where a VM that was started since it was looked at is not open where its row says. */
export async function needOpen(victim: Victim, { row }: Look): Promise<void> {
  const { configured, written } = await lookAtHost(victim)
  const disks = row.disks.map(({ path }) => path).sort()
  expect({ configured, written }).toEqual({ configured: disks, written: disks })
}

/** Throws where a snapshot, or a disk that nobody writes to, does not read as it did; gives snapshots seen for the first time. */
export async function needSameBytes(victim: Victim, look: Look, known: Known): Promise<readonly SnapshotRow[]> {
  const extra = extraDisksOf(look)
  const paths = [
    ...look.snapshots.flatMap(({ volumes }) => volumes.map(({ path }) => path)),
    ...extra.map(({ path }) => path),
  ]
  const sums = await sumsOf(victim, paths)
  for (const { uuid, path } of extra)
    if (known.filled.has(uuid)) expect({ path, sum: sums.get(path) }).toEqual({ path, sum: known.filled.get(uuid) })
  const fresh: SnapshotRow[] = []
  for (const snapshot of look.snapshots) {
    const { uuid, name, volumes } = snapshot
    const now = Object.fromEntries(volumes.map(({ disk, path }) => [disk, sums.get(path)!]))
    const before = known.snapshots.get(uuid)
    if (before) expect({ name, sums: now }).toEqual({ name, sums: before.sums })
    else {
      known.snapshots.set(uuid, { sums: now, number: await numberOf(victim, snapshot) })
      fresh.push(snapshot)
    }
  }
  return fresh
}

/** The number that both disks of a snapshot hold; throws where they are not of one moment, or hold anything else. */
async function numberOf({ host }: Victim, { volumes }: SnapshotRow): Promise<number> {
  const on = async (vdev: string) =>
    momentOf(await imageBytes(host, volumes.find((volume) => volume.vdev === vdev)!.path, SLOTS_AT, SLOTS))
  const [a, b] = [await on('xvda'), await on('xvdb')]
  expect([a, a - 1]).toContain(b)
  return b
}

/** Fills disks that were made since with what nobody can guess. */
export async function fillNew(victim: Victim, look: Look, known: Known): Promise<void> {
  for (const { uuid, vdev, path } of extraDisksOf(look)) {
    if (known.filled.has(uuid)) continue
    const fill = `until [ -b /dev/${vdev} ]; do sleep 0.2; done; dd if=/dev/urandom of=/dev/${vdev} bs=64k count=8 conv=fsync 2>/dev/null`
    await askGuest(victim.host, victim.name, fill, 120_000)
    known.filled.set(uuid, (await sumsOf(victim, [path])).get(path)!)
  }
}
