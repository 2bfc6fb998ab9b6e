import type { Duplex } from 'node:stream'
import { quoteArgv } from '../../lib/quote.ts'
import { PengxError } from '../../model/error.ts'
import { boundedExit, cancelledCommand, missingProgram, shortCommand } from './bounded.ts'
import type { Command, Host, OnWait, Process } from './host.ts'
import { END_GRACE_MS, endArgv, type Pid, parseEnd, stillThere } from './lost.ts'
import type { SshChannel } from './ssh.ts'
import { lostConnection, type SshMachine } from './sshMachine.ts'
import { webSink, webSource } from './streams.ts'
import { findGreeting, tagOf, wrapRemote } from './wrapping.ts'

/**
 * A machine behind SSH: all it runs goes through the connection that is kept to it. `close` leaves that open: others
 * use it.
 */
export function openSshHost(name: string, machine: SshMachine): Host {
  const endings = new Set<Promise<void>>()

  async function start(command: Command, signal?: AbortSignal, onWait?: OnWait): Promise<Process> {
    const opening = machine.exec(name, `exec ${quoteArgv(wrapRemote(command))}`, command.pty)
    const greeted = opening.then(({ channel }) => greeting(name, channel))
    const { promise: lost, reject: lose } = Promise.withResolvers<never>()
    let isLost = false
    opening.then(({ link, channel }) => {
      const stop = link.onLost((reason) => {
        isLost = true
        lose(lostConnection(name, reason))
      })
      void channel.closed.then(stop)
    }, lose)
    const ended = greeted.then(() => opening).then(({ channel }) => channel.exit)
    const exit = Promise.race([ended, lost]).then(async (status) => {
      if (status !== undefined) return status
      // Channels are closed a moment before the connection says why it is.
      await Promise.race([lost, Bun.sleep(100)])
      throw lostConnection(name, `${shortCommand(command)} ended without a status`)
    })
    let abandon: (error: PengxError) => void = () => undefined
    const end = () => {
      const ending = (async () => {
        const greeter = await Promise.race([greeted, lost])
        const { channel, giveUp } = await opening
        try {
          await Promise.race([endRemote(command, greeter), lost])
          channel.close()
        } catch (error) {
          if (!isLost) giveUp()
          throw error
        } finally {
          drain(channel)
        }
      })()
      endings.add(ending)
      void ending.finally(() => endings.delete(ending)).catch(() => undefined)
      return ending
    }
    // Waiting for a channel is no part of its time; a login that hangs is.
    const begun = opening.catch(() => undefined)
    const running = { begun, exit, end, abandon: (error: PengxError) => abandon(error) }
    const exited = boundedExit(name, command, running, signal, onWait)
    const { pid } = await Promise.race([greeted, exited.then(() => greeted)])
    const { channel } = await opening
    if (pid === 0) {
      drain(channel)
      throw missingProgram(name, command)
    }
    const stdout = webSource(channel.stream)
    const stderr = webSource(channel.stderr)
    abandon = (error) => {
      stdout.fail(error)
      stderr.fail(error)
    }
    exited.catch((error) => command.effect === 'read' && abandon(error))
    lost.catch((error) => abandon(error))
    // A channel that nobody takes anything from does not close, not even with its connection.
    const stdin = webSink(channel.stream, Promise.race([channel.exit, lost]))
    return { stdin, stdout: stdout.stream, stderr: stderr.stream, exited, resize: channel.resize }
  }

  /** Closing a channel leaves its command at work there, so it is ended through another. */
  async function endRemote(command: Command, running: Pid): Promise<void> {
    if (running.pid === 0) return
    const graceMs = command.effect === 'read' ? 2_000 : END_GRACE_MS
    const { channel } = await machine.exec(
      name,
      `exec ${quoteArgv(endArgv(tagOf(command), { graceMs, which: 'now', only: running }))}`,
    )
    channel.stream.end()
    channel.stderr.resume()
    const said: Buffer[] = []
    channel.stream.on('data', (chunk: Buffer) => said.push(chunk))
    await channel.closed
    const { left } = parseEnd(Buffer.concat(said).toString())
    if (left.length > 0) throw stillThere(name, left)
  }

  async function connect(socketPath: string, _effect: Command['effect'], signal?: AbortSignal): Promise<Duplex> {
    const opening = machine.connect(name, socketPath)
    opening.then(
      (stream) => signal?.aborted && stream.destroy(),
      () => undefined,
    )
    return untilAborted(opening, `connecting to ${socketPath} on ${name}`, signal)
  }

  return {
    name,
    open: async (command, signal, onWait) => {
      if (signal?.aborted) throw cancelledCommand(name, command, signal.reason)
      await untilAborted(machine.reach(name), `${shortCommand(command)} on ${name}`, signal)
      return start(command, signal, onWait)
    },
    connect,
    close: async () => {
      await Promise.allSettled(endings)
    },
  }
}

/** A channel is closed only when all that was said has been read, wanted or not. */
function drain(channel: SshChannel): void {
  channel.stream.resume()
  channel.stderr.resume()
}

/** Waits for the greeting and gives the pid; the stream then begins with the command's own output. */
function greeting(name: string, channel: SshChannel): Promise<Pid> {
  const { stream } = channel
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0)
    const take = (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk])
      const found = findGreeting(seen)
      if (!found) return
      stream.off('data', take).off('end', ended)
      stream.pause()
      if (found.rest.length > 0) stream.unshift(found.rest)
      resolve(found)
    }
    const ended = async () => {
      const status = await channel.exit
      const said = seen.toString().trim().split('\n').at(-1) ?? ''
      const login = said ? `its login says: ${said}` : 'its login shell ended at once'
      const text = status === undefined ? 'was lost before the command began' : `runs no commands; ${login}`
      reject(new PengxError('unreachable', `${name} ${text}`))
    }
    stream.on('data', take).once('end', ended)
  })
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
