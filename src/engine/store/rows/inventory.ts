import type { Clock } from '../../../lib/clock.ts'
import { PengxError } from '../../../model/error.ts'
import type { Pm } from '../../../model/pm.ts'
import type { Storlink } from '../../../model/storlink.ts'
import type { Template } from '../../../model/template.ts'
import type { Vm } from '../../../model/vm.ts'
import type { LiveView, Memory } from '../memory/liveView.ts'
import { buryRows, chunks, countUp } from '../sqlite/counters.ts'
import type { Sql } from '../sqlite/database.ts'
import type { Write } from '../sqlite/revisions.ts'
import { type BackupWriter, createBackupWriter } from './backupWrites.ts'
import { createSeenWriter, type RecordSeen } from './seenWrites.ts'
import { toPmRow, toStorlinkRow } from './site.ts'
import { createTemplateWriter } from './templateWrites.ts'
import { isManaged } from './vm.ts'
import { checkVms } from './vmChecks.ts'
import { writeVms } from './vmWrites.ts'

/**
 * What is remembered of the site. Every write is one transaction and repeatable (putting what is there is
 * done, dropping what is not there is done), and the view of this process has it when the promise resolves.
 */
export interface Inventory extends BackupWriter {
  putPm(pm: Pm): Promise<void>
  /** VMs that were only found there go with it; managed ones and storlinks are `conflict`. */
  dropPm(uuid: string): Promise<void>
  /** Inserts or replaces a VM with its disks and NICs; NICs with id 0 get one. A second VM of that name is `conflict`. */
  putVm(vm: Vm): Promise<void>
  dropVm(uuid: string): Promise<void>
  /** Many in one transaction: what a first look at a PM finds. */
  putVms(vms: readonly Vm[]): Promise<void>
  dropVms(uuids: readonly string[]): Promise<void>
  /** Gives it an id where that is 0, and returns the id. */
  putStorlink(storlink: Storlink): Promise<number>
  dropStorlink(id: number): Promise<void>
  /** Inserts or replaces a template with its disks. A second one of that name is `conflict`. */
  putTemplate(template: Template): Promise<void>
  /** One that a VM was made from is `conflict`. */
  dropTemplate(uuid: string): Promise<void>
  recordSeen: RecordSeen
  putSetting(key: string, value: string): Promise<void>
}

export interface InventoryParts {
  readonly view: LiveView
  readonly memory: Memory
  readonly clock: Clock
  readonly write: Write
}

