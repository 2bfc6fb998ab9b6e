import type { Schedule } from '../../../model/backup.ts'
import { PengxError } from '../../../model/error.ts'
import { nounId } from '../../../model/noun.ts'
import type { ScheduleRow } from '../sqlite/backupSchema.ts'
import type { Sql } from '../sqlite/database.ts'
import type { WritableKind } from './kind.ts'

export const scheduleKind: WritableKind<Schedule> = {
  table: 'schedules',
  key: 'uuid',
  idOf: nounId,
  compare: byVmName,

  async load(sql, since) {
    const rows = await sql.selectFrom('schedules').selectAll().where('rev', '>', since).execute()
    return rows.map((row) => ({ value: fromScheduleRow(row), rev: row.rev }))
  },

  toRow: toScheduleRow,

  async checkPut(sql, schedules) {
    for (const { storlink, vmName } of schedules) await needStorlink(sql, storlink, `schedule of ${vmName}`)
  },
}

function toScheduleRow({ retention, ...schedule }: Schedule, rev: number): ScheduleRow {
  return {
    ...schedule,
    ...retention,
    // The column is older than filters.
    vm: schedule.vm ?? '',
    filter: schedule.filter ?? null,
    what: schedule.what ?? 'backup',
    incremental: schedule.incremental ? 1 : 0,
    enabled: schedule.enabled ? 1 : 0,
    takenAt: schedule.takenAt ?? null,
    problem: schedule.problem ?? null,
    rev,
  }
}

/** As a statement returns it. */
export function fromScheduleRow(row: ScheduleRow): Schedule {
  const { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, rev: _rev, vm, filter, what, ...schedule } = row
  return {
    ...schedule,
    ...(filter === null ? { vm } : { filter }),
    ...(what === 'verify' ? { what } : {}),
    incremental: row.incremental === 1,
    enabled: row.enabled === 1,
    takenAt: row.takenAt ?? undefined,
    problem: row.problem ?? undefined,
    retention: { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly },
  }
}

function byVmName(a: Schedule, b: Schedule): number {
  if (a.vmName !== b.vmName) return a.vmName < b.vmName ? -1 : 1
  return a.createdAt - b.createdAt || (a.uuid < b.uuid ? -1 : a.uuid > b.uuid ? 1 : 0)
}

/** Fails with `notFound`; `what` is what shall be kept there. */
export async function needStorlink(sql: Sql, id: number, what: string): Promise<void> {
  const storlink = await sql.selectFrom('storlinks').select('id').where('id', '=', id).executeTakeFirst()
  if (!storlink) throw new PengxError('notFound', `cannot keep ${what}: no storlink ${id} is known`)
}
