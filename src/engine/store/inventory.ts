import type { Clock } from '../../lib/clock.ts'
import { capitalNoun, type IdOf, NOUNS, type Noun, type Nouns } from '../../model/noun.ts'
import type { Pm } from '../../model/pm.ts'
import type { Storlink } from '../../model/storlink.ts'
import type { Vm } from '../../model/vm.ts'
import type { LiveView } from './memory/liveView.ts'
import type { Memory } from './memory/memory.ts'
import type { Kinds, WritableKind } from './rows/kind.ts'
import { deleteRows, putRows } from './rows/kindRows.ts'
import { WRITABLE_KINDS, type WritableKindName } from './rows/kinds.ts'
import { fromScheduleRow } from './rows/schedule.ts'
import { createSeenWriter, type RecordSeen } from './seenWrites.ts'
import { buryRows } from './sqlite/counters.ts'
import type { RevisedTransaction, Write } from './sqlite/revisions.ts'

/** For each noun: `putVm(vm)`, `dropVm(uuid)`. */
type NounWrites = {
  readonly [N in Exclude<Noun, 'storlink'> as `put${Capitalize<N>}`]: (thing: Nouns[N]) => Promise<void>
} & { readonly [N in Noun as `drop${Capitalize<N>}`]: (id: IdOf<N>) => Promise<void> }

/**
 * What is remembered of the site. Every write is one transaction and repeatable (putting what is there is
 * done, dropping what is not there is done), and the view of this process has it when the promise resolves. What is put
 * takes the place of what has its id, with all that belongs to it (disks, NICs, volumes); NICs with id 0 get one. A second
 * one of a name, and dropping what another refers to, is `conflict`; referring to what is not there is `notFound`. A PM
 * goes with the VMs that were only found there.
 */
export interface Inventory extends NounWrites {
  /** Gives it an id where that is 0, and returns the id. */
  putStorlink(storlink: Storlink): Promise<number>
  /** Many in one transaction: what a first look at a PM finds. */
  putVms(vms: readonly Vm[]): Promise<void>
  dropVms(uuids: readonly string[]): Promise<void>
  /**
   * Takes on what a schedule was due for at that time: true for one of all processes that ask, and once; false where it is
   * gone, or was taken on for that time or a later one.
   */
  takeSchedule(uuid: string, dueAt: number): Promise<boolean>
  /** Why the last time of a schedule came to no backup, or that it did; nothing else of it is touched, nor one that is gone. */
  noteSchedule(uuid: string, problem: string | undefined): Promise<void>
  recordSeen: RecordSeen
  /** A PM that had no identity yet goes, and the one that it turned out to be takes its place; undefined: that is known. */
  settlePm(provisional: string, pm: Pm | undefined): Promise<void>
  putSetting(key: string, value: string): Promise<void>
}

export interface InventoryDeps {
  readonly view: LiveView
  readonly memory: Memory
  readonly clock: Clock
  readonly write: Write
}

/** The inventory over a store's memory and its transactions. */
export function createInventory({ view, memory, clock, write }: InventoryDeps): Inventory {
  async function putIn<K extends WritableKindName>(
    { sql, revision, afterCommit }: RevisedTransaction,
    kind: K,
    values: readonly Kinds[K][],
  ): Promise<readonly Kinds[K][]> {
    const written = await putRows<Kinds[K]>(sql, WRITABLE_KINDS[kind], values, revision)
    afterCommit(() => {
      for (const value of written) memory.put(kind, value, revision)
    })
    return written
  }

  async function put<K extends WritableKindName>(kind: K, values: readonly Kinds[K][]): Promise<readonly Kinds[K][]> {
    if (values.length === 0) return []
    const rows: WritableKind<Kinds[K]> = WRITABLE_KINDS[kind]
    // What was only found is found again.
    const isFound = rows.isFound !== undefined && values.every(rows.isFound)
    return await write(isFound ? 'relaxed' : 'durable', (revised) => putIn(revised, kind, values))
  }

  async function dropIn(
    { sql, revision, afterCommit }: RevisedTransaction,
    kind: Noun,
    ids: readonly string[],
  ): Promise<void> {
    await deleteRows<never>(sql, WRITABLE_KINDS[kind] as WritableKind<never>, ids)
    await buryRows(
      sql,
      ids.map((id) => ({ kind, id, at: clock.now(), rev: revision })),
    )
    afterCommit(() => {
      for (const id of ids) memory.drop(kind, id, revision)
    })
  }

  /** With the VMs that were only found there. */
  async function dropPmIn(revised: RevisedTransaction, uuid: string): Promise<void> {
    const found = await revised.sql
      .selectFrom('vms')
      .select('uuid')
      .where('pm', '=', uuid)
      .where('origin', '=', 'found')
      .execute()
    await dropIn(
      revised,
      'vm',
      found.map((vm) => vm.uuid),
    )
    await dropIn(revised, 'pm', [uuid])
  }

  async function drop(kind: Noun, ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await write('durable', (revised) => dropIn(revised, kind, ids))
  }

  const writes: Record<string, unknown> = {}
  for (const noun of NOUNS) {
    const name = capitalNoun(noun)
    writes[`put${name}`] = async (thing: never) => void (await put(noun, [thing]))
    writes[`drop${name}`] = (id: string | number) => drop(noun, [String(id)])
  }

  return {
    ...(writes as NounWrites),
    dropVms: (uuids) => drop('vm', uuids),
    recordSeen: createSeenWriter({
      view,
      memory,
      clock,
      write,
      putVmsIn: async (revised, vms) => void (vms.length > 0 && (await putIn(revised, 'vm', vms))),
      dropVmsIn: async (revised, uuids) => void (uuids.length > 0 && (await dropIn(revised, 'vm', uuids))),
    }),

    async putVms(vms) {
      await put('vm', vms)
    },

    async putStorlink(storlink) {
      const [written] = await put('storlink', [storlink])
      return written!.id
    },

    dropPm: (uuid) => write('durable', (revised) => dropPmIn(revised, uuid)),

    settlePm: (provisional, pm) =>
      write('durable', async (revised) => {
        await dropPmIn(revised, provisional)
        if (pm) await putIn(revised, 'pm', [pm])
      }),

    takeSchedule: (uuid, dueAt) =>
      write('durable', async ({ sql, revision: rev, afterCommit }) => {
        const taken = await sql
          .updateTable('schedules')
          .set({ takenAt: dueAt, rev })
          .where('uuid', '=', uuid)
          .where((eb) => eb.or([eb('takenAt', 'is', null), eb('takenAt', '<', dueAt)]))
          .returningAll()
          .executeTakeFirst()
        if (!taken) return false
        afterCommit(() => memory.put('schedule', fromScheduleRow(taken), rev))
        return true
      }),

    noteSchedule: (uuid, problem) =>
      write('durable', async ({ sql, revision: rev, afterCommit }) => {
        const noted = await sql
          .updateTable('schedules')
          .set({ problem: problem ?? null, rev })
          .where('uuid', '=', uuid)
          .returningAll()
          .executeTakeFirst()
        if (noted) afterCommit(() => memory.put('schedule', fromScheduleRow(noted), rev))
      }),

    async putSetting(key, value) {
      if (view.setting(key) !== value) await put('setting', [{ key, value }])
    },
  }
}
