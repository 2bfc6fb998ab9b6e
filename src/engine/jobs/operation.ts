import type { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import type { By, Subject } from '../../model/job.ts'
import type { Json } from '../../model/json.ts'
import type { Noun } from '../../model/noun.ts'
import type { Level } from '../../model/storlink.ts'
import type { Host } from '../host/host.ts'
import type { ShownKey } from '../host/hosts.ts'
import type { DomainSeen } from '../hypervisor/domain.ts'
import type { Hypervisor } from '../hypervisor/hypervisor.ts'
import type { Inventory } from '../store/inventory.ts'
import type { JobFacts } from '../store/jobs/jobRows.ts'
import type { View } from '../store/view.ts'
import type { GroupPlace } from '../volumes/groupPlace.ts'
import type { VolumeDriver } from '../volumes/volumeDriver.ts'

/** `safe` asks nothing, `disrupts` asks for y, `destroys` asks for the name. */
export type Danger = 'safe' | 'disrupts' | 'destroys'

/** A thing that an operation needs for itself (`exclusive`) or needs to stay as it is (`shared`). */
export interface Lock {
  /** `vm:UUID`, `pm:UUID`, `storlink:ID`, `name:vm:NAME`, … */
  readonly key: string
  readonly mode: 'exclusive' | 'shared'
}

/** What a step or a look works with. */
export interface Context {
  readonly jobId: string
  readonly by: By
  readonly view: View
  readonly inventory: Inventory
  readonly hypervisor: Hypervisor
  readonly clock: Clock
  /** Aborted when the job is cancelled before its pivot. */
  readonly signal: AbortSignal
  /** The job was cut off: what `gather` found may not be so any more. */
  readonly afterGap: boolean
  /** Under which a command of the step at work is found again after a crash. */
  readonly tag: string
  /** A PM's host; its commands are kept with the job. */
  host(pm: string): Host
  /** A machine that is not a PM yet, by how it is reached: `ssh:root@xen5`. */
  hostAt(destination: string): Host
  /** The key that a machine shows now, without logging in: for `pm.trust`. */
  hostKey(destination: string): Promise<ShownKey>
  /** Writes a machine's key down in known_hosts; `refused` where it shows another, done where it is there. */
  trustKey(destination: string, fingerprint: string): Promise<void>
  /** Takes exactly that line out again; none there is done. */
  distrustKey(destination: string, fingerprint: string): Promise<void>
  /** The driver of a level, which writes nowhere where a storlink's marker is not; `unsupported` where there is none. */
  volumes(level: Level): VolumeDriver
  /** Where the volume group of that name, which a PM sees, is changed. */
  groupAt(pm: string, group: string): GroupPlace
  /** How far the step at work is, 0 to 1, and what it says of itself. */
  progress(done: number, text?: string): void
  /** Looks at the domains of a PM now and brings the store up to date before going on. */
  look(pm: string): Promise<readonly DomainSeen[]>
  /** Records what a command brought along about a PM's domains, so that no look is needed after it. */
  saw(pm: string, domains: readonly DomainSeen[]): Promise<void>
  /** Output of an earlier step of this job. */
  output(step: string): Json | undefined
  /** What jobs of those operations, and all that are not over, have gathered, oldest first. */
  jobFacts(operations: readonly string[]): Promise<readonly JobFacts[]>
  /** A line for the person who asked, kept with the job: `the backup is a full one, because …`. */
  notice(text: string): void
}

/**
 * Whether a step's effect is there. `again`: it is not, or half of it is, and doing the step again is right whatever has
 * happened since.
 */
export type Applied = boolean | 'again'

interface AnyStep {
  /** Imperative, unique in its plan, read by a person in Jobs: `make disk xvda`, `record`. */
  readonly name: string
  /** The commands it will run, for the preview; masked, as text. */
  readonly shows?: readonly string[]
  readonly weight?: number
  /**
   * From here on others may use what was made before it: a configuration that names a volume, a domain. A job that was cut
   * off behind it is finished, where all that it had begun is still there, rather than taken back.
   */
  readonly onward?: true
  /**
   * The work. What it gives is journalled, for its undo and for later steps: no secret. Behind the pivot it is done
   * again, from its beginning, after a failure or a crash. Failing with `conflict` promises that nothing was changed,
   * which is believed where nothing that it did had succeeded.
   */
  do(cx: Context): Promise<Json | undefined>
}

/** Changes nothing anywhere: there is nothing to find and nothing to take back, and it can be done again at any time. */
export interface ReadingStep extends AnyStep {
  readonly onlyReads: true
  readonly pivot?: undefined
  readonly lasting?: undefined
  readonly undo?: undefined
  readonly isApplied?: undefined
  readonly mayBeUsed?: undefined
}

/** Changes something: whether it has is found by looking. */
export interface ChangingStep extends AnyStep {
  readonly onlyReads?: undefined
  /** After it has succeeded the job only goes forward; at most one a plan. Steps after it are repeatable. */
  readonly pivot?: true
  /** Runs for every step that STARTED, so it must succeed when its `do` never happened or half happened. */
  undo?(cx: Context, output: Json | undefined): Promise<void>
  /** What it did stays when it is undone, since nobody can tell by what they read: bytes copied within a chain. */
  readonly lasting?: true
  /**
   * Found by looking: at domains, files, headers, volumes, rows. Asked when the step has failed, and after a gap: true
   * counts as succeeded, with no output. What cannot be told it throws; after a gap, or of a pivot, that leaves the job
   * stuck.
   */
  isApplied(cx: Context): Promise<Applied>
  /**
   * For an undo that takes away a domain or a volume. After a gap it is asked before anything is undone: what is there that
   * may have been used since, as a clause (`domain 7 of b8 runs`), or undefined where it is proved unused. `exposed`: a
   * step behind it that leads others to it (`onward`) had begun.
   */
  mayBeUsed?(cx: Context, exposed: boolean): Promise<string | undefined>
}

export type Step = ReadingStep | ChangingStep

/** What a person is told before: the operation's own plan. */
export interface Preview {
  readonly operation: string
  readonly title: string
  readonly danger: Danger
  readonly subject: Subject
  readonly steps: readonly {
    readonly name: string
    readonly shows: readonly string[]
    readonly pivot: boolean
    readonly undoable: boolean
    /** Whether it happened is found by looking, so a failure after its effect takes nothing back. */
    readonly decided?: true
    /** It changes nothing. */
    readonly reads?: true
  }[]
  readonly frees: readonly string[]
  readonly keeps: readonly string[]
  readonly notices: readonly string[]
}

/** What the TARGET of a command line names; `none`: the whole site. */
export type TargetKind = Noun | 'text' | 'none'

export interface Effects {
  readonly frees?: readonly string[]
  readonly keeps?: readonly string[]
  readonly notices?: readonly string[]
}

/**
 * One thing that can be done. A key on a screen, an HTTP row, a command-line verb, the palette, the confirm
 * dialog and the tests all read this. decode → locks → refuse → gather → plan → journal → steps → look again.
 */
export interface Operation<P = never, F extends Json = Json> {
  readonly name: `${string}.${string}`
  /** For menus: `shut down`. */
  readonly title: string
  /** One sentence for help and documentation. */
  readonly help: string
  readonly danger: Danger
  readonly subjectKind: Subject['kind']
  /** Which parameter the TARGET of a command line fills, and what a name there is looked up as; `none`: the whole site. */
  readonly target: { readonly param: string; readonly kind: TargetKind }
  /** One schema: form fields, XML and JSON decoding, command-line flags, OpenAPI. */
  readonly params: z.ZodType<P>
  /** Fills in what has to be picked before anything else happens: the UUID of what will be made. */
  complete?(params: P): P
  /** Who is acted on, for Jobs; fails with `notFound`. */
  subject(params: P, view: View): Subject
  /**
   * What it needs for itself or needs to stay; taken before it looks, kept while it is stuck, freed when it is over.
   */
  locks(params: P, view: View): Lock[]
  /** Greys the key and answers 400; no I/O. */
  refuse(params: P, view: View): string | undefined
  /** Looks at hosts, changes nothing; what it returns is journalled. Picks UUIDs. */
  gather(params: P, cx: Context): Promise<F>
  /** Pure: that is what makes recovery possible. */
  plan(params: P, facts: F): Step[]
  /** What is freed and kept, for the preview. */
  effects?(params: P, facts: F): Effects
  /** What the caller gets when it is done; read from the view after the last look. */
  result?(params: P, facts: F, view: View): Json
  /** PMs to look at again when the job has ended, whatever its end. */
  touches(params: P, view: View): readonly string[]
}

/** An operation whose types nobody outside it needs to know: what the catalog holds. */
// biome-ignore lint/suspicious/noExplicitAny: the catalog is a table of operations of many types; each checks its own params by its schema.
export type AnyOperation = Operation<any, any>
