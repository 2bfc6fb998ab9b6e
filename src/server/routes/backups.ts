import { backupShape, volumesOfBackup } from '../views/backup.ts'
import { backupDiskShape } from '../views/disk.ts'
import type { Form } from '../views/form.ts'
import { backupForm, drillForm, restoreBackupForm } from '../views/formsBackup.ts'
import { type Call, type Row, type RowAction, showMany } from './row.ts'

/** The rows about a VM's backups, in the document's order. The VM may be gone: they stay under its path. */
const ofBackups = (method: Row['method'], rest: string, section: string, status: number, action: RowAction): Row => ({
  method,
  path: `/vms/:backed_vm_uuid/${rest}`,
  section,
  versions: ['v1'],
  status,
  action,
})

/** An operation on the backup that the path names. */
function onBackup(operation: string, takes?: Form): RowAction {
  const params = ({ ids }: Call) => ({ backup: ids.backup_uuid })
  return { kind: 'run', operation, params, ...(takes ? { takes } : {}) }
}

const backUp: RowAction = {
  kind: 'run',
  operation: 'backup.create',
  takes: backupForm,
  params: ({ ids }) => ({ vm: ids.backed_vm_uuid }),
}

export const BACKUPS: readonly Row[] = [
  ofBackups('POST', 'backups/', 'BackupView.backup', 200, backUp),
  ofBackups('DELETE', 'backups/:backup_uuid/', 'BackupView.delete', 204, onBackup('backup.delete')),
  ofBackups(
    'GET',
    'backups/',
    'BackupView.index',
    200,
    showMany('vmbackups', backupShape, ({ view, ids }) => view.backupsOf(ids.backed_vm_uuid ?? '')),
  ),
  ofBackups('POST', 'backups/:backup_uuid/', 'BackupView.restore', 201, onBackup('backup.restore', restoreBackupForm)),
  ofBackups('POST', 'backups/:backup_uuid/verify/', 'added', 200, onBackup('backup.verify')),
  ofBackups('POST', 'backups/:backup_uuid/drill/', 'added', 200, onBackup('backup.drill', drillForm)),
  ofBackups(
    'GET',
    'disks/backups/:backup_uuid/',
    'DiskView.index',
    200,
    showMany('disks', backupDiskShape, ({ view, ids }) => volumesOfBackup(view.needBackup(ids.backup_uuid ?? ''))),
  ),
]
