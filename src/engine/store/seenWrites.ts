import type { Clock } from '../../lib/clock.ts'
import type { Pm, PmSeen } from '../../model/pm.ts'
import type { Storlink } from '../../model/storlink.ts'
import type { Vm, VmSeen } from '../../model/vm.ts'
import type { LiveView } from './memory/liveView.ts'
import type { Memory } from './memory/memory.ts'
import { problemsJson, withoutNone } from './rows/storlink.ts'
import { compiled } from './sqlite/compiled.ts'
import type { Sql } from './sqlite/database.ts'
import { troubleIn } from './sqlite/errors.ts'
import type { RevisedTransaction, Write } from './sqlite/revisions.ts'

/**
 * PMs are looked at every few seconds and mostly nothing is new, so mostly nothing is written. What moves by itself
 * (when it was seen, its load) goes into the view at once and onto the disk once a minute.
 */
const RESTLESS_SAVED_MS = 60_000

/**
 * What a look saw, in one transaction; only what differs is written. Rows that are not there are passed over. While the
 * store cannot be written it comes into the view alone, as far as it has rows there, and is written with the first look
 * after that. `bootedAt` stays as it is where it is left out and is cleared where it is given as undefined. `put`: VMs
 * whose row is new or somewhere else now; `drop`: those of which nothing is known any more; `sizes`: of disks that had
 * none.
 */
export type RecordSeen = (seen: {
  put?: readonly Vm[]
  drop?: readonly string[]
  pms?: readonly { uuid: string; seen: PmSeen; cpuCount?: number; memoryMib?: number }[]
  vms?: readonly { uuid: string; seen: VmSeen; bootedAt?: number }[]
  storlinks?: readonly StorlinkSeen[]
  sizes?: readonly { vm: string; disk: string; sizeMib: number }[]
}) => Promise<void>

/** What is left out stays as it is. */
type StorlinkSeen = Pick<Storlink, 'id'> &
  Partial<Pick<Storlink, 'sizeMib' | 'freeMib' | 'uuid' | 'pm'> & { problems: NonNullable<Storlink['problems']> }>

type Seen = Parameters<RecordSeen>[0]
type PmEntry = NonNullable<Seen['pms']>[number]
type VmEntry = NonNullable<Seen['vms']>[number]
type StorlinkEntry = NonNullable<Seen['storlinks']>[number]
type SizeEntry = NonNullable<Seen['sizes']>[number]

export interface SeenDeps {
  readonly view: LiveView
  readonly memory: Memory
  readonly clock: Clock
  readonly write: Write
  putVmsIn(revised: RevisedTransaction, vms: readonly Vm[]): Promise<void>
  dropVmsIn(revised: RevisedTransaction, uuids: readonly string[]): Promise<void>
}

