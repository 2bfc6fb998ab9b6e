import type { Clock } from '../../../lib/clock.ts'
import type { By, CommandRecord, Job, JobState, StepEvent, Subject } from '../../../model/job.ts'
import type { Json } from '../../../model/json.ts'
import type { Memory } from '../memory/memory.ts'
import type { Database } from '../sqlite/database.ts'
import type { Write } from '../sqlite/revisions.ts'
import type { JobDetail } from '../view.ts'
import type { Controller } from './controllers.ts'
import type { LockRequest } from './locks.ts'

interface NewJob {
  readonly operation: string
  readonly subject: Subject
  readonly by: By
  /** Without secrets: those stand in `secrets`. */
  readonly params: Json
  readonly locks: readonly LockRequest[]
  /** Kept apart until the job is over, then dropped with it. */
  readonly secrets?: Readonly<Record<string, string>>
}

export type PlannedStep = JobDetail['steps'][number]

/** What can change in a job; a key that is there with `undefined` is cleared. */
export type JobPatch = Partial<
  Pick<
    Job,
    | 'state'
    | 'progress'
    | 'step'
    | 'stepIndex'
    | 'stepCount'
    | 'pivotIndex'
    | 'startedAt'
    | 'finishedAt'
    | 'code'
    | 'message'
    | 'queuePosition'
    | 'away'
    | 'acknowledged'
  >
> & { readonly result?: Json | undefined; readonly locks?: readonly LockRequest[] }

export type JobProgress = Partial<Pick<Job, 'progress' | 'step' | 'stepIndex' | 'queuePosition' | 'away'>>

export interface CommandEnd {
  readonly tookMs: number
  /** Absent where it was killed or lost. */
  readonly exit?: number
  readonly output: string
  /** It only read: one that asked the same just before it, and ended the same way, is forgotten. */
  readonly polls?: boolean
}

/** A job with all that is needed to finish or unwind it after a crash. */
export interface StoredJob {
  readonly job: Job
  readonly owner?: Controller
  readonly params: Json
  readonly locks: readonly LockRequest[]
  /** Absent until gathered. */
  readonly facts?: Json
  /** The plan as it was journalled; absent until then. */
  readonly plan?: readonly PlannedStep[]
  readonly result?: Json
  readonly events: readonly StepEvent[]
  readonly cancelRequested: boolean
}

/** A job and what it looked up before it began. */
export interface JobFacts {
  readonly job: Pick<Job, 'id' | 'number' | 'operation' | 'state'>
  readonly facts: Json
}

/** Jobs and their journals. What these promises resolve on is on disk, commands and progress apart. */
export interface JobRows {
  /** Queued, owned by this controller, with the next number of the site. */
  create(job: NewJob): Promise<Job>
  /** Forgets a job that was refused before it began, with its locks: a refusal makes no job. */
  discard(id: string): Promise<void>
  /** Journals what gather found and the plan that follows from it; sets stepCount and pivotIndex. */
  recordPlan(
    id: string,
    plan: {
      readonly facts: Json
      readonly steps: readonly PlannedStep[]
      readonly secrets?: Readonly<Record<string, string>>
    },
  ): Promise<void>
  /**
   * Writes at once. With `onlyFrom` it happens only while the job is in one of those states, and the answer says whether
   * it did: of two processes that try at once, one wins. Who sets a job to work (queued, running, undoing) owns it. A
   * state that is over drops its locks and secrets in the same transaction.
   */
  update(id: string, patch: JobPatch, onlyFrom?: readonly JobState[]): Promise<boolean>
  /**
   * Takes on to try a stuck job again, and writes down how often that was done then; true for one of all processes that
   * see it as it is now, and once.
   */
  takeRetry(id: string, retries: number): Promise<boolean>
  /** The view has it at once, the disk within half a second. */
  progress(id: string, progress: JobProgress): void
  /** What its step says of itself, in this process's view alone. */
  tell(id: string, step: string): void
  /** On disk when it resolves: before the thing happens that it announces. */
  appendEvent(id: string, event: Omit<StepEvent, 'seq' | 'at'>): Promise<StepEvent>
  /** Resolves with its seq, under which `finishCommand` completes it. */
  appendCommand(id: string, command: Omit<CommandRecord, 'seq'>): Promise<number>
  finishCommand(id: string, seq: number, end: CommandEnd): Promise<void>
  secrets(id: string): Promise<Readonly<Record<string, string>>>
  /** Fails with `notFound`. */
  load(id: string): Promise<StoredJob>
  detail(id: string): Promise<JobDetail>
  /** What jobs of those operations, and all that are not over, have gathered, oldest first; those that have not yet are left out. */
  factsOf(operations: readonly string[]): Promise<readonly JobFacts[]>
  /** Takes over what dead controllers have left queued, running or undoing; of several that try, one gets a job. */
  claimJobs(): Promise<readonly StoredJob[]>
  /** Asks the owner, whichever process that is, to cancel it. */
  requestCancel(id: string): Promise<void>
  cancelRequested(id: string): boolean
  /** Forgets finished jobs but the newest `keep`; done by itself from time to time. */
  prune(keep?: number): Promise<void>
  /** Writes progress that is not on disk yet. */
  flush(): Promise<void>
}

export interface JobDeps {
  readonly database: Database
  readonly memory: Memory
  readonly clock: Clock
  readonly controller: Controller
  readonly write: Write
  isDead(owner: Controller): boolean
}
