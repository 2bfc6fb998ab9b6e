import { formatAge } from '../../lib/age.ts'
import { getOrMake } from '../../lib/getOrMake.ts'
import { type Backup, goodBackups } from '../../model/backup.ts'
import type { Vm } from '../../model/vm.ts'
import { type Span, span } from '../../ui/line.ts'
import type { AppContext } from '../app/context.ts'
import { backupSign, type Sign } from '../words.ts'

/** What is known of all backups together, gathered once for each state of their list. */
interface BackupFacts {
  readonly byUuid: ReadonlyMap<string, Backup>
  /** By VM, which may be gone; the newest first. */
  readonly byVm: ReadonlyMap<string, readonly Backup[]>
  /** Those that a VM can be restored from. */
  readonly good: ReadonlySet<string>
  /** By VM. */
  readonly newestGood: ReadonlyMap<string, Backup>
  /** Those that lie on one right away. */
  readonly lyingOn: ReadonlyMap<string, readonly Backup[]>
}

const gathered = new WeakMap<readonly Backup[], BackupFacts>()
const NONE: readonly Backup[] = []

export function backupFacts(app: AppContext): BackupFacts {
  const all = app.view().backups()
  return getOrMake(gathered, all, () => {
    const good = goodBackups(all)
    const newestGood = new Map<string, Backup>()
    const lyingOn = new Map<string, Backup[]>()
    for (const backup of all) {
      const newest = newestGood.get(backup.vm)
      if (good.has(backup.uuid) && (newest === undefined || backup.createdAt > newest.createdAt))
        newestGood.set(backup.vm, backup)
      if (backup.parent !== undefined) getOrMake(lyingOn, backup.parent, () => []).push(backup)
    }
    const byVm = Map.groupBy(all, ({ vm }) => vm)
    return { byUuid: new Map(all.map((backup) => [backup.uuid, backup])), byVm, good, newestGood, lyingOn }
  })
}

/** Of one VM, the same array until the list of backups changes. */
export function backupsFor(app: AppContext, vm: string): readonly Backup[] {
  return backupFacts(app).byVm.get(vm) ?? NONE
}

export function signOf(app: AppContext, backup: Backup): Sign {
  return backupSign(backup, backupFacts(app).good.has(backup.uuid), app.now())
}

/** How long ago the newest backup was taken that a VM can be restored from; else that there is none. */
export function backupAge({ uuid, origin }: Vm, app: AppContext): Span {
  const newest = backupFacts(app).newestGood.get(uuid)
  if (newest !== undefined) return span(formatAge(app.now() - newest.createdAt))
  if (backupsFor(app, uuid).length > 0) return span('none good', 'bad')
  return span('never', origin === 'found' ? 'dim' : 'warn')
}
