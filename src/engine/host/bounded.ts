import { PengxError } from '../../model/error.ts'
import { type Command, mayBeEnded, type OnWait } from './host.ts'
import { displayCommand } from './run.ts'

/** A command at work, as the machine's own side knows it. */
export interface Running {
  /** When its time begins to count: it is there, or soon will be. Does not fail. */
  readonly begun: Promise<unknown>
  /** Its end, as it comes. */
  readonly exit: Promise<number>
  /** Ends it there and resolves when it is gone. */
  end(): Promise<void>
  /** Tells who still reads its output that no more will come. */
  abandon(error: PengxError): void
}

/**
 * The exit of a command that may be cut short by its time (`unreachable`) or by the signal (`cancelled`). A command
 * that changes something is waited for until it is gone, so that what undoes it never meets it at work; one that only
 * reads is given up at once and ended behind. One that may not be ended is let run to its end, which is given as it
 * is; when its time is over `onWait` hears what is waited for.
 */
export function boundedExit(
  name: string,
  command: Command,
  running: Running,
  signal?: AbortSignal,
  onWait?: OnWait,
): Promise<number> {
  if (!mayBeEnded(command)) return awaitedExit(name, command, running, onWait)
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  let stopped = false
  let timer: ReturnType<typeof setTimeout> | undefined
  let over = false
  const settle = () => {
    over = true
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
  const stop = (error: PengxError) => {
    if (stopped) return
    stopped = true
    settle()
    const fail = (why: unknown) => {
      reject(why)
      running.abandon(error)
    }
    const ending = running.end().then(() => fail(error), fail)
    if (command.effect === 'read') fail(error)
    else void ending
  }
  const onAbort = () => stop(cancelledCommand(name, command, signal?.reason))
  const { timeoutMs } = command
  // The time counts from when it begins, and it may have ended or been aborted before.
  void running.begun.then(() => {
    if (timeoutMs !== undefined && !stopped && !over)
      timer = setTimeout(() => stop(timedOut(name, command, timeoutMs)), timeoutMs)
  })
  signal?.addEventListener('abort', onAbort, { once: true })
  if (signal?.aborted) onAbort()
  running.exit.then(
    (exit) => {
      if (stopped) return
      settle()
      resolve(exit)
    },
    (error) => {
      settle()
      reject(error)
    },
  )
  promise.catch(() => undefined)
  return promise
}

async function awaitedExit(name: string, command: Command, running: Running, onWait?: OnWait): Promise<number> {
  const { timeoutMs } = command
  let over = false
  let told = false
  let timer: ReturnType<typeof setTimeout> | undefined
  void running.begun.then(() => {
    if (timeoutMs === undefined || over) return
    timer = setTimeout(() => {
      told = true
      onWait?.(stillAtWork(name, command, timeoutMs))
    }, timeoutMs)
  })
  try {
    return await running.exit
  } finally {
    over = true
    clearTimeout(timer)
    if (told) onWait?.(undefined)
  }
}

/** Pure. What is said of a command that may not be ended when its time is over. */
export function stillAtWork(name: string, command: Command, afterMs: number): string {
  return `${shortCommand(command)} on ${name} has not ended after ${afterMs / 1000} s and is waited for: it is never ended half way`
}

/**
 * The error for a command that was aborted, not thrown here: the signal's own reason where that is a PengxError, else
 * `cancelled`.
 */
export function cancelledCommand(name: string, command: Command, reason: unknown): PengxError {
  if (reason instanceof PengxError) return reason
  return new PengxError('cancelled', `${shortCommand(command)} on ${name} was cancelled`, { cause: reason })
}

function timedOut(name: string, command: Command, afterMs: number): PengxError {
  const text = `${shortCommand(command)} on ${name} did not answer within ${afterMs / 1000} s and was ended`
  return new PengxError('unreachable', text)
}

/** The error for a program that is not on the machine's path, not thrown here: `notFound`. */
export function missingProgram(name: string, command: Command): PengxError {
  return new PengxError('notFound', `${command.argv[0]} is not installed on ${name}`)
}

/** Enough of a command to know which: the program and its verb. */
export function shortCommand(command: Command): string {
  if (command.parts) return command.parts.map(shortCommand).slice(0, 3).join(' ; ')
  return displayCommand({ ...command, argv: command.argv.slice(0, 2) as [string, ...string[]] })
}
