import { type Backup, type BackupVolume, chainOf } from '../../../model/backup.ts'
import { PengxError, toPengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import { run } from '../../host/run.ts'
import type { ChangingStep, Context, Step } from '../../jobs/operation.ts'
import { fileExists } from '../../tools/files.ts'
import { manifestPath } from './manifest.ts'
import {
  activateVolumes,
  type BackupLocation,
  type BackupParams,
  backupOperation,
  backupParams,
  backupsLock,
  locationOf,
  nameOf,
  refuseBackupAccess,
} from './target.ts'

/**
 * Reads a backup, and all that it lies on, from its disk and compares it with the digests of the day it was made. What
 * is found is written down as it is found: one that is damaged counts as failed from that moment.
 */
type Facts = BackupLocation & { readonly chain: readonly (Backup & Json)[]; readonly manifest: string }

/** What was found to be so is so, whatever becomes of the job: there is nothing to take back. */
const FINDS = { isApplied: async () => 'again', undo: async () => undefined } satisfies Partial<ChangingStep>

/** Where the manifest is gone too, the storlink is not what it was (not mounted?): that says nothing about the backup. */
function storlinkStep({ chain, manifest, ...location }: Facts): Step {
  const [top] = chain
  return {
    name: 'look at the storlink',
    async do(cx) {
      const driver = cx.volumes(location.level)
      const host = cx.host(location.pm)
      if (location.level !== 'FL') await driver.activate(host, { path: manifest, format: 'raw' }, cx.tag)
      const there = await run(host, fileExists(manifest), cx.signal)
      if (there.exit !== 0) {
        const text = `nothing of backup ${nameOf(top!)} is there, not even ${manifest}: is the storlink what it was?`
        throw new PengxError('refused', text)
      }
      await activateVolumes(top!, location, cx).catch(() => undefined)
      return null
    },
    // Volumes that it has activated stay so: they read the same.
    ...FINDS,
  }
}

function readStep(backup: Backup, volume: BackupVolume, { pm, level }: BackupLocation): Step {
  return {
    name: `read ${volume.vdev} of ${backup.name}`,
    weight: Math.max(1, Math.round(volume.bytes / (1024 * 1024 * 100))),
    shows: [`sha256sum ${volume.path}`],
    async do(cx) {
      try {
        const found = await cx.volumes(level).digest(cx.host(pm), volume.path, cx.signal)
        if (found.sha256 === volume.sha256 && found.bytes === volume.bytes) return null
        const text = `${volume.path} is not what it was: ${found.sha256} of ${found.bytes} bytes`
        throw new PengxError('commandFailed', `${text}, and not ${volume.sha256} of ${volume.bytes}`)
      } catch (error) {
        const { code, message } = toPengxError(error)
        if (code === 'commandFailed' || code === 'notFound') await markFailed(backup.uuid, message, cx)
        throw error
      }
    },
    ...FINDS,
  }
}

function isVerifiedSince({ uuid, checkedAt }: Backup, cx: Context): boolean {
  const now = cx.view.getBackup(uuid)
  return now?.state === 'verified' && now.checkedAt !== checkedAt
}

async function markFailed(uuid: string, problem: string, cx: Context): Promise<void> {
  const row = cx.view.getBackup(uuid)
  if (row) await cx.inventory.putBackup({ ...row, state: 'failed', checkedAt: cx.clock.now(), problem })
}

export const backupVerify = backupOperation<BackupParams, Facts & Json>(
  {
    name: 'backup.verify',
    title: 'verify backup',
    help: 'Reads a backup and all that it lies on from the storlink and compares it with its digests.',
    danger: 'safe',
    params: backupParams,
    refuse: ({ backup }, view) => refuseBackupAccess(view.needBackup(backup), view),
    async gather({ backup }, cx) {
      const row = cx.view.needBackup(backup)
      const chain = chainOf(row, cx.view.backupsOf(row.vm)) as readonly (Backup & Json)[]
      const manifest = manifestPath(backup, cx.view.needStorlink(row.storlink), cx)
      return { ...locationOf(row, cx.view), chain, manifest }
    },
    plan: (_params, facts) => [
      storlinkStep(facts),
      ...[...facts.chain].reverse().flatMap((one) => one.volumes.map((volume) => readStep(one, volume, facts))),
      {
        name: 'record',
        async do(cx) {
          const checkedAt = cx.clock.now()
          for (const { uuid } of facts.chain) {
            const { problem: _gone, ...row } = cx.view.needBackup(uuid)
            await cx.inventory.putBackup({ ...row, state: 'verified', checkedAt })
          }
          return null
        },
        isApplied: async (cx) => facts.chain.every((before) => isVerifiedSince(before, cx)) || 'again',
        async undo(cx) {
          for (const before of facts.chain) if (cx.view.getBackup(before.uuid)) await cx.inventory.putBackup(before)
        },
      },
    ],
  },
  ({ backup }, view) => [backupsLock(view.needBackup(backup).vm, 'shared')],
)
