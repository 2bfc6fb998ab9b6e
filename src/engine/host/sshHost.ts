import type { Duplex } from 'node:stream'
import { quoteArgv } from '../../lib/quote.ts'
import { PengxError, toPengxError } from '../../model/error.ts'
import { boundedExit, cancelledCommand, missingProgram, shortCommand } from './bounded.ts'
import { formatSshAddress, type SshAddress } from './destination.ts'
import type { Command, Host, Process } from './host.ts'
import { type KeptLink, type KeptLinkOptions, keepLink } from './keptLink.ts'
import { END_GRACE_MS, endArgv, parseEnd, stillThere } from './lost.ts'
import { openRoute, type RouteOptions } from './route.ts'
import type { SshChannel, SshLink } from './ssh.ts'
import { readRoute, type SshConfigOptions } from './sshConfig.ts'
import { webSink, webSource } from './streams.ts'
import { findGreeting, tagOf, wrapRemote } from './wrapping.ts'

export interface SshHostOptions extends RouteOptions, SshConfigOptions {
  readonly name: string
  readonly address: SshAddress
  readonly pauses?: Pick<KeptLinkOptions, 'firstPauseMs' | 'longestPauseMs' | 'clock'>
}

export interface SshHost extends Host {
  /** Forgets past failures: the next use tries to connect. */
  retry(): void
}

/** A server gives ten sessions a connection by default; where consoles hold them, further connections are kept. */
const MOST_LINKS = 4

/** A machine behind SSH: all it runs goes through one kept connection. */
export function openSshHost(options: SshHostOptions): SshHost {
  const { name } = options
  const links: KeptLink[] = []
  const endings = new Set<Promise<void>>()

  const kept = (index: number): KeptLink => {
    links[index] ??= keepLink({
      ...options.pauses,
      name,
      address: formatSshAddress(options.address),
      dial: async () => openRoute(name, await readRoute(options.address, options), options),
    })
    return links[index]
  }

  /** On the first connection that has room for it. */
  async function exec(line: string, pty?: Command['pty']): Promise<{ link: SshLink; channel: SshChannel }> {
    for (let index = 0; ; index++) {
      const link = await kept(index).get()
      try {
        return { link, channel: await link.exec(line, pty) }
      } catch (error) {
        const problem = toPengxError(error)
        if (problem.code !== 'busy') throw lostError(name, problem.message)
        if (index + 1 >= MOST_LINKS) throw new PengxError('busy', `${name} opens no further SSH session`)
      }
    }
  }

  async function start(command: Command, signal?: AbortSignal): Promise<Process> {
    const opening = exec(`exec ${quoteArgv(wrapRemote(command))}`, command.pty)
    const greeted = opening.then(({ channel }) => greeting(name, channel))
    const lost = opening.then(({ link }) => link.lost).then((reason) => Promise.reject(lostError(name, reason)))
    const ended = greeted.then(() => opening).then(({ channel }) => channel.exit)
    const exit = Promise.race([ended, lost]).then(async (status) => {
      if (status !== undefined) return status
      // Channels are closed a moment before the connection says why it is.
      await Promise.race([lost, Bun.sleep(100)])
      throw lostError(name, `${shortCommand(command)} ended without a status`)
    })
    let abandon: (error: PengxError) => void = () => undefined
    const end = () => {
      const ending = (async () => {
        const pid = await Promise.race([greeted, lost])
        await Promise.race([endRemote(command, pid), lost])
        await opening.then(({ channel }) => channel.close())
      })()
      endings.add(ending)
      void ending.finally(() => endings.delete(ending)).catch(() => undefined)
      return ending
    }
    const exited = boundedExit(name, command, { exit, end, abandon: (error) => abandon(error) }, signal)
    const pid = await Promise.race([greeted, exited.then(() => greeted)])
    if (pid === 0) throw missingProgram(name, command)
    const { channel } = await opening
    const stdout = webSource(channel.stream)
    const stderr = webSource(channel.stderr)
    abandon = (error) => {
      stdout.fail(error)
      stderr.fail(error)
    }
    exited.catch((error) => command.effect === 'read' && abandon(error))
    lost.catch((error) => abandon(error))
    const stdin = webSink(channel.stream, channel.exit)
    return { stdin, stdout: stdout.stream, stderr: stderr.stream, exited, resize: channel.resize }
  }

  /** Closing a channel leaves its command at work there, so it is ended through another. */
  async function endRemote(command: Command, pid: number): Promise<void> {
    if (pid === 0) return
    const graceMs = command.effect === 'read' ? 2_000 : END_GRACE_MS
    const { link, channel } = await exec(`exec ${quoteArgv(endArgv(tagOf(command), [pid], graceMs))}`)
    channel.stream.end()
    channel.stderr.resume()
    const said: Buffer[] = []
    channel.stream.on('data', (chunk: Buffer) => said.push(chunk))
    const drained = new Promise<void>((resolve) => channel.stream.on('close', resolve))
    await Promise.race([drained, link.lost])
    const { left } = parseEnd(Buffer.concat(said).toString())
    if (left.length > 0) throw stillThere(name, left)
  }

  async function connect(socketPath: string, signal?: AbortSignal): Promise<Duplex> {
    const link = await untilAborted(kept(0).get(), `connecting to ${name}`, signal)
    const opening = link.connect(socketPath).catch((error) => {
      throw connectFailure(name, socketPath, error)
    })
    opening.then(
      (stream) => signal?.aborted && stream.destroy(),
      () => undefined,
    )
    return untilAborted(opening, `connecting to ${socketPath} on ${name}`, signal)
  }

  return {
    name,
    open: async (command, signal) => {
      if (signal?.aborted) throw cancelledCommand(name, command, signal.reason)
      await untilAborted(kept(0).get(), shortCommand(command), signal)
      return start(command, signal)
    },
    connect,
    retry: () => {
      for (const link of links) link.retry()
    },
    close: async () => {
      await Promise.allSettled(endings)
      await Promise.all(links.map((link) => link.close()))
    },
  }
}

