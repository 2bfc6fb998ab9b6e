// What pengx has written down, read from its store while it may be at work: jobs, and the backups that no list shows.
import { Database } from 'bun:sqlite'

export interface JobFacts {
  readonly id: string
  readonly number: number
  readonly operation: string
  readonly subjectName: string
  readonly state: string
  readonly by: string
  readonly createdAt: number
  readonly startedAt: number | null
  readonly finishedAt: number | null
  readonly step: string
  readonly message: string
}

interface VolumeFacts {
  readonly vdev: string
  readonly path: string
  readonly bytes: number
  readonly sha256: string
}

export interface BackupFacts {
  readonly uuid: string
  readonly name: string
  readonly vmName: string
  readonly vm: string
  readonly state: string
  readonly kind: 'full' | 'incremental'
  readonly live: boolean
  readonly parent: string | null
  /** Milliseconds since 1970: of the moment, and of the last time that it was read back. */
  readonly createdAt: number
  readonly checkedAt: number
  readonly volumes: readonly VolumeFacts[]
}

export interface StoreFacts {
  readonly jobs: readonly JobFacts[]
  readonly backups: readonly BackupFacts[]
  /** Why the last time of a schedule did not come to a backup. */
  readonly problems: readonly string[]
}

export function readStore(path: string): StoreFacts {
  const database = new Database(path, { readonly: true })
  try {
    database.run('PRAGMA busy_timeout = 10000')
    const all = <Row>(sql: string) => database.query<Row, []>(sql).all()
    const volumes = all<VolumeFacts & { backup: string }>(
      'SELECT backup, vdev, path, bytes, sha256 FROM backupVolumes ORDER BY vdev',
    )
    const backups = all<Omit<BackupFacts, 'volumes' | 'live'> & { live: number }>(
      'SELECT uuid, name, vmName, vm, state, kind, live, parent, createdAt, checkedAt FROM backups ORDER BY createdAt',
    )
    return {
      jobs: all<JobFacts>(
        'SELECT id, number, operation, subjectName, state, "by", createdAt, startedAt, finishedAt, step, message FROM jobs',
      ),
      backups: backups.map((backup) => ({
        ...backup,
        live: backup.live === 1,
        volumes: volumes
          .filter((volume) => volume.backup === backup.uuid)
          .map(({ vdev, path, bytes, sha256 }) => ({ vdev, path, bytes, sha256 })),
      })),
      problems: all<{ vmName: string; problem: string }>(
        'SELECT vmName, problem FROM schedules WHERE problem IS NOT NULL',
      ).map(({ vmName, problem }) => `${vmName}: ${problem}`),
    }
  } finally {
    database.close()
  }
}

/** Those that nobody is done with. */
export const openJobs = ({ jobs }: Pick<StoreFacts, 'jobs'>): JobFacts[] =>
  jobs.filter(({ state }) => ['queued', 'running', 'undoing'].includes(state))
