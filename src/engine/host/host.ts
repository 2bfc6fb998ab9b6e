import type { Duplex } from 'node:stream'

/**
 * The narrow waist to the outside world. A command is data: it can be printed, masked, refused, recorded
 * and replayed; a Host opens it. Local, SSH, simulated and every wrapper have this one shape.
 */
export interface Command {
  readonly argv: readonly [string, ...string[]]
  readonly effect: 'read' | 'change'
  /** Secrets go here and never into argv; bytes for a file that is not text. */
  readonly stdin?: string | Uint8Array
  /**
   * May be ended half way: by its time, by an abort, or as one that outlived its process. What reads always may, and so
   * does a terminal. A change that does not say so is waited for, whatever happens: an `xl` that is cut off leaves half
   * a domain.
   */
  readonly endable?: true
  /**
   * Counted from when it begins. After this long the command is ended there and fails with `unreachable`; one that may
   * not be ended is waited for all the same, and `onWait` hears so. Default: none.
   */
  readonly timeoutMs?: number
  /** Exit statuses that are an answer and not a failure; default only 0. */
  readonly okExits?: readonly number[]
  /** What it may say and nobody may hear: passwords in a file that it reads. Shown as `***`. */
  readonly secrets?: readonly string[]
  /** Indexes of argv that are shown as `***`. */
  readonly masked?: readonly number[]
  readonly pty?: { readonly columns: number; readonly rows: number }
  /** Among which it waits for its turn on the host; absent: by what it runs (`limited.ts`). */
  readonly queue?: NamedQueue
  /** Says more than memory holds (a disk's bytes): it is read no faster than what it says is taken. */
  readonly bulk?: true
  /** Set by `batch()`: what the shell script in argv runs, in order. */
  readonly parts?: readonly Command[]
  /** With `parts`: the first that fails ends the batch. */
  readonly stopOnFailure?: true
  /** What it changes the step that runs it takes back by itself before it fails with `conflict`. */
  readonly passing?: true
  /** Under this a command that outlived its channel is found again, and ended or waited for: `JOB.STEP`. */
  readonly tag?: string
}

/** Pure. Whether it may be ended half way; a change must say so. */
export function mayBeEnded(command: Pick<Command, 'effect' | 'endable' | 'pty'>): boolean {
  return command.effect === 'read' || command.endable === true || command.pty !== undefined
}

/**
 * `copies`: reads or writes whole disks; `arrivals`: takes in what another command sends; `builds`: builds a domain;
 * `migrations`: sends one away; `locks`: holds a lock while others work under it; `none`: waits for nobody.
 */
export type NamedQueue = 'copies' | 'arrivals' | 'builds' | 'migrations' | 'locks' | 'none'

/** Whether somebody hears why a command has not begun, or does not end, in words; undefined: it goes on. */
export type OnWait = (why: string | undefined) => void

export interface Process {
  readonly stdin: WritableStream<Uint8Array>
  readonly stdout: ReadableStream<Uint8Array>
  readonly stderr: ReadableStream<Uint8Array>
  /** The exit status; 128 + N where signal N ended it; rejects with `unreachable` where the channel was lost. */
  readonly exited: Promise<number>
  /** With a pty: tells it the terminal's new size. */
  resize?(columns: number, rows: number): void
}

export interface Host {
  /** The PM's name, for messages and logs. */
  readonly name: string
  /**
   * Starts a command. Rejects with `unreachable` where the machine cannot be reached, `notFound` where the
   * program is not there. Aborting the signal ends the command there, not only here; one that may not be ended goes on
   * to its end, which is told as it is.
   */
  open(command: Command, signal?: AbortSignal, onWait?: OnWait): Promise<Process>
  /**
   * Reaches a Unix socket there (QMP), to ask only or to change something. `notFound` where nobody listens, `refused`
   * where it may not be opened, `unreachable` as with a command.
   */
  connect(socketPath: string, effect: Command['effect'], signal?: AbortSignal): Promise<Duplex>
  /** Waits until commands that are being ended are gone; those at work go on. */
  close(): Promise<void>
}

/** What run() gives back. */
export interface Output {
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}
