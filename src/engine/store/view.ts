import type { Backup } from '../../model/backup.ts'
import type { CommandRecord, Job, StepEvent, Subject } from '../../model/job.ts'
import type { Noun, NounLists } from '../../model/noun.ts'
import type { PerfSample } from '../../model/perf.ts'
import type { StoreTrouble } from '../../model/storeTrouble.ts'
import type { Vm } from '../../model/vm.ts'

/** What a change notice names. */
export interface Change {
  readonly kind: Noun | 'job' | 'perf' | 'setting' | 'store'
  readonly id: string
}

/**
 * The whole inventory in memory: typed, indexed, immutable from outside. Everything here is synchronous and never
 * looks at a host. Lists are the same array until something in them changes; their order is that of the table of row
 * kinds: by name, backups and jobs the newest first.
 */
export interface View extends NounLists {
  /** Counts up with every change. */
  readonly revision: number
  vmsOn(pm: string): readonly Vm[]
  vmsNamed(name: string): readonly Vm[]
  /** Of a VM that may be gone. */
  backupsOf(vm: string): readonly Backup[]
  jobs(): readonly Job[]
  getJob(id: string): Job | undefined
  /** Fails with `notFound`. */
  needJob(id: string): Job
  /** The job at work on (or stuck on) a subject. */
  jobOn(kind: Subject['kind'], id: string): Job | undefined
  /** The newest sample of a PM or VM. */
  rates(subject: string): PerfSample | undefined
  /** Oldest first, at most one ring. */
  history(subject: string): readonly PerfSample[]
  setting(key: string): string | undefined
  /** Why nothing can be written down at the moment; a change of it is a notice of the kind `store`. */
  readonly storeTrouble: StoreTrouble | undefined
}

/** What Jobs shows of one job, read from the store when it is opened. */
export interface JobDetail {
  readonly steps: readonly { readonly name: string; readonly pivot: boolean; readonly undoable: boolean }[]
  readonly events: readonly StepEvent[]
  readonly commands: readonly CommandRecord[]
  readonly locks: readonly string[]
}
