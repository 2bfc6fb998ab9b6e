import { z } from 'zod'
import { isUuid } from '../../../lib/ids.ts'
import type { Backup, BackupVolume } from '../../../model/backup.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Level, Storlink } from '../../../model/storlink.ts'
import { refuseName, type Vm } from '../../../model/vm.ts'
import type { Context, Lock, Operation } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import type { Image } from '../../volumes/volumeDriver.ts'
import { accessPm, isReached, needAccessPm, refuseAccess, refuseGroupChange } from '../storlink/access.ts'

/** What the operations on backups have in common: which one is meant, where its volumes lie and who can see them. */

export const backupField = field(z.string().refine(isUuid, 'is not a UUID'), { title: 'Backup', from: 'backup' })
export const backupParams = z.object({ backup: backupField })
export type BackupParams = z.infer<typeof backupParams>

/** What is done with the backups of one VM is done one after the other: what one lies on must not go meanwhile. */
export function backupsLock(vm: string, mode: Lock['mode']): Lock {
  return { key: `backups:${vm}`, mode }
}

type FromTarget = 'subjectKind' | 'target' | 'subject' | 'locks' | 'touches'

/** An operation on one backup; its VM, if it has one still, is left alone. */
export function backupOperation<P extends BackupParams, F extends Json>(
  operation: Omit<Operation<P, F>, FromTarget> & Partial<Pick<Operation<P, F>, 'subjectKind' | 'subject' | 'touches'>>,
  locks: (params: P, view: View) => readonly Lock[],
): Operation<P, F> {
  return {
    subjectKind: 'backup',
    target: { param: 'backup', kind: 'backup' },
    subject: ({ backup }, view) => ({ kind: 'backup', id: backup, name: nameOf(view.needBackup(backup)) }),
    locks(p, view) {
      const own = storlinkLocks(view.needBackup(p.backup).storlink, view)
      return [...own, ...locks(p, view).filter(({ key }) => !own.some((lock) => lock.key === key))]
    },
    touches: () => [],
    ...operation,
  }
}

/** A storlink and the PM that it is worked on through have to stay. */
export function storlinkLocks(id: number, view: View): Lock[] {
  const row = view.getStorlink(id)
  const pm = row && (accessPm(row, view)?.uuid ?? row.pm)
  return [
    { key: `storlink:${id}`, mode: 'shared' },
    { key: `pm:${pm}`, mode: 'shared' },
  ]
}

/** A backup as it is named to people: its own name and its VM's. */
export function nameOf(backup: Pick<Backup, 'name' | 'vmName'>): string {
  return `${backup.name} of ${backup.vmName}`
}

/** Why nothing can be done on the storlink of a backup, or undefined. */
export function refuseBackupAccess(backup: Pick<Backup, 'storlink'>, view: View): string | undefined {
  return refuseAccess(view.needStorlink(backup.storlink), view)
}

/**
 * Why a VM of that PM, by its UUID, cannot be backed up to a storlink, or undefined: one of another PM is written to by that,
 * which what the disks hold is sent to.
 */
export function refuseBackupPlace(storlink: Storlink, pm: string, view: View): string | undefined {
  return isReached(storlink, pm) ? refuseGroupChange(storlink, pm, view) : refuseAccess(storlink, view)
}

/** Why a new backup of the VM cannot be called so, or undefined. */
export function refuseBackupName(vm: string, name: string, view: View): string | undefined {
  const wrong = refuseName(name)
  if (wrong) return `name: ${wrong}`
  const other = view.backupsOf(vm).find((one) => one.name === name)
  return other && `it has a backup of that name already, ${other.uuid}`
}

/** Where the volumes of a backup lie, as steps need it. */
export type BackupLocation = {
  /** The PM that they are reached through. */
  readonly pm: string
  readonly level: Level
}

/** Where the volumes of a backup are reached. Throws `unreachable` where no PM that sees them is up. Asks nobody. */
export function locationOf(backup: Pick<Backup, 'storlink'>, view: View): BackupLocation {
  const storlink = view.needStorlink(backup.storlink)
  return { pm: needAccessPm(storlink, view).uuid, level: storlink.level }
}

/** A volume of a backup as an image: they are all qcow2, whatever the disk was. */
export function imageOf(volume: Pick<BackupVolume, 'path'>): Image {
  return { path: volume.path, format: 'qcow2' }
}

/**
 * Activates the volumes of a backup on the PM that they are reached through: block devices are inactive after a boot.
 * Throws `notFound` where one of them, or of their backing files, is not there.
 */
export async function activateVolumes(
  backup: Pick<Backup, 'volumes'>,
  { pm, level }: BackupLocation,
  cx: Context,
): Promise<void> {
  const host = cx.host(pm)
  const driver = cx.volumes(level)
  for (const volume of backup.volumes) {
    await driver.activate(host, imageOf(volume), cx.tag)
    await driver.chain(host, imageOf(volume))
  }
}

/**
 * What a backup holds of the disks named, each by its name in the guest then or its UUID; of all where none is. Throws
 * `notFound`, naming those that there are.
 */
export function needVolumes(backup: Backup, named: readonly string[]): readonly BackupVolume[] {
  const there = backup.volumes.map((volume) => volume.vdev).join(', ')
  const wanted = named.map((name) => {
    const volume = backup.volumes.find(({ disk, vdev }) => disk === name.toLowerCase() || vdev === name)
    if (volume) return volume
    throw new PengxError('notFound', `backup ${nameOf(backup)} holds no disk ${name}; it holds ${there}`)
  })
  return wanted.length === 0 ? backup.volumes : backup.volumes.filter((volume) => wanted.includes(volume))
}

/** The row of a VM, as long as it has one. */
export function vmOfBackup(backup: Pick<Backup, 'vm'>, view: View): Vm | undefined {
  const vm = view.getVm(backup.vm)
  return vm?.origin === 'found' ? undefined : vm
}
