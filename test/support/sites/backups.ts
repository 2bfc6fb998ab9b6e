import { newUuid } from '../../../src/lib/ids.ts'
import { type Backup, type BackupVolume, specOf } from '../../../src/model/backup.ts'
import { aDisk, aVm } from '../../engine/store/samples.ts'

/** A good full backup of some VM with one disk. */
export function aBackup(more: Partial<Backup> = {}): Backup {
  const uuid = more.uuid ?? newUuid()
  const vm = aVm(newUuid(), { uuid: more.vm ?? newUuid(), name: 'web01', disks: [aDisk('xvda')] })
  return {
    uuid,
    vm: vm.uuid,
    vmName: vm.name,
    name: `backup-${uuid.slice(0, 8)}`,
    desc: '',
    storlink: 1,
    kind: more.parent === undefined ? 'full' : 'incremental',
    depth: 0,
    live: true,
    state: 'verified',
    checkedAt: 2_000,
    spec: specOf(vm),
    volumes: vm.disks.map((disk) => aBackupVolume(disk.uuid)),
    createdAt: 1_000,
    ...more,
  }
}

function aBackupVolume(disk = newUuid(), more: Partial<BackupVolume> = {}): BackupVolume {
  const uuid = newUuid()
  const path = `/srv/backups/${uuid}.qcow2`
  return { uuid, disk, vdev: 'xvda', format: 'qcow2', sizeMib: 64, path, bytes: 123_456, sha256: 'ab', ...more }
}
