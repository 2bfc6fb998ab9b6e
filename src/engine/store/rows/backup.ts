import type { BackedUpVm, Backup, BackupKind, BackupState, BackupVolume } from '../../../model/backup.ts'
import type { DiskFormat } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import { nounId } from '../../../model/noun.ts'
import type { BackupRow, BackupVolumeRow } from '../sqlite/backupSchema.ts'
import type { Sql } from '../sqlite/database.ts'
import type { WritableKind } from './kind.ts'
import { needStorlink } from './schedule.ts'

export const backupKind: WritableKind<Backup> = {
  table: 'backups',
  key: 'uuid',
  idOf: nounId,
  compare: (a, b) => b.createdAt - a.createdAt || (a.uuid < b.uuid ? -1 : a.uuid > b.uuid ? 1 : 0),

  async load(sql, since) {
    const rows = await sql.selectFrom('backups').selectAll().where('rev', '>', since).execute()
    if (rows.length === 0) return []
    const changed = sql.selectFrom('backups').select('uuid').where('rev', '>', since)
    const volumes = Map.groupBy(
      await sql.selectFrom('backupVolumes').selectAll().where('backup', 'in', changed).orderBy('position').execute(),
      (row) => row.backup,
    )
    return rows.map((row) => ({ value: fromBackupRow(row, volumes.get(row.uuid) ?? []), rev: row.rev }))
  },

  toRow: toBackupRow,

  async checkPut(sql, backups) {
    for (const backup of backups) await checkBackup(sql, backup)
  },

  async putParts(sql, backups) {
    for (const backup of backups) {
      await sql.deleteFrom('backupVolumes').where('backup', '=', backup.uuid).execute()
      const volumes = toBackupVolumeRows(backup)
      if (volumes.length > 0) await sql.insertInto('backupVolumes').values(volumes).execute()
    }
  },

  async checkDrop(sql, uuid) {
    const above = await sql.selectFrom('backups').select('name').where('parent', '=', uuid).executeTakeFirst()
    if (above) throw new PengxError('conflict', `cannot drop backup ${uuid}: backup ${above.name} lies on it`)
  },
}

function toBackupRow(backup: Backup, rev: number): BackupRow {
  return {
    uuid: backup.uuid,
    vm: backup.vm,
    vmName: backup.vmName,
    name: backup.name,
    desc: backup.desc,
    storlink: backup.storlink,
    kind: backup.kind,
    fullBecause: backup.fullBecause ?? null,
    parent: backup.parent ?? null,
    parentDepth: backup.parent === undefined ? null : backup.depth - 1,
    depth: backup.depth,
    live: backup.live ? 1 : 0,
    state: backup.state,
    checkedAt: backup.checkedAt === undefined ? null : Math.round(backup.checkedAt),
    problem: backup.problem ?? null,
    drilledAt: backup.drilledAt === undefined ? null : Math.round(backup.drilledAt),
    drillProblem: backup.drillProblem ?? null,
    specJson: JSON.stringify(backup.spec),
    createdAt: Math.round(backup.createdAt),
    rev,
  }
}

function toBackupVolumeRows(backup: Backup): BackupVolumeRow[] {
  return backup.volumes.map((volume, position) => ({ ...volume, backup: backup.uuid, position }))
}

function fromBackupRow(row: BackupRow, volumes: readonly BackupVolumeRow[]): Backup {
  return {
    uuid: row.uuid,
    vm: row.vm,
    vmName: row.vmName,
    name: row.name,
    desc: row.desc,
    storlink: row.storlink,
    kind: row.kind as BackupKind,
    fullBecause: row.fullBecause ?? undefined,
    parent: row.parent ?? undefined,
    depth: row.depth,
    live: row.live === 1,
    state: row.state as BackupState,
    checkedAt: row.checkedAt ?? undefined,
    problem: row.problem ?? undefined,
    drilledAt: row.drilledAt ?? undefined,
    drillProblem: row.drillProblem ?? undefined,
    spec: JSON.parse(row.specJson) as BackedUpVm,
    volumes: volumes.map(
      ({ backup: _backup, position: _position, ...volume }): BackupVolume => ({
        ...volume,
        format: volume.format as DiskFormat,
      }),
    ),
    createdAt: row.createdAt,
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
