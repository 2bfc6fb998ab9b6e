/** A simulated PM as a Host: commands go to its programs, with faults in their way. */
import type { Duplex } from 'node:stream'
import { PengxError } from '../../model/error.ts'
import { markPart } from '../host/batch.ts'
import type { Command, Host, Process } from '../host/host.ts'
import type { FaultEffect, FaultTable } from './faults.ts'
import { remove, settle } from './guests.ts'
import type { Call, SimWorld } from './program.ts'
import { runProgram } from './programs/table.ts'
import { findDomain } from './programs/xlWords.ts'
import { connectQmp } from './qmp.ts'
import type { PmState } from './state.ts'

export interface SimHostParts {
  readonly world: SimWorld
  readonly pm: PmState
  readonly faults: FaultTable
}

/** How a command ended other than with an exit status. */
const LOST = Symbol('lost')

export function createSimHost({ world, pm, faults }: SimHostParts): Host {
  const refuseReach = () => {
    if (world.clock.now() < (pm.unreachableUntil ?? 0))
      throw new PengxError('unreachable', `cannot reach ${pm.name}: no route to host`)
  }
  const unreachable = (ms: number) => {
    pm.unreachableUntil = world.clock.now() + ms
    world.save()
  }

  /** One command or one part of a batch. */
  const perform = async (command: Command, io: Io): Promise<number> => {
    const effect = faults.meet(pm.name, command.argv, command.effect)
    const call = createCall(world, pm, command, io)
    return effect === undefined ? await runQuietly(call) : await suffer(effect, call, command, unreachable)
  }

  return {
    name: pm.name,
    async open(command, signal) {
      signal?.throwIfAborted()
      refuseReach()
      settle(world, pm)
      return start(pm, world, command, signal, async (io) => {
        if (command.parts === undefined || command.pty) return await perform(command, io)
        for (const part of command.parts) {
          const said = { stdout: '', stderr: '' }
          const input = part.stdin === undefined ? EMPTY_INPUT : io
          const exit = await perform(part, {
            ...io,
            stdin: input.stdin,
            read: input.read,
            out: (text) => {
              said.stdout += text
            },
            err: (text) => {
              said.stderr += text
            },
          })
          const marked = markPart({ exit, ...said })
          io.out(marked.stdout)
          io.err(marked.stderr)
          if (command.stopOnFailure && !(part.okExits ?? [0]).includes(exit)) return exit
        }
        return 0
      })
    },
    async connect(socketPath, signal): Promise<Duplex> {
      signal?.throwIfAborted()
      refuseReach()
      settle(world, pm)
      return connectQmp(world, pm, socketPath, signal)
    },
    async close() {},
  }
}

/** What a running program is connected to. */
interface Io {
  stdin(): Promise<string>
  read(): Promise<string | undefined>
  out(text: string): void
  err(text: string): void
  signal: AbortSignal
}

const EMPTY_INPUT = { stdin: async () => '', read: async () => undefined }

function createCall(world: SimWorld, pm: PmState, command: Command, io: Io): Call {
  const call: Call = {
    world,
    pm,
    argv: command.argv,
    ...(command.pty ? { pty: { ...command.pty } } : {}),
    stdin: io.stdin,
    read: io.read,
    out: io.out,
    err: io.err,
    now: () => world.clock.now(),
    run: (argv) => runProgram({ ...call, argv }),
    async pass(ms) {
      const until = world.clock.now() + ms * world.pace
      while (world.clock.now() < until) await world.clock.sleep(until - world.clock.now(), io.signal)
      io.signal.throwIfAborted()
      settle(world, pm)
    },
  }
  return call
}

async function runQuietly(call: Call): Promise<number> {
  return await runProgram(call)
}

