import type { Backup, Schedule } from '../../model/backup.ts'
import type { CommandRecord, Job, StepEvent } from '../../model/job.ts'
import type { PerfSample } from '../../model/perf.ts'
import type { Pm } from '../../model/pm.ts'
import type { Storlink } from '../../model/storlink.ts'
import type { Template } from '../../model/template.ts'
import type { Vm } from '../../model/vm.ts'

/** What a change notice names. */
export interface Change {
  readonly kind: 'pm' | 'vm' | 'storlink' | 'template' | 'backup' | 'schedule' | 'job' | 'perf' | 'setting'
  readonly id: string
}

/**
 * The whole inventory in memory: typed, indexed, immutable from outside. Everything here is synchronous and never
 * looks at a host. Lists are the same array until something in them changes.
 */
export interface View {
  /** Counts up with every change. */
  readonly revision: number
  pms(): readonly Pm[]
  getPm(uuid: string): Pm | undefined
  needPm(uuid: string): Pm
  vms(): readonly Vm[]
  vmsOn(pm: string): readonly Vm[]
  getVm(uuid: string): Vm | undefined
  needVm(uuid: string): Vm
  vmsNamed(name: string): readonly Vm[]
  storlinks(): readonly Storlink[]
  getStorlink(id: number): Storlink | undefined
  needStorlink(id: number): Storlink
  templates(): readonly Template[]
  getTemplate(uuid: string): Template | undefined
  needTemplate(uuid: string): Template
  /** Newest first. */
  backups(): readonly Backup[]
  /** Of a VM that may be gone; newest first. */
  backupsOf(vm: string): readonly Backup[]
  getBackup(uuid: string): Backup | undefined
  needBackup(uuid: string): Backup
  /** By the VM's name. */
  schedules(): readonly Schedule[]
  getSchedule(uuid: string): Schedule | undefined
  needSchedule(uuid: string): Schedule
  /** Newest first. */
  jobs(): readonly Job[]
  getJob(id: string): Job | undefined
  needJob(id: string): Job
  /** The job at work on (or stuck on) a subject. */
  jobOn(kind: Job['subject']['kind'], id: string): Job | undefined
  /** The newest sample of a PM or VM. */
  rates(subject: string): PerfSample | undefined
  /** Oldest first, at most one ring. */
  history(subject: string): readonly PerfSample[]
  setting(key: string): string | undefined
}

/** What Jobs shows of one job, read from the store when it is opened. */
export interface JobDetail {
  readonly steps: readonly { readonly name: string; readonly pivot: boolean; readonly undoable: boolean }[]
  readonly events: readonly StepEvent[]
  readonly commands: readonly CommandRecord[]
  readonly locks: readonly string[]
}
