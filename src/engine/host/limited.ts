import PQueue from 'p-queue'
import { PengxError } from '../../model/error.ts'
import { shortCommand } from './bounded.ts'
import type { Host, Process } from './host.ts'

export interface Limits {
  readonly commands: number
  /** Of commands that are `heavy`. */
  readonly heavy: number
}

export const DEFAULT_LIMITS: Limits = { commands: 8, heavy: 2 }

/**
 * A host that runs only so many commands at once; the others wait their turn, and a wait can be aborted (`cancelled`).
 * A command holds its place until it has ended, so of two that are piped into each other only one may be
 * `heavy`, or pairs wait for each other. A terminal takes no place: a console stays open for hours.
 */
export function limitHost(host: Host, limits: Limits = DEFAULT_LIMITS): Host {
  const all = new PQueue({ concurrency: limits.commands })
  const heavy = new PQueue({ concurrency: limits.heavy })
  return {
    ...host,
    open: async (command, signal) => {
      if (command.pty) return host.open(command, signal)
      const wait = waitUnder(signal)
      const opened = Promise.withResolvers<Process>()
      /** What is queued: a command from its start to its end. */
      const whole = async () => {
        wait.end()
        const process = await host.open(command, signal)
        opened.resolve(process)
        await process.exited.catch(() => undefined)
      }
      const inTurn = () => all.add(whole, wait)
      const done = command.heavy ? heavy.add(inTurn, wait) : inTurn()
      done.catch((error) => {
        const text = `${shortCommand(command)} on ${host.name} was cancelled while it waited for its turn`
        opened.reject(wait.signal?.aborted ? new PengxError('cancelled', text, { cause: signal?.reason }) : error)
      })
      return opened.promise
    },
  }
}

/**
 * A signal for the wait alone. A queue takes a task for ended as soon as its signal aborts, but a command that is
 * aborted while it runs still has its place until it has gone.
 */
function waitUnder(signal?: AbortSignal): { readonly signal?: AbortSignal; end(): void } {
  if (signal === undefined) return { end: () => undefined }
  const wait = new AbortController()
  const abort = () => wait.abort(signal.reason)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  return { signal: wait.signal, end: () => signal.removeEventListener('abort', abort) }
}