async function suffer(
  effect: FaultEffect,
  call: Call,
  command: Command,
  unreachable: (ms: number) => void,
): Promise<number> {
  switch (effect.kind) {
    case 'failBefore':
      call.out(effect.stdout ?? '')
      call.err(effect.stderr ?? `${command.argv[0]}: simulated failure\n`)
      return effect.exit ?? 1
    case 'failAfter': {
      await runQuietly(call)
      call.err(effect.stderr ?? `${command.argv[0]}: simulated failure\n`)
      return effect.exit ?? 1
    }
    case 'lie':
      call.out(effect.stdout ?? '')
      return 0
    case 'vanish': {
      const before = new Set(call.pm.domains)
      const exit = await runQuietly(call)
      const named = command.argv.map((word) => findDomain(call.pm, word)).find((domain) => domain !== undefined)
      const victim = call.pm.domains.find((domain) => !before.has(domain)) ?? named
      if (victim) remove(call.pm, victim)
      call.world.save()
      return exit
    }
    case 'lostBefore':
      throw LOST
    case 'lostAfter':
      await runQuietly(call)
      throw LOST
    case 'unreachable':
      unreachable(effect.ms)
      throw LOST
    case 'slow': {
      const until = call.now() + effect.ms
      while (call.now() < until) await call.world.clock.sleep(until - call.now())
      return await runQuietly(call)
    }
    case 'hang':
      return await new Promise<number>(() => {})
    case 'dieBefore':
      process.kill(process.pid, 'SIGKILL')
      return 137
    case 'dieAfter':
      await runQuietly(call)
      process.kill(process.pid, 'SIGKILL')
      return 137
  }
}

/** Gives a process its streams, its end, and its death by abort or by time. */
function start(
  pm: PmState,
  world: SimWorld,
  command: Command,
  signal: AbortSignal | undefined,
  body: (io: Io) => Promise<number>,
): Process {
  const encoder = new TextEncoder()
  const out = outlet()
  const err = outlet()
  const input = inlet()
  const killed = new AbortController()
  const onAbort = () => killed.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })

  const ended = new Promise<'killed'>((resolve) => {
    killed.signal.addEventListener('abort', () => resolve('killed'), { once: true })
  })
  const timer = new AbortController()
  const late =
    command.timeoutMs === undefined
      ? new Promise<'late'>(() => {})
      : world.clock.sleep(command.timeoutMs, timer.signal).then(
          () => 'late' as const,
          () => new Promise<'late'>(() => {}),
        )

  const io: Io = {
    stdin: input.all,
    read: input.read,
    out: (text) => {
      if (text !== '') out.push(encoder.encode(text))
    },
    err: (text) => {
      if (text !== '') err.push(encoder.encode(text))
    },
    signal: killed.signal,
  }
  const work = body(io)
  const exited = (async () => {
    try {
      const end = await Promise.race([work, ended, late])
      if (end === 'killed') return 143
      if (end === 'late') {
        killed.abort(new Error('timed out'))
        throw new PengxError(
          'unreachable',
          `${command.argv[0]} on ${pm.name} did not end within ${command.timeoutMs} ms`,
        )
      }
      return end
    } catch (error) {
      if (error === LOST) throw new PengxError('unreachable', `the connection to ${pm.name} was lost`)
      if (killed.signal.aborted && !(error instanceof PengxError)) return 143
      throw error
    } finally {
      timer.abort()
      work.catch(() => {})
      signal?.removeEventListener('abort', onAbort)
      input.close()
      out.close()
      err.close()
    }
  })()
  // Whoever does not ask how it ended is not told; a rejection must not go unheard for that.
  exited.catch(() => {})
  if (signal?.aborted) onAbort()
  return {
    stdin: input.stream,
    stdout: out.stream,
    stderr: err.stream,
    exited,
    ...(command.pty ? { resize: () => {} } : {}),
  }
}

function outlet() {
  let controller!: ReadableStreamDefaultController<Uint8Array>
  let open = true
  const stream = new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given
    },
    cancel: () => {
      open = false
    },
  })
  return {
    stream,
    push: (bytes: Uint8Array) => {
      if (open) controller.enqueue(bytes)
    },
    close: () => {
      if (open) controller.close()
      open = false
    },
  }
}

function inlet() {
  const decoder = new TextDecoder()
  const waiting: ((text: string | undefined) => void)[] = []
  const pieces: string[] = []
  let closed = false
  const push = (text: string) => {
    if (text === '') return
    const next = waiting.shift()
    if (next) next(text)
    else pieces.push(text)
  }
  const close = () => {
    closed = true
    for (const next of waiting.splice(0)) next(undefined)
  }
  const stream = new WritableStream<Uint8Array>({
    write: (bytes) => push(decoder.decode(bytes, { stream: true })),
    close,
    abort: close,
  })
  const read = async (): Promise<string | undefined> => {
    const piece = pieces.shift()
    if (piece !== undefined) return piece
    if (closed) return undefined
    return await new Promise((resolve) => waiting.push(resolve))
  }
  const all = async () => {
    let text = ''
    for (let piece = await read(); piece !== undefined; piece = await read()) text += piece
    return text
  }
  return { stream, read, all, close }
}