/** Writes what looks saw: `relaxed`, because the next look finds it again. */
export function createSeenWriter({ view, memory, clock, write, putVmsIn, dropVmsIn }: SeenDeps): RecordSeen {
  const savedAt = new Map<string, number>()
  /** What the view shows and the store could not be told: ids. */
  const unwritten = { pms: new Set<string>(), vms: new Set<string>(), storlinks: new Set<number>() }

  function isWorthWriting(pm: Pm, entry: PmEntry): boolean {
    if (!Bun.deepEquals(resting(pm.seen), resting(entry.seen))) return true
    if ((entry.cpuCount ?? pm.cpuCount) !== pm.cpuCount) return true
    if ((entry.memoryMib ?? pm.memoryMib) !== pm.memoryMib) return true
    // The first look counts from what the opening read, so that an opening alone writes nothing.
    const last = savedAt.get(pm.uuid) ?? pm.seen.at
    savedAt.set(pm.uuid, last)
    return clock.now() - last >= RESTLESS_SAVED_MS
  }

  async function writePm(sql: Sql, entry: PmEntry, rev: number): Promise<boolean> {
    const { numUpdatedRows } = await sql
      .updateTable('pms')
      .set({
        seenJson: JSON.stringify(entry.seen),
        rev,
        ...(entry.cpuCount === undefined ? {} : { cpuCount: entry.cpuCount }),
        ...(entry.memoryMib === undefined ? {} : { memoryMib: Math.round(entry.memoryMib) }),
      })
      .where('uuid', '=', entry.uuid)
      .executeTakeFirst()
    return numUpdatedRows > 0n
  }

  async function writeVm(sql: Sql, entry: VmEntry, rev: number): Promise<boolean> {
    const { uuid } = entry
    const seenJson = JSON.stringify(entry.seen)
    const bootedAt = entry.bootedAt === undefined ? null : Math.round(entry.bootedAt)
    const written =
      'bootedAt' in entry
        ? await writeSeenAndBoot(sql, { uuid, seenJson, bootedAt, rev })
        : await writeSeen(sql, { uuid, seenJson, rev })
    return written.length > 0
  }

  function applyPm(entry: PmEntry, rev = memory.revOf('pm', entry.uuid)): void {
    const pm = view.getPm(entry.uuid)
    if (!pm) return
    const { seen, cpuCount = pm.cpuCount, memoryMib = pm.memoryMib } = entry
    memory.put('pm', { ...pm, seen, cpuCount, memoryMib }, rev)
  }

  function applyVm(entry: VmEntry, rev = memory.revOf('vm', entry.uuid)): void {
    const vm = view.getVm(entry.uuid)
    if (!vm) return
    const bootedAt = 'bootedAt' in entry ? entry.bootedAt : vm.bootedAt
    memory.put('vm', { ...vm, seen: entry.seen, bootedAt }, rev)
  }

  async function writeStorlink(sql: Sql, { id, problems, ...seen }: StorlinkEntry, rev: number): Promise<boolean> {
    const { numUpdatedRows } = await sql
      .updateTable('storlinks')
      .set({ ...seen, ...(problems ? { problemsJson: problemsJson({ problems }) } : {}), rev })
      .where('id', '=', id)
      .executeTakeFirst()
    return numUpdatedRows > 0n
  }

  function applyStorlink({ id, ...seen }: StorlinkEntry, rev = memory.revOf('storlink', String(id))): void {
    const storlink = view.getStorlink(id)
    if (storlink) memory.put('storlink', withoutNone({ ...storlink, ...seen }), rev)
  }

  async function writeSize(sql: Sql, { vm, disk, sizeMib }: SizeEntry, rev: number): Promise<boolean> {
    const { numUpdatedRows } = await sql
      .updateTable('disks')
      .set({ sizeMib: Math.round(sizeMib) })
      .where('uuid', '=', disk)
      .where('vm', '=', vm)
      .where('sizeMib', 'is', null)
      .executeTakeFirst()
    if (numUpdatedRows === 0n) return false
    await sql.updateTable('vms').set({ rev }).where('uuid', '=', vm).execute()
    return true
  }

  function applySize({ vm: uuid, disk, sizeMib }: SizeEntry, rev = memory.revOf('vm', uuid)): void {
    const vm = view.getVm(uuid)
    if (!vm) return
    const disks = vm.disks.map((one) => (one.uuid === disk ? { ...one, sizeMib: Math.round(sizeMib) } : one))
    memory.put('vm', { ...vm, disks }, rev)
  }

  return async ({ put = [], drop = [], pms = [], vms = [], storlinks = [], sizes = [] }) => {
    for (const uuid of savedAt.keys()) if (!view.getPm(uuid)) savedAt.delete(uuid)
    const newPms: PmEntry[] = []
    for (const entry of pms) {
      const pm = view.getPm(entry.uuid)
      if (!pm) continue
      if (isWorthWriting(pm, entry)) newPms.push(entry)
      else if (!Bun.deepEquals(pm.seen, entry.seen)) applyPm(entry)
    }
    const newVms = vms.filter((entry) => {
      const vm = view.getVm(entry.uuid)
      if (!vm) return false
      return (
        (vm.seen !== entry.seen && !Bun.deepEquals(vm.seen, entry.seen)) ||
        ('bootedAt' in entry && entry.bootedAt !== vm.bootedAt)
      )
    })
    const newStorlinks = storlinks.filter((entry) => {
      const storlink = view.getStorlink(entry.id)
      return (
        storlink !== undefined &&
        !Bun.deepEquals({ problems: {}, ...storlink }, { problems: {}, ...storlink, ...entry })
      )
    })
    const entries = withOwed({ put, drop, pms: newPms, vms: newVms, storlinks: newStorlinks, sizes })
    if (Object.values(entries).every((some) => some.length === 0)) return
    try {
      await writeAll(entries)
    } catch (error) {
      if (!troubleIn(error)) throw error
      applyAll(entries)
    }
  }

  async function writeAll({ put, drop, pms, vms, storlinks, sizes }: Entries): Promise<void> {
    // Where a VM under care is now is no find that the next look makes again.
    const durability = put.some((vm) => vm.origin !== 'found') ? 'durable' : 'relaxed'
    await write(durability, async (revised) => {
      const { sql, revision, upToDate, afterCommit } = revised
      const rev = upToDate ? revision : undefined
      await putVmsIn(revised, put)
      await dropVmsIn(revised, drop)
      // Somebody may have dropped it in the meantime: then the view must not get it back.
      for (const entry of pms) {
        if (!(await writePm(sql, entry, revision))) continue
        afterCommit(() => {
          applyPm(entry, rev)
          savedAt.set(entry.uuid, clock.now())
        })
      }
      for (const entry of vms) {
        if (await writeVm(sql, entry, revision)) afterCommit(() => applyVm(entry, rev))
      }
      for (const entry of storlinks) {
        if (await writeStorlink(sql, entry, revision)) afterCommit(() => applyStorlink(entry, rev))
      }
      for (const entry of sizes) {
        if (await writeSize(sql, entry, revision)) afterCommit(() => applySize(entry, rev))
      }
      afterCommit(() => {
        for (const { uuid } of pms) unwritten.pms.delete(uuid)
        for (const { uuid } of vms) unwritten.vms.delete(uuid)
        for (const { id } of storlinks) unwritten.storlinks.delete(id)
      })
    })
  }

  /** In the view alone: as it is, it is shown, and the next look writes it. */
  function applyAll(entries: Entries): void {
    for (const entry of entries.pms) {
      applyPm(entry)
      unwritten.pms.add(entry.uuid)
    }
    for (const entry of entries.vms) {
      applyVm(entry)
      unwritten.vms.add(entry.uuid)
    }
    for (const entry of entries.storlinks) {
      applyStorlink(entry)
      unwritten.storlinks.add(entry.id)
    }
  }

  /** With what earlier looks saw and could not write, as the view has it: no later look tells of what stays as it is. */
  function withOwed(news: Entries): Entries {
    const [pms, vms] = [news.pms, news.vms].map((entries) => new Set(entries.map(({ uuid }) => uuid)))
    const storlinks = new Set(news.storlinks.map(({ id }) => id))
    return {
      ...news,
      pms: [...news.pms, ...owed(unwritten.pms, pms!, view.getPm)],
      vms: [
        ...news.vms,
        ...owed(unwritten.vms, vms!, view.getVm).map(({ uuid, seen, bootedAt }) => ({ uuid, seen, bootedAt })),
      ],
      storlinks: [
        ...news.storlinks,
        ...owed(unwritten.storlinks, storlinks, view.getStorlink).map(
          ({ id, sizeMib, freeMib, uuid, problems = {} }): StorlinkSeen => ({
            ...{ id, sizeMib, freeMib, problems },
            ...(uuid === undefined ? {} : { uuid }),
          }),
        ),
      ],
    }
  }
}

/** Of those that are still there. */
function owed<Id, T>(ids: Set<Id>, news: ReadonlySet<Id>, read: (id: Id) => T | undefined): T[] {
  return [...ids].flatMap((id) => {
    const thing = read(id)
    if (thing === undefined) ids.delete(id)
    return thing === undefined || news.has(id) ? [] : [thing]
  })
}

type Entries = { readonly [K in keyof Seen]-?: NonNullable<Seen[K]> }

type SeenColumns = { readonly uuid: string; readonly seenJson: string; readonly rev: number }
const writeSeen = compiled((sql, { uuid, seenJson, rev }: SeenColumns) =>
  sql.updateTable('vms').set({ seenJson, rev }).where('uuid', '=', uuid).returning('uuid'),
)
const writeSeenAndBoot = compiled(
  (sql, { uuid, seenJson, rev, bootedAt }: SeenColumns & { readonly bootedAt: number | null }) =>
    sql.updateTable('vms').set({ seenJson, rev, bootedAt }).where('uuid', '=', uuid).returning('uuid'),
)

function resting({ at: _at, load: _load, ...seen }: PmSeen): Omit<PmSeen, 'at' | 'load'> {
  return seen
}