export function createInventory({ view, memory, clock, write }: InventoryParts): Inventory {
  async function putVms(vms: readonly Vm[]): Promise<void> {
    if (vms.length === 0) return
    // What was only found is found again.
    const durability = vms.some(isManaged) ? 'durable' : 'relaxed'
    await write(durability, async ({ sql, revision: rev, afterCommit }) => {
      await checkVms(sql, vms)
      const written = await writeVms(sql, vms, rev)
      afterCommit(() => {
        for (const vm of written) memory.putVm(vm, rev)
      })
    })
  }

  async function deleteVms(sql: Sql, uuids: readonly string[], rev: number): Promise<void> {
    for (const some of chunks(uuids)) {
      await sql.deleteFrom('vms').where('uuid', 'in', some).execute()
      await sql.deleteFrom('perf').where('subject', 'in', some).execute()
    }
    await buryRows(
      sql,
      uuids.map((id) => ({ kind: 'vm', id, at: clock.now(), rev })),
    )
  }

  async function dropVms(uuids: readonly string[]): Promise<void> {
    if (uuids.length === 0) return
    await write('durable', async ({ sql, revision: rev, afterCommit }) => {
      await deleteVms(sql, uuids, rev)
      afterCommit(() => {
        for (const uuid of uuids) memory.drop('vm', uuid, rev)
      })
    })
  }

  return {
    putVms,
    dropVms,
    putVm: (vm) => putVms([vm]),
    dropVm: (uuid) => dropVms([uuid]),
    ...createTemplateWriter({ memory, clock, write }),
    ...createBackupWriter({ memory, clock, write }),
    recordSeen: createSeenWriter({ view, memory, clock, write }),

    async putPm(pm) {
      await write('durable', async ({ sql, revision: rev, afterCommit }) => {
        const other = await sql
          .selectFrom('pms')
          .select(['uuid', 'destination'])
          .where('name', '=', pm.name)
          .where('uuid', '<>', pm.uuid)
          .executeTakeFirst()
        if (other)
          throw new PengxError(
            'conflict',
            `cannot keep PM ${pm.name} (${pm.destination}): the PM at ${other.destination} has that name`,
          )
        const { uuid, ...row } = toPmRow(pm, rev)
        await sql
          .insertInto('pms')
          .values({ uuid, ...row })
          .onConflict((conflict) => conflict.column('uuid').doUpdateSet(row))
          .execute()
        afterCommit(() => memory.putPm(pm, rev))
      })
    },

    async dropPm(uuid) {
      await write('durable', async ({ sql, revision: rev, afterCommit }) => {
        const vms = await sql.selectFrom('vms').select(['uuid', 'name', 'origin']).where('pm', '=', uuid).execute()
        const kept = vms.find((vm) => vm.origin !== 'found')
        if (kept) throw new PengxError('conflict', `cannot drop PM ${uuid}: VM ${kept.name} lives there`)
        const storlink = await sql.selectFrom('storlinks').select('name').where('pm', '=', uuid).executeTakeFirst()
        if (storlink)
          throw new PengxError('conflict', `cannot drop PM ${uuid}: storlink ${storlink.name} was made there`)
        const found = vms.map((vm) => vm.uuid)
        await deleteVms(sql, found, rev)
        await sql.deleteFrom('pms').where('uuid', '=', uuid).execute()
        await sql.deleteFrom('perf').where('subject', '=', uuid).execute()
        await buryRows(sql, [{ kind: 'pm', id: uuid, at: clock.now(), rev }])
        afterCommit(() => {
          for (const vm of found) memory.drop('vm', vm, rev)
          memory.drop('pm', uuid, rev)
        })
      })
    },

    putStorlink: (given) =>
      write('durable', async ({ sql, revision: rev, afterCommit }) => {
        const pm = await sql.selectFrom('pms').select('uuid').where('uuid', '=', given.pm).executeTakeFirst()
        if (!pm) throw new PengxError('notFound', `cannot keep storlink ${given.name}: no PM ${given.pm} is known`)
        const storlink = { ...given, id: given.id === 0 ? await countUp(sql, 'storlink') : given.id }
        const { id, ...row } = toStorlinkRow(storlink, rev)
        await sql
          .insertInto('storlinks')
          .values({ id, ...row })
          .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
          .execute()
        afterCommit(() => memory.putStorlink(storlink, rev))
        return storlink.id
      }),

    async dropStorlink(id) {
      await write('durable', async ({ sql, revision: rev, afterCommit }) => {
        const disk = await sql
          .selectFrom('disks')
          .innerJoin('vms', 'vms.uuid', 'disks.vm')
          .select(['disks.vdev', 'vms.name'])
          .where('disks.storlink', '=', id)
          .executeTakeFirst()
        if (disk)
          throw new PengxError(
            'conflict',
            `cannot drop storlink ${id}: disk ${disk.vdev} of VM ${disk.name} lies on it`,
          )
        const template = await sql
          .selectFrom('templateDisks')
          .innerJoin('templates', 'templates.uuid', 'templateDisks.template')
          .select('templates.name')
          .where('templateDisks.storlink', '=', id)
          .executeTakeFirst()
        if (template)
          throw new PengxError('conflict', `cannot drop storlink ${id}: a disk of template ${template.name} lies on it`)
        const backup = await sql
          .selectFrom('backups')
          .select(['name', 'vmName'])
          .where('storlink', '=', id)
          .executeTakeFirst()
        if (backup)
          throw new PengxError(
            'conflict',
            `cannot drop storlink ${id}: backup ${backup.name} of ${backup.vmName} lies on it`,
          )
        const schedule = await sql
          .selectFrom('schedules')
          .select('vmName')
          .where('storlink', '=', id)
          .executeTakeFirst()
        if (schedule)
          throw new PengxError(
            'conflict',
            `cannot drop storlink ${id}: ${schedule.vmName} is backed up to it by a schedule`,
          )
        await sql.deleteFrom('storlinks').where('id', '=', id).execute()
        await buryRows(sql, [{ kind: 'storlink', id: String(id), at: clock.now(), rev }])
        afterCommit(() => memory.drop('storlink', String(id), rev))
      })
    },

    async putSetting(key, value) {
      if (view.setting(key) === value) return
      await write('durable', async ({ sql, revision: rev, afterCommit }) => {
        await sql
          .insertInto('settings')
          .values({ key, value, rev })
          .onConflict((conflict) => conflict.column('key').doUpdateSet({ value, rev }))
          .execute()
        afterCommit(() => memory.putSetting(key, value, rev))
      })
    },
  }
}
