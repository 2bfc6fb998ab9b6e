import type { Job } from '../job.ts'
import { volumesOf } from '../layer.ts'
import type { Noun, NounLists } from '../noun.ts'

type Rows = Pick<NounLists, 'vms' | 'templates' | 'backups'> & {
  jobOn(kind: Noun, id: string): Job | undefined
}

/**
 * Paths of all volumes that are remembered to lie on a storlink: of VMs, their snapshots, templates and backups. Of what a job
 * is making nobody knows yet whether it is there.
 */
export function pathsOn(storlink: number, rows: Rows): string[] {
  const isMade = (kind: Noun, id: string, createdAt = 0) =>
    createdAt < (rows.jobOn(kind, id)?.createdAt ?? Number.POSITIVE_INFINITY)
  const volumes = [
    ...rows.vms().flatMap((vm) => {
      const made = new Map(vm.disks.map((disk) => [disk.path, disk.createdAt]))
      return volumesOf(vm).filter(({ path }) => isMade('vm', vm.uuid, made.get(path)))
    }),
    ...rows.templates().flatMap(({ uuid, disks }) => disks.filter((disk) => isMade('template', uuid, disk.createdAt))),
    ...rows
      .backups()
      .filter((backup) => isMade('backup', backup.uuid, backup.createdAt))
      .flatMap((backup) => backup.volumes.map(({ path }) => ({ path, storlink: backup.storlink }))),
  ]
  return volumes.flatMap((volume) => (volume.storlink === storlink ? volume.path : []))
}
