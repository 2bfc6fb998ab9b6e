import type { JobState, StepEventKind, Subject } from '../../../model/job.ts'
import type { Noun } from '../../../model/noun.ts'
import type { BackupRow, BackupVolumeRow, ScheduleRow } from './backupSchema.ts'

/**
 * The tables as queries see them; `migrations.ts` makes them. Times are milliseconds since 1970, flags 0 or 1, columns
 * named `…Json` hold JSON. `rev` is the revision in which a row was last written: other processes read what is newer
 * than what they have.
 */
export interface Tables {
  counters: CounterRow
  tombstones: TombstoneRow
  settings: SettingRow
  pms: PmRow
  storlinks: StorlinkRow
  vms: VmRow
  disks: DiskRow
  nics: NicRow
  layers: LayerRow
  layerVolumes: LayerVolumeRow
  templates: TemplateRow
  templateDisks: TemplateDiskRow
  backups: BackupRow
  backupVolumes: BackupVolumeRow
  schedules: ScheduleRow
  controllers: ControllerRow
  jobs: JobRow
  jobEvents: JobEventRow
  jobCommands: JobCommandRow
  secrets: SecretRow
  locks: LockRow
  perf: PerfRow
}

/**
 * `revision`, `job`, `nic` and `storlink` count up and never give a number twice; `forgotten` is the newest revision
 * whose tombstones are gone, so who has seen less must read everything.
 */
export interface CounterRow {
  name: 'revision' | 'job' | 'nic' | 'storlink' | 'forgotten'
  value: number
}

export interface TombstoneRow {
  kind: Noun | 'job'
  id: string
  at: number
  rev: number
}

interface SettingRow {
  key: string
  value: string
  rev: number
}

export interface PmRow {
  uuid: string
  name: string
  destination: string
  cpuCount: number
  memoryMib: number
  readOnly: number
  createdAt: number
  seenJson: string
  rev: number
}

export interface StorlinkRow {
  id: number
  uuid: string | null
  problemsJson: string | null
  pm: string
  name: string
  link: string
  type: string
  level: string
  shared: number
  desc: string
  sizeMib: number
  freeMib: number
  createdAt: number
  rev: number
}

export interface VmRow {
  uuid: string
  pm: string
  name: string
  domainName: string
  origin: string
  type: string
  vcpuCount: number
  maxVcpuCount: number
  memoryMib: number
  maxmemMib: number
  bootJson: string
  /** Without the password. */
  vncJson: string | null
  vncPassword: string | null
  drivesJson: string
  extraConfig: string
  desc: string
  os: string
  osArch: string
  template: string | null
  layer: string | null
  createdAt: number
  bootedAt: number | null
  configPath: string | null
  otherConfigsJson: string
  configForeign: number
  seenJson: string
  rev: number
}

/** `managed` repeats what the VM's origin says, for constraints that hold only among managed VMs. */
export interface DiskRow {
  uuid: string
  vm: string
  managed: number
  position: number
  vdev: string
  format: string
  sizeMib: number | null
  path: string
  storlink: number | null
  readOnly: number
  base: string | null
  owned: number
  backend: string | null
  extra: string | null
  desc: string
  createdAt: number
}

export interface NicRow {
  id: number
  vm: string
  managed: number
  position: number
  name: string
  mac: string
  bridge: string
  ip: string
  model: string | null
  extra: string | null
}

/** Frozen ones alone. `parentNumber` repeats the parent's, for the constraint that it is smaller. */
export interface LayerRow {
  uuid: string
  vm: string
  number: number
  parent: string | null
  parentNumber: number | null
  name: string | null
  note: string
  type: string
  createdAt: number
}

export interface LayerVolumeRow {
  uuid: string
  layer: string
  position: number
  disk: string
  vdev: string
  format: string
  sizeMib: number | null
  path: string
  storlink: number | null
  base: string | null
  owned: number
}

export interface TemplateRow {
  uuid: string
  pm: string
  name: string
  os: string
  osArch: string
  desc: string
  type: string
  bootJson: string
  createdAt: number
  bootedAt: number | null
  rev: number
}

export interface TemplateDiskRow {
  uuid: string
  template: string
  position: number
  format: string
  sizeMib: number
  path: string
  storlink: number
  desc: string
  createdAt: number
}

interface ControllerRow {
  id: string
  machineBootId: string
  pid: number
  startTicks: number
  pidNamespace: string
  startedAt: number
}

export interface JobRow {
  id: string
  number: number
  operation: string
  subjectKind: Subject['kind']
  subjectId: string
  subjectName: string
  state: JobState
  by: string
  progress: number
  step: string
  stepIndex: number
  stepCount: number
  pivotIndex: number | null
  createdAt: number
  startedAt: number | null
  finishedAt: number | null
  code: string | null
  message: string
  queuePosition: number | null
  away: string | null
  retries: number
  acknowledged: number
  cancelRequested: number
  owner: string | null
  paramsJson: string
  locksJson: string
  factsJson: string | null
  planJson: string | null
  resultJson: string | null
  rev: number
}

export interface JobEventRow {
  job: string
  seq: number
  step: number
  name: string
  kind: StepEventKind
  at: number
  outputJson: string | null
  message: string | null
}

export interface JobCommandRow {
  job: string
  seq: number
  host: string
  line: string
  at: number
  tookMs: number | null
  exit: number | null
  output: string
}

interface SecretRow {
  job: string
  key: string
  value: string
}

/** `number` is the job's: the order of the queue. */
export interface LockRow {
  key: string
  job: string
  number: number
  mode: 'exclusive' | 'shared'
  state: 'held' | 'waiting'
}

interface PerfRow {
  subject: string
  page: number
  samples: Uint8Array
}
