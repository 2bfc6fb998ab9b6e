import { formatAge } from '../../lib/age.ts'
import type { Backup } from '../../model/backup.ts'
import type { Vm } from '../../model/vm.ts'
import { type Span, span } from '../../ui/line.ts'
import type { AppContext } from '../app/context.ts'
import { type ListDef, selectedRows } from '../app/list.ts'
import { backupColumns, backupRows, backupSubject } from '../backup/columns.ts'
import { backupFacts, backupsFor } from '../backup/facts.ts'
import { backupKeys } from '../backup/keys.ts'
import type { KeyRow } from '../screen.ts'

/** The backups of one VM. */

const { vm: _all, ...columns } = backupColumns

export const vmBackupList: ListDef<Backup> = {
  ...backupRows,
  name: 'vm.backups',
  empty: 'no backup: n makes one',
  columns: Object.values(columns),
  rows: (app) => backupsFor(app, app.route().id ?? ''),
}

export function vmBackupKeys(when: (app: AppContext) => boolean): readonly KeyRow[] {
  const chosen = (app: AppContext) => selectedRows(app, vmBackupList).map(backupSubject)
  return [
    { key: 'n', title: 'new backup', operation: 'backup.create', when },
    ...backupKeys(chosen).map((row) => ({ ...row, when })),
  ]
}

/** Whether it can be brought back, and to when. */
export function restorable({ uuid }: Vm, app: AppContext): Span {
  const newest = backupFacts(app).newestGood.get(uuid)
  if (newest !== undefined)
    return span(`✓ can be restored as it was ${formatAge(app.now() - newest.createdAt)} ago`, 'ok')
  const why = backupsFor(app, uuid).length === 0 ? 'there is no backup' : 'no backup of it is good'
  return span(`✗ cannot be restored: ${why}`, 'bad')
}
