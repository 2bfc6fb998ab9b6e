import type { Clock } from '../../../lib/clock.ts'
import type { Backup, Schedule } from '../../../model/backup.ts'
import { PengxError } from '../../../model/error.ts'
import type { Memory } from '../memory/liveView.ts'
import { buryRows } from '../sqlite/counters.ts'
import type { Sql } from '../sqlite/database.ts'
import type { Write } from '../sqlite/revisions.ts'
import { fromScheduleRow, toBackupRow, toBackupVolumeRows, toScheduleRow } from './backup.ts'

/** How backups and schedules are written and forgotten. */
export interface BackupWriter {
  /** Inserts or replaces a backup with its volumes. A second one of that VM and name is `conflict`. */
  putBackup(backup: Backup): Promise<void>
  /** One that another lies on is `conflict`. */
  dropBackup(uuid: string): Promise<void>
  putSchedule(schedule: Schedule): Promise<void>
  dropSchedule(uuid: string): Promise<void>
  /**
   * Takes on what a schedule was due for at that time: true for one of all processes that ask, and once; false where it is
   * gone, or was taken on for that time or a later one.
   */
  takeSchedule(uuid: string, dueAt: number): Promise<boolean>
}

export function createBackupWriter(parts: { memory: Memory; clock: Clock; write: Write }): BackupWriter {
  const { memory, clock, write } = parts
  return {
    async putBackup(backup) {
      await write('durable', async ({ sql, revision: rev, afterCommit }) => {
        await checkBackup(sql, backup)
        const { uuid, ...row } = toBackupRow(backup, rev)
        await sql
          .insertInto('backups')
          .values({ uuid, ...row })
          .onConflict((conflict) => conflict.column('uuid').doUpdateSet(row))
          .execute()
        await sql.deleteFrom('backupVolumes').where('backup', '=', uuid).execute()
        const volumes = toBackupVolumeRows(backup)
        if (volumes.length > 0) await sql.insertInto('backupVolumes').values(volumes).execute()
        afterCommit(() => memory.putBackup(backup, rev))
      })
    },

    async dropBackup(uuid) {
      await write('durable', async ({ sql, revision: rev, afterCommit }) => {
        const above = await sql.selectFrom('backups').select('name').where('parent', '=', uuid).executeTakeFirst()
        if (above) throw new PengxError('conflict', `cannot drop backup ${uuid}: backup ${above.name} lies on it`)
        await sql.deleteFrom('backups').where('uuid', '=', uuid).execute()
        await buryRows(sql, [{ kind: 'backup', id: uuid, at: clock.now(), rev }])
        afterCommit(() => memory.drop('backup', uuid, rev))
      })
    },

    async putSchedule(schedule) {
      await write('durable', async ({ sql, revision: rev, afterCommit }) => {
        await needStorlink(sql, schedule.storlink, `schedule of ${schedule.vmName}`)
        const { uuid, ...row } = toScheduleRow(schedule, rev)
        await sql
          .insertInto('schedules')
          .values({ uuid, ...row })
          .onConflict((conflict) => conflict.column('uuid').doUpdateSet(row))
          .execute()
        afterCommit(() => memory.putSchedule(schedule, rev))
      })
    },

    async dropSchedule(uuid) {
      await write('durable', async ({ sql, revision: rev, afterCommit }) => {
        await sql.deleteFrom('schedules').where('uuid', '=', uuid).execute()
        await buryRows(sql, [{ kind: 'schedule', id: uuid, at: clock.now(), rev }])
        afterCommit(() => memory.drop('schedule', uuid, rev))
      })
    },

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
        afterCommit(() => memory.putSchedule(fromScheduleRow(taken), rev))
        return true
      }),
  }
}

async function checkBackup(sql: Sql, backup: Backup): Promise<void> {
  const named = await sql
    .selectFrom('backups')
    .select('uuid')
    .where('vm', '=', backup.vm)
    .where('name', '=', backup.name)
    .where('uuid', '<>', backup.uuid)
    .executeTakeFirst()
  if (named)
    throw new PengxError(
      'conflict',
      `cannot keep backup ${backup.name}: ${named.uuid} of ${backup.vmName} is called so`,
    )
  await needStorlink(sql, backup.storlink, `backup ${backup.name}`)
}

async function needStorlink(sql: Sql, id: number, what: string): Promise<void> {
  const storlink = await sql.selectFrom('storlinks').select('id').where('id', '=', id).executeTakeFirst()
  if (!storlink) throw new PengxError('notFound', `cannot keep ${what}: no storlink ${id} is known`)
}
