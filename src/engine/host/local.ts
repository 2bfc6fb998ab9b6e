import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import { constants, homedir } from 'node:os'
import type { Duplex } from 'node:stream'
import { PengxError } from '../../model/error.ts'
import { boundedExit, cancelledCommand, missingProgram, shortCommand } from './bounded.ts'
import type { Command, Host, OnWait, Process } from './host.ts'
import { END_GRACE_MS, stillThere } from './lost.ts'
import { webSink, webSource } from './streams.ts'
import { localEnvironment, tagOf, wrapLocal } from './wrapping.ts'

/**
 * This machine. The only place that starts a program here, each in a session of its own; a tagged one by way of
 * sh(1), which becomes it. `close` waits for those that are being ended.
 */
export function openLocalHost(name: string): Host {
  const endings = new Set<Promise<void>>()

  async function open(command: Command, signal?: AbortSignal, onWait?: OnWait): Promise<Process> {
    if (signal?.aborted) throw cancelledCommand(name, command, signal.reason)
    const environment = localEnvironment(command)
    if (!Bun.which(command.argv[0], { PATH: environment.PATH ?? '' })) throw missingProgram(name, command)
    const started = await startIn(name, command)
    const end = () => {
      const ending = endGroup(name, command, started.pid, started.exit)
      endings.add(ending)
      void ending.finally(() => endings.delete(ending)).catch(() => undefined)
      return ending
    }
    const running = { begun: Promise.resolve(), exit: started.exit, end, abandon: () => undefined }
    return { ...started.process, exited: boundedExit(name, command, running, signal, onWait) }
  }

  return {
    name,
    open,
    connect: (socketPath, _effect, signal) => connectHere(name, socketPath, signal),
    close: async () => {
      await Promise.allSettled(endings)
    },
  }
}

function startIn(name: string, command: Command): Started | Promise<Started> {
  if (command.pty) return startInTerminal(name, command)
  return command.bulk ? startBulk(name, command) : startPiped(name, command)
}

interface Started {
  readonly pid: number
  readonly exit: Promise<number>
  readonly process: Omit<Process, 'exited'>
}

/** Each command leads a session of its own: a key pressed in our terminal is not meant for it. */
function spawnOptions(command: Command) {
  const home = homedir()
  const cwd = command.pty && existsSync(home) ? home : '/'
  return { cwd, env: localEnvironment(command), detached: true }
}

function argvHere(command: Command): string[] {
  return command.tag === undefined ? [...command.argv] : wrapLocal(command)
}

function startPiped(name: string, command: Command): Started {
  const child = attempt(name, command, () =>
    Bun.spawn(argvHere(command), { ...spawnOptions(command), stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' }),
  )
  const stdin = new WritableStream<Uint8Array>({
    write: async (chunk) => {
      await child.stdin.write(chunk)
      await child.stdin.flush()
    },
    close: async () => void (await child.stdin.end()),
    abort: async () => void (await child.stdin.end()),
  })
  return { pid: child.pid, exit: child.exited, process: { stdin, stdout: child.stdout, stderr: child.stderr } }
}

/** Bun.spawn reads all that a process says at once, whoever takes it; node's way waits. */
async function startBulk(name: string, command: Command): Promise<Started> {
  const [program = '', ...words] = argvHere(command)
  const child = spawn(program, words, { ...spawnOptions(command), stdio: 'pipe' })
  const exit = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (status, signal) => resolve(status ?? 128 + (signal ? constants.signals[signal] : 0)))
  })
  exit.catch(() => undefined)
  const { pid } = child
  if (pid === undefined) {
    const cause = await exit.catch((error: Error) => error)
    throw new PengxError('commandFailed', `cannot start ${command.argv[0]} on ${name}: ${cause}`, { cause })
  }
  const [stdout, stderr] = [webSource(child.stdout).stream, webSource(child.stderr).stream]
  return { pid, exit, process: { stdin: webSink(child.stdin, exit), stdout, stderr } }
}

function startInTerminal(name: string, command: Command): Started {
  const size = command.pty ?? { columns: 80, rows: 24 }
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  const stdout = new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given
    },
    cancel: () => {
      controller = undefined
    },
  })
  const terminal = {
    cols: size.columns,
    rows: size.rows,
    data: (_: unknown, bytes: Uint8Array) => controller?.enqueue(new Uint8Array(bytes)),
    exit: () => {
      controller?.close()
      controller = undefined
    },
  }
  const child = attempt(name, command, () => Bun.spawn(argvHere(command), { ...spawnOptions(command), terminal }))
  const stdin = new WritableStream<Uint8Array>({ write: (chunk) => void child.terminal?.write(chunk) })
  const stderr = new ReadableStream<Uint8Array>({ start: (given) => given.close() })
  const resize = (columns: number, rows: number) => child.terminal?.resize(columns, rows)
  return { pid: child.pid, exit: child.exited, process: { stdin, stdout, stderr, resize } }
}

function attempt<T>(name: string, command: Command, spawn: () => T): T {
  try {
    return spawn()
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') throw missingProgram(name, command)
    throw new PengxError('commandFailed', `cannot start ${command.argv[0]} on ${name}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** A script is ended with all it started; of any other program only itself, for what it left running is its work. */
async function endGroup(name: string, command: Command, pid: number, exit: Promise<number>): Promise<void> {
  const whole = /^(.*\/)?(sh|bash|dash|ash|ksh|zsh|fish)$/.test(command.argv[0]) || command.pty !== undefined
  const gone = async (withinMs: number) => {
    const until = performance.now() + withinMs
    const ended = await Promise.race([exit.then(() => true), Bun.sleep(withinMs).then(() => false)])
    while (ended && whole && groupMembers(pid).length > 0) {
      if (performance.now() > until) return false
      await Bun.sleep(50)
    }
    return ended
  }
  signalProcess(whole ? -pid : pid, command.pty ? 'SIGHUP' : 'SIGTERM')
  if (await gone(command.effect === 'read' ? 2_000 : END_GRACE_MS)) return
  signalProcess(whole ? -pid : pid, 'SIGKILL')
  if (await gone(END_GRACE_MS)) return
  throw stillThere(name, [{ pid, tag: tagOf(command), program: shortCommand(command) }])
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended by itself.
  }
}

/** The living of a process group; a dead one that nobody has waited for does not count. */
function groupMembers(group: number): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
        const [state, , processGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return state !== 'Z' && Number(processGroup) === group
      } catch {
        return false
      }
    })
}

function connectHere(name: string, socketPath: string, signal?: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      socket.destroy()
      reject(new PengxError('cancelled', `connecting to ${socketPath} on ${name} was cancelled`))
    }
    const socket = connectSocket({ path: socketPath })
    socket.once('connect', () => {
      signal?.removeEventListener('abort', abort)
      socket.off('error', fail)
      resolve(socket)
    })
    const fail = (error: NodeJS.ErrnoException) => {
      signal?.removeEventListener('abort', abort)
      const code = error.code === 'EACCES' ? 'refused' : 'notFound'
      const why = error.code === 'EACCES' ? 'permission denied' : 'nobody listens there'
      reject(new PengxError(code, `cannot connect to ${socketPath} on ${name}: ${why}`, { cause: error }))
    }
    socket.once('error', fail)
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
}
