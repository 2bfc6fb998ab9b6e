import type { By, Job } from '../model/job.ts'
import type { Json } from '../model/json.ts'
import type { Host } from './host/host.ts'
import type { AnyOperation, Preview } from './jobs/operation.ts'
import type { Change, JobDetail, View } from './store/view.ts'

/** What screens, server and command line hold: the one door to everything that can be seen and done. */
export interface Engine {
  readonly view: View
  /** Every operation, by name, in the order of menus. */
  readonly operations: ReadonlyMap<string, AnyOperation>
  readonly readOnly: boolean
  /** Called with what changed, at most once a tick; returns how to stop it. */
  subscribe(listener: (changes: readonly Change[]) => void): () => void
  /** Decodes raw values (strings from a form, flags, XML) by the operation's schema; fails with `invalid` naming the field. */
  decode(operation: string, raw: Readonly<Record<string, unknown>>): Json
  /** Why this cannot be done now, or undefined; no I/O. Includes a job already at work on the subject. */
  refuse(operation: string, params: Json): string | undefined
  /** The plan as it would be now: looks, changes nothing. */
  preview(operation: string, params: Json): Promise<Preview>
  /** Takes the job on and resolves when it is journalled; fails where it is refused at once (then there is no job). */
  start(operation: string, params: Json, by: By): Promise<Job>
  /** Waits until a job is over or stuck; resolves with it whatever its end. */
  finished(jobId: string): Promise<{ readonly job: Job; readonly result?: Json }>
  /** Undoes a job that has not passed its pivot; fails with `refused` for one that has. */
  cancel(jobId: string): Promise<void>
  /** The two ways out of `stuck`. */
  retry(jobId: string): Promise<void>
  keep(jobId: string): Promise<void>
  acknowledge(jobId: string): Promise<void>
  jobDetail(jobId: string): Promise<JobDetail>
  /** Looks now, at one PM or at all, and resolves when the view has it. */
  look(pm?: string): Promise<void>
  /** A terminal's way to a guest's console or a PM's shell: the host and the command to open with a pty. */
  terminal(
    what: { readonly console: string } | { readonly shell: string },
  ): Promise<{ readonly host: Host; readonly argv: readonly [string, ...string[]]; readonly leave: string }>
  /** Commands as they are run anywhere, for the last line of the screen and the Log. */
  onCommand(listener: (record: { host: string; line: string; tookMs?: number; exit?: number }) => void): () => void
  /** Asks a person about an unknown host key; where nobody is set, an unknown key is refused. */
  setHostKeyPrompt(ask: ((question: HostKeyQuestion) => Promise<boolean>) | undefined): void
  close(): Promise<void>
}

export interface HostKeyQuestion {
  readonly pm: string
  readonly address: string
  readonly keyType: string
  /** `SHA256:…`, as ssh-keygen -l prints it. */
  readonly fingerprint: string
}

/** What an engine is made of. */
export interface EngineConfig {
  /** The store's file, or `memory` for a site that is forgotten at the end. */
  readonly store: { readonly path: string } | 'memory'
  /** A simulated site in place of real machines. */
  readonly demo?: { readonly vmCount?: number; readonly statePath?: string }
  /** PMs named on the command line: `[user@]host[:port]`; added to those known. */
  readonly destinations: readonly string[]
  /** This machine is a Xen host: it is a PM too. */
  readonly local: boolean
  readonly readOnly: boolean
  readonly knownHostsPath: string
  /** How often PMs are looked at: on a beat, once at the start, or never. */
  readonly watch: 'beat' | 'once' | 'never'
}
