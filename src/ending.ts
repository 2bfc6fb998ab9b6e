import { toPengxError } from './model/error.ts'

/**
 * How the process ends, whatever ends it: its own way, a signal, a reader that went away, or a defect. What was opened
 * is closed in reverse; jobs need no care here, since a journal is on disk before what it announces.
 */
export interface Ending {
  /** Registers something to close, once. */
  onEnd(close: () => void | Promise<void>): void
  /** Registers how a terminal is given back at once, before a last line is printed on it. */
  onCrash(restore: () => void): void
  /** From now on SIGTERM, SIGHUP and SIGINT ask for an end, and this resolves with the first of them. */
  asked(): Promise<NodeJS.Signals>
  logTo(path: string): void
  /** Writes an error down with its trace; returns a note on where, for a person. */
  log(error: unknown): Promise<string>
  exit(status: number): Promise<never>
}

/** Longer than any close should take; what has not closed by then is left to the next start. */
const CLOSE_MS = 5000
const SIGNALS: Partial<Record<NodeJS.Signals, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }

export function takeCareOfTheEnd(): Ending {
  const closes: (() => void | Promise<void>)[] = []
  const restores: (() => void)[] = []
  let logPath: string | undefined
  let ending = false
  let answer: ((signal: NodeJS.Signals) => void) | undefined

  const exit = async (status: number): Promise<never> => {
    ending = true
    const closing = (async () => {
      // One that cannot be closed does not keep the others open.
      for (const close of closes.reverse()) await (async () => close())().catch(log)
    })()
    await Promise.race([closing, Bun.sleep(CLOSE_MS)])
    process.exit(status)
  }

  const log = async (error: unknown): Promise<string> => {
    if (logPath === undefined) return ''
    const { openLog } = await import('./lib/log.ts')
    const opened = openLog(logPath)
    const { message, code, cause } = toPengxError(error)
    opened?.error({ code, stack: error instanceof Error ? error.stack : undefined, cause: describe(cause) }, message)
    return opened ? `; the log has more: ${logPath}` : ''
  }

  const crash = async (error: unknown) => {
    if (isBrokenPipe(error)) process.exit(0)
    for (const restore of restores) quietly(restore)
    const where = await log(error).catch(() => '')
    process.stderr.write(`pengx: internal: ${toPengxError(error).message}${where}\n`)
    process.exit(1)
  }

  const onSignal = (signal: NodeJS.Signals) => {
    const status = 128 + (SIGNALS[signal] ?? 0)
    if (ending) process.exit(status)
    if (answer) answer(signal)
    else void exit(status)
  }

  process.on('SIGTERM', onSignal)
  process.on('SIGHUP', onSignal)
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => (isBrokenPipe(error) ? process.exit(0) : crash(error)))
  }

  return {
    onEnd: (close) => void closes.push(close),
    onCrash: (restore) => void restores.push(restore),
    asked: () =>
      new Promise((resolve) => {
        answer = resolve
        process.on('SIGINT', onSignal)
      }),
    logTo: (path) => {
      logPath = path
    },
    log,
    exit,
  }
}

/** Whoever read our output has enough of it (`pengx vms | head -1`): nothing is wrong. */
function isBrokenPipe(error: unknown): boolean {
  return (error as { code?: string } | undefined)?.code === 'EPIPE'
}

function describe(cause: unknown): unknown {
  return cause instanceof Error ? (cause.stack ?? cause.message) : cause
}

function quietly(work: () => void): void {
  try {
    work()
  } catch {
    // The terminal is as it is; the line that names the defect matters more.
  }
}
