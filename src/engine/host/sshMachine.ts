import type { Duplex } from 'node:stream'
import { PengxError, toPengxError } from '../../model/error.ts'
import { formatSshAddress, type SshAddress } from './destination.ts'
import { type KeptLink, type KeptLinkOptions, keepLink } from './keptLink.ts'
import { openRoute, type RouteOptions } from './route.ts'
import type { SshChannel, SshLink } from './ssh.ts'
import { readRoute, type SshConfigOptions } from './sshConfig.ts'

export interface SshMachineOptions extends RouteOptions, SshConfigOptions {
  readonly address: SshAddress
  readonly pauses?: Pick<KeptLinkOptions, 'firstPauseMs' | 'longestPauseMs' | 'clock'>
}

interface OpenChannel {
  readonly link: SshLink
  readonly channel: SshChannel
  /**
   * Closes the channel of a command that does not end. The server keeps the session for as long as that lives
   * (sshd(8)), so its connection is closed when nothing else uses it, and nothing new goes through it.
   */
  giveUp(): void
}

/** The connections to one machine, whatever name it goes by: `name` is for messages and questions. */
export interface SshMachine {
  /** Connects where that is needed; fails at once while a failed attempt is not long ago. */
  reach(name: string): Promise<void>
  /**
   * Starts a command line in the login shell there. `unreachable` where the connection is lost, `busy` where no
   * connection gets a further session.
   */
  exec(name: string, line: string, pty?: { readonly columns: number; readonly rows: number }): Promise<OpenChannel>
  /** To a Unix socket there; `notFound` where nobody listens or sshd forbids it: servers answer alike. */
  connect(name: string, socketPath: string): Promise<Duplex>
  /** Forgets past failures: the next use tries to connect. */
  retry(): void
  /** Closes all of them; commands there lose their channels. */
  close(): Promise<void>
}

/** A server gives ten sessions a connection by default; where consoles hold them, further connections are kept. */
const MOST_LINKS = 4

/**
 * Nothing is connected before the first use. Up to four connections are kept, a further one where a server gives the
 * others no more sessions (MaxSessions in sshd_config(5)).
 */
export function openSshMachine(options: SshMachineOptions): SshMachine {
  const links: (Kept | undefined)[] = []
  /** No longer used for anything new, and not closed yet. */
  const retired = new Set<Kept>()

  function kept(index: number): Kept {
    const link = links[index] ?? {
      ...keepLink({
        ...options.pauses,
        address: formatSshAddress(options.address),
        dial: async (name) => openRoute(name, await readRoute(options.address, options), options),
      }),
      inUse: 0,
    }
    links[index] = link
    return link
  }

  /** Counts something that goes through a connection, until what it gives is called. */
  function use(link: Kept): () => void {
    link.inUse++
    let counted = true
    return () => {
      if (!counted) return
      counted = false
      link.inUse--
      if (link.inUse === 0 && retired.delete(link)) void link.close()
    }
  }

  async function linkOf(through: Kept, name: string): Promise<{ readonly link: SshLink; done(): void }> {
    const done = use(through)
    try {
      return { link: await through.get(name), done }
    } catch (error) {
      done()
      throw error
    }
  }

  function retire(link: Kept): void {
    const index = links.indexOf(link)
    if (index < 0) return
    links[index] = undefined
    retired.add(link)
  }

  return {
    reach: async (name) => void (await kept(0).get(name)),
    exec: async (name, line, pty) => {
      for (let index = 0; index < MOST_LINKS; index++) {
        const through = kept(index)
        const { link, done } = await linkOf(through, name)
        try {
          const channel = await link.exec(line, pty)
          void channel.closed.then(done)
          const giveUp = () => {
            retire(through)
            channel.close()
            done()
          }
          return { link, channel, giveUp }
        } catch (error) {
          done()
          const problem = toPengxError(error)
          if (problem.code !== 'busy') throw lostConnection(name, problem.message)
        }
      }
      throw new PengxError(
        'busy',
        `${name} opens no further SSH session: close some consoles, or raise its MaxSessions`,
      )
    },
    connect: async (name, socketPath) => {
      const { link, done } = await linkOf(kept(0), name)
      try {
        const stream = await link.connect(socketPath)
        stream.once('close', done)
        return stream
      } catch (error) {
        done()
        throw connectFailure(name, socketPath, error)
      }
    },
    retry: () => {
      for (const link of links) link?.retry()
    },
    close: async () => {
      await Promise.all([...links, ...retired].map((link) => link?.close()))
    },
  }
}

interface Kept extends KeptLink {
  /** Channels and sockets through it, but for those that were given up. */
  inUse: number
}

/** The error for a connection that broke, not thrown here: `unreachable`. */
export function lostConnection(name: string, reason: string): PengxError {
  return new PengxError('unreachable', `the connection to ${name} was lost: ${reason}`)
}

function connectFailure(name: string, socketPath: string, error: unknown): PengxError {
  if (error instanceof PengxError) return lostConnection(name, error.message)
  // The server answers alike for a socket that is not there, is not ours to open, or that it does not forward to.
  const why = 'nobody listens there, or its sshd does not allow it (AllowStreamLocalForwarding)'
  return new PengxError('notFound', `cannot connect to ${socketPath} on ${name}: ${why}`, { cause: error })
}
