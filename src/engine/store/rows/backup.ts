import type { BackedUpVm, Backup, BackupKind, BackupState, BackupVolume, Schedule } from '../../../model/backup.ts'
import type { DiskFormat } from '../../../model/disk.ts'
import type { BackupRow, BackupVolumeRow, ScheduleRow } from '../sqlite/backupSchema.ts'

export function toBackupRow(backup: Backup, rev: number): BackupRow {
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

export function toBackupVolumeRows(backup: Backup): BackupVolumeRow[] {
  return backup.volumes.map((volume, position) => ({ ...volume, backup: backup.uuid, position }))
}

export function fromBackupRow(row: BackupRow, volumes: readonly BackupVolumeRow[]): Backup {
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

export function toScheduleRow({ retention, ...schedule }: Schedule, rev: number): ScheduleRow {
  return {
    ...schedule,
    ...retention,
    incremental: schedule.incremental ? 1 : 0,
    enabled: schedule.enabled ? 1 : 0,
    takenAt: schedule.takenAt ?? null,
    problem: schedule.problem ?? null,
    rev,
  }
}

export function fromScheduleRow(row: ScheduleRow): Schedule {
  const { keepLast, keepDaily, keepWeekly, rev: _rev, ...schedule } = row
  return {
    ...schedule,
    incremental: row.incremental === 1,
    enabled: row.enabled === 1,
    takenAt: row.takenAt ?? undefined,
    problem: row.problem ?? undefined,
    retention: { keepLast, keepDaily, keepWeekly },
  }
}
