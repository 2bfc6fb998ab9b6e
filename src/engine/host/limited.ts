import PQueue from 'p-queue'
import { PengxError } from '../../model/error.ts'
import { shortCommand } from './bounded.ts'
import type { Command, Host } from './host.ts'

export interface Limits {
  readonly commands: number
  /** Of commands that are `heavy`. */
  readonly heavy: number
}

export const DEFAULT_LIMITS: Limits = { commands: 8, heavy: 2 }

/**
 * A host that runs only so many commands at once; the others wait their turn, and a wait can be aborted.
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
      const leaves: (() => void)[] = []
      const leave = () => {
        for (const each of leaves) each()
      }
      try {
        if (command.heavy) leaves.push(await enter(heavy, host, command, signal))
        leaves.push(await enter(all, host, command, signal))
        const process = await host.open(command, signal)
        process.exited.then(leave, leave)
        return process
      } catch (error) {
        leave()
        throw error
      }
    },
  }
}

/** Resolves with how to leave when there is a place. Whoever was aborted meanwhile lets the next go first. */
function enter(queue: PQueue, host: Host, command: Command, signal?: AbortSignal): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      const text = `${shortCommand(command)} on ${host.name} was cancelled while it waited for its turn`
      reject(new PengxError('cancelled', text, { cause: signal?.reason }))
    }
    if (signal?.aborted) return abort()
    signal?.addEventListener('abort', abort, { once: true })
    void queue.add(() => {
      signal?.removeEventListener('abort', abort)
      if (signal?.aborted) return Promise.resolve()
      return new Promise<void>((leave) => resolve(leave))
    })
  })
}