/** Waits for the greeting and gives the pid; the stream then begins with the command's own output. */
function greeting(name: string, channel: SshChannel): Promise<number> {
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0)
    const finish = (act: () => void) => {
      channel.stream.off('data', take)
      channel.stream.pause()
      act()
    }
    const take = (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk])
      const found = findGreeting(seen)
      if (!found) return
      finish(() => {
        if (found.rest.length > 0) channel.stream.unshift(found.rest)
        resolve(found.pid)
      })
    }
    channel.stream.once('end', async () => {
      const status = await channel.exit
      const said = seen.toString().trim().split('\n').at(-1) ?? ''
      const login = said ? `its login says: ${said}` : 'its login shell ended at once'
      const text = status === undefined ? 'was lost before the command began' : `runs no commands; ${login}`
      finish(() => reject(new PengxError('unreachable', `${name} ${text}`)))
    })
    channel.stream.on('data', take)
  })
}

function lostError(name: string, reason: string): PengxError {
  return new PengxError('unreachable', `the connection to ${name} was lost: ${reason}`)
}

function connectFailure(name: string, socketPath: string, error: unknown): PengxError {
  if (error instanceof PengxError) return lostError(name, error.message)
  const prohibited = (error as { reason?: number }).reason === 1
  const why = prohibited ? 'its sshd forbids it (AllowStreamLocalForwarding)' : 'nobody listens there'
  const code = prohibited ? 'refused' : 'notFound'
  return new PengxError(code, `cannot connect to ${socketPath} on ${name}: ${why}`, { cause: error })
}

function untilAborted<T>(promise: Promise<T>, what: string, signal?: AbortSignal): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const abort = () => reject(new PengxError('cancelled', `${what} was cancelled`, { cause: signal.reason }))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
