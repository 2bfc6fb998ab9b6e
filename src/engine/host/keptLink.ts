import { type Clock, systemClock } from '../../lib/clock.ts'
import { PengxError, toPengxError } from '../../model/error.ts'
import type { SshLink } from './ssh.ts'

/**
 * One connection that is kept: made at the first use, shared by all who come while it is made, made again
 * at the next use after it was lost. After a failed attempt the machine is left alone for a while, longer
 * each time and never quite regularly; until then every use fails at once and says since when and why.
 */
export interface KeptLinkOptions {
  readonly address: string
  /** `name` is what the machine is called by who needs it first. */
  dial(name: string): Promise<SshLink>
  readonly clock?: Clock
  readonly firstPauseMs?: number
  readonly longestPauseMs?: number
}

export interface KeptLink {
  /**
   * The connection, dialled where there is none; fails as the dial does, at once while a failed attempt is not long
   * ago, and with `unreachable` after close().
   */
  get(name: string): Promise<SshLink>
  /** Forgets past failures: the next use tries. */
  retry(): void
  /** Closes the connection, for good; waits for one that is being made. */
  close(): Promise<void>
}

interface Backoff {
  readonly since: number
  readonly count: number
  readonly nextAt: number
  readonly error: PengxError
}

/**
 * Nothing is dialled before the first `get`. The pause after a failure doubles from 1 s up to 60 s, give or take a
 * quarter.
 */
export function keepLink(options: KeptLinkOptions): KeptLink {
  const { address, clock = systemClock, firstPauseMs = 1_000, longestPauseMs = 60_000 } = options
  let current: Promise<SshLink> | undefined
  let backoff: Backoff | undefined
  let closed = false

  async function attempt(name: string): Promise<SshLink> {
    try {
      const link = await options.dial(name)
      backoff = undefined
      if (closed) await link.close()
      link.onLost(() => {
        current = undefined
      })
      return link
    } catch (error) {
      current = undefined
      const count = (backoff?.count ?? 0) + 1
      const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(count - 1, 16)) * (0.75 + Math.random() / 2)
      const now = clock.now()
      backoff = { since: backoff?.since ?? now, count, nextAt: now + pauseMs, error: toPengxError(error) }
      throw backoff.error
    }
  }

  function describe(name: string, { since, error }: Backoff): PengxError {
    const who = name === address ? name : `${name} (${address})`
    const reason = error.message.startsWith(`${address}: `) ? error.message.slice(address.length + 2) : error.message
    const text =
      error.code === 'unreachable'
        ? `${who} has not been reached since ${new Date(since).toISOString()}: ${reason}`
        : `${who}: ${reason}`
    return new PengxError(error.code, text, { cause: error })
  }

  return {
    get: async (name) => {
      if (closed) throw new PengxError('unreachable', `the connection to ${name} is closed`)
      if (!current && backoff && clock.now() < backoff.nextAt) throw describe(name, backoff)
      current ??= attempt(name)
      try {
        return await current
      } catch (error) {
        throw backoff ? describe(name, backoff) : error
      }
    },
    retry: () => {
      backoff = undefined
    },
    close: async () => {
      closed = true
      await current?.then(
        (link) => link.close(),
        () => undefined,
      )
    },
  }
}
