import { z } from 'zod'
import { type Backup, isGood, lyingOnBackup, storedMib } from '../../../model/backup.ts'
import type { Json } from '../../../model/json.ts'
import { pruned } from '../../../model/schedule/retention.ts'
import type { Context, Effects, Operation, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { removeAside, setAside } from '../storlink/asideVolume.ts'
import { isManifestThere, manifestPath, removeManifest } from './manifest.ts'
import { retentionFields } from './retentionFields.ts'
import {
  type BackupLocation,
  type BackupParams,
  backupOperation,
  backupParams,
  backupsLock,
  locationOf,
  nameOf,
  refuseBackupAccess,
  storlinkLocks,
} from './target.ts'

/**
 * Deleting sets the volumes aside first, so that they can still come back; then the backups are forgotten, which is the
 * point of no return; only then is anything removed. One that another lies on is never deleted before that.
 */
type Removal = BackupLocation & { readonly backup: Backup & Json; readonly manifest: string }
type Facts = { readonly doomed: readonly Removal[] }

function gatherDoomed(backups: readonly Backup[], cx: Context): Facts {
  const doomed = backups.map((backup): Removal => {
    const manifest = manifestPath(backup.uuid, cx.view.needStorlink(backup.storlink), cx)
    return { ...locationOf(backup, cx.view), backup: backup as Backup & Json, manifest }
  })
  return { doomed }
}

function planRemoval({ doomed }: Facts): Step[] {
  if (doomed.length === 0) return []
  const names = doomed.map(({ backup }) => backup.name)
  return [
    ...doomed.flatMap(asideSteps),
    {
      name: `forget ${names.length === 1 ? names[0] : `${names.length} backups`}`,
      pivot: true,
      async do(cx) {
        for (const { backup } of doomed) await cx.inventory.dropBackup(backup.uuid)
        return null
      },
      isApplied: async (cx) => doomed.every(({ backup }) => cx.view.getBackup(backup.uuid) === undefined),
      async undo(cx) {
        for (const { backup } of [...doomed].reverse()) await cx.inventory.putBackup(backup)
      },
    },
    ...doomed.flatMap(removeSteps),
  ]
}

/** A step a volume: one that finds something in its way has done nothing, and is not undone. */
function asideSteps({ backup, pm, level }: Removal): Step[] {
  return backup.volumes.map(({ vdev, path }) => ({
    name: `set ${vdev} of ${backup.name} aside`,
    shows: [`set aside ${path}`],
    ...setAside(pm, { path, level }),
  }))
}

function removeSteps({ backup, pm, level, manifest }: Removal): Step[] {
  return [
    ...backup.volumes.map(({ vdev, path }) => ({
      name: `remove ${vdev} of ${backup.name}`,
      shows: [`remove ${path}`],
      ...removeAside(pm, { path, level }),
    })),
    {
      name: `remove the manifest of ${backup.name}`,
      shows: [`remove ${manifest}`],
      async do(cx) {
        await removeManifest(manifest, { pm, level }, cx)
        return null
      },
      isApplied: async (cx) => !(await isManifestThere(manifest, { pm, level }, cx)) || 'again',
    },
  ]
}

function effectsOf({ doomed }: Facts): Effects {
  return { frees: doomed.map(({ backup }) => `${backup.name} (${storedMib(backup)} MiB)`) }
}

export const backupDelete = backupOperation<BackupParams, Facts & Json>(
  {
    name: 'backup.delete',
    title: 'delete backup',
    help: 'Removes a backup that no other lies on.',
    danger: 'destroys',
    params: backupParams,
    refuse({ backup }, view) {
      const row = view.needBackup(backup)
      const above = lyingOnBackup(row, view.backupsOf(row.vm)).map((one) => one.name)
      if (above.length > 0)
        return `${above.join(', ')} ${above.length === 1 ? 'lies' : 'lie'} on it and would be lost: delete that first`
      return refuseBackupAccess(row, view)
    },
    async gather({ backup }, cx) {
      const row = cx.view.needBackup(backup)
      const all = cx.view.backupsOf(row.vm)
      if (isGood(row, all) && !all.some((other) => other !== row && isGood(other, all)))
        cx.notice(`it is the last good backup of ${row.vmName}`)
      return gatherDoomed([row], cx)
    },
    plan: (_params, facts) => planRemoval(facts),
    effects: (_params, facts) => effectsOf(facts),
  },
  ({ backup }, view) => [backupsLock(view.needBackup(backup).vm, 'exclusive')],
)

const pruneParams = z.object({
  vm: field(z.string().min(1), { title: 'VM', from: 'vm' }),
  storlink: field(z.number().int(), { title: 'Storlink', from: 'storlink' }),
  ...retentionFields,
})
type PruneParams = z.infer<typeof pruneParams>

function onStorlink({ vm, storlink }: PruneParams, view: View): readonly Backup[] {
  return view.backupsOf(vm).filter((backup) => backup.storlink === storlink)
}

export const backupPrune: Operation<PruneParams, Facts & Json> = {
  name: 'backup.prune',
  title: 'prune backups of',
  help: 'Removes what need not be kept of a VM’s backups on a storlink; the last good one always stays.',
  danger: 'destroys',
  subjectKind: 'storlink',
  target: { param: 'vm', kind: 'vm' },
  params: pruneParams,
  subject({ vm, storlink }, view) {
    const name = view.getVm(vm)?.name ?? view.backupsOf(vm)[0]?.vmName ?? vm
    return { kind: 'storlink', id: String(storlink), name }
  },
  locks: ({ vm, storlink }, view) => [backupsLock(vm, 'exclusive'), ...storlinkLocks(storlink, view)],
  refuse(p, view) {
    const row = view.needStorlink(p.storlink)
    const [first] = onStorlink(p, view)
    if (!first) return `it has no backup on storlink ${row.name}`
    return refuseBackupAccess(first, view)
  },
  async gather(p, cx) {
    const gone = pruned(onStorlink(p, cx.view), p)
    if (gone.length === 0) cx.notice('there is nothing that need not be kept')
    return gatherDoomed(gone, cx)
  },
  plan: (_params, facts) => planRemoval(facts),
  effects(_params, facts) {
    const { frees = [] } = effectsOf(facts)
    return { frees }
  },
  result: (_params, { doomed }) => ({ removed: doomed.map(({ backup }) => nameOf(backup)) }),
  touches: () => [],
}
