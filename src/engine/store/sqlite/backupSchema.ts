/** Tables of `schema.ts` that hold backups and when they are made. They refer to VMs that may be gone. */
export interface BackupRow {
  uuid: string
  vm: string
  vmName: string
  name: string
  desc: string
  storlink: number
  kind: string
  fullBecause: string | null
  parent: string | null
  parentDepth: number | null
  depth: number
  live: number
  state: string
  checkedAt: number | null
  problem: string | null
  drilledAt: number | null
  drillProblem: string | null
  specJson: string
  createdAt: number
  rev: number
}

export interface BackupVolumeRow {
  uuid: string
  backup: string
  position: number
  disk: string
  vdev: string
  format: string
  sizeMib: number
  path: string
  bytes: number
  sha256: string
}

export interface ScheduleRow {
  uuid: string
  vm: string
  vmName: string
  filter: string | null
  what: string
  storlink: number
  cron: string
  incremental: number
  rateMib: number
  keepLast: number
  keepHourly: number
  keepDaily: number
  keepWeekly: number
  keepMonthly: number
  enabled: number
  createdAt: number
  takenAt: number | null
  problem: string | null
  rev: number
}
