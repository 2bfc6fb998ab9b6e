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
  /** After this long the command is ended there and fails with `unreachable`. Default: none. */
  readonly timeoutMs?: number
  /** Exit statuses that are an answer and not a failure; default only 0. */
  readonly okExits?: readonly number[]
  /** Indexes of argv that are shown as `***`. */
  readonly masked?: readonly number[]
  readonly pty?: { readonly columns: number; readonly rows: number }
  /** Weighs on the host (builds a domain, copies a disk): only a few of these run there at once. */
  readonly heavy?: true
  /** Says more than memory holds (a disk's bytes): it is read no faster than what it says is taken. */
  readonly bulk?: true
  /** Set by `batch()`: what the shell script in argv runs, in order. */
  readonly parts?: readonly Command[]
  /** With `parts`: the first that fails ends the batch. */
  readonly stopOnFailure?: true
  /** Under this a command that outlived its channel is found again and ended: `JOB.STEP`. */
  readonly tag?: string
}

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
   * program is not there. Aborting the signal ends the command there, not only here.
   */
  open(command: Command, signal?: AbortSignal): Promise<Process>
  /**
   * Reaches a Unix socket there (QMP). `notFound` where nobody listens, `refused` where it may not be opened,
   * `unreachable` as with a command.
   */
  connect(socketPath: string, signal?: AbortSignal): Promise<Duplex>
  /** Waits until commands that are being ended are gone; those at work go on. */
  close(): Promise<void>
}

/** What run() gives back. */
export interface Output {
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}
