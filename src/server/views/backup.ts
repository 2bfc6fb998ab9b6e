import { type Backup, storedMib } from '../../model/backup.ts'
import type { PlacedDisk } from './disk.ts'
import type { Shape } from './shape.ts'

/** A backup, which may outlive its VM; what stands behind its size is not in the document. */
export const backupShape: Shape<Backup> = {
  name: 'vmbackup',
  id: (backup) => backup.uuid,
  fields: [
    { kind: 'text', name: 'name', get: (backup) => backup.name },
    { kind: 'ref', name: 'vm', get: (backup) => backup.vm },
    { kind: 'time', name: 'date', get: (backup) => backup.createdAt },
    { kind: 'number', name: 'size', help: 'MiB, what it takes of its storlink', get: storedMib },
    { kind: 'text', name: 'desc', get: (backup) => backup.desc },
    { kind: 'number', name: 'storlink', get: (backup) => backup.storlink },
    { kind: 'text', name: 'kind', help: 'full or incremental', get: (backup) => backup.kind },
    { kind: 'text', name: 'full_because', help: 'why it is no incremental one', get: (backup) => backup.fullBecause },
    { kind: 'text', name: 'parent', help: 'UUID of the backup that it lies on', get: (backup) => backup.parent },
    { kind: 'text', name: 'state', help: 'verified, unverified or failed', get: (backup) => backup.state },
    { kind: 'time', name: 'checked', help: 'when it was last read back', get: (backup) => backup.checkedAt },
    { kind: 'text', name: 'problem', help: 'what was wrong with it then', get: (backup) => backup.problem },
    { kind: 'time', name: 'drilled', help: 'when it was last booted for proof', get: (backup) => backup.drilledAt },
    { kind: 'text', name: 'drill_problem', help: 'why it did not come up then', get: (backup) => backup.drillProblem },
  ],
}

/** Its volumes, with ids of their own, as old as the backup. */
export function volumesOfBackup({ uuid: owner, storlink, createdAt, volumes }: Backup): PlacedDisk[] {
  return volumes.map(({ uuid, sizeMib, sha256 }, order) => ({
    disk: { uuid, sizeMib, desc: `sha256 ${sha256}`, createdAt, format: 'qcow2', storlink },
    owner,
    order,
  }))
}
