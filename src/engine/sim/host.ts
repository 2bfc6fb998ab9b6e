/** A simulated PM as a Host: commands go to its programs, with faults in their way. */
import type { Duplex } from 'node:stream'
import { PengxError } from '../../model/error.ts'
import { markPart } from '../host/batch.ts'
import { cancelledCommand, missingProgram, shortCommand } from '../host/bounded.ts'
import type { Command, Host, Process } from '../host/host.ts'
import { END_SCRIPT_NAME } from '../host/lost.ts'
import type { FaultEffect, FaultTable } from './faults.ts'
import { remove, settle } from './guests.ts'
import type { Call, SimWorld } from './program.ts'
import { hasProgram, runProgram } from './programs/table.ts'
import { findDomain } from './programs/xlWords.ts'
import { connectQmp } from './qmp.ts'
import type { PmState } from './state.ts'

export interface SimHostParts {
  readonly world: SimWorld
  readonly pm: PmState
  readonly faults: FaultTable
}

interface RunningCommand {
  readonly pid: number
  readonly tag: string
  readonly command: Command
  kill(): void
}

/** Tagged commands at work, by machine: several hosts may be open to one. */
const runningOn = new WeakMap<PmState, Set<RunningCommand>>()
let nextPid = 2000

function commandsOn(pm: PmState): Set<RunningCommand> {
  const running = runningOn.get(pm) ?? new Set()
  runningOn.set(pm, running)
  return running
}

function isEndScript(command: Command): boolean {
  return command.argv[0] === 'sh' && command.argv[3] === END_SCRIPT_NAME
}

/** How a command ended other than with an exit status. */
const LOST = Symbol('lost')

export function createSimHost({ world, pm, faults }: SimHostParts): Host {
  const running = commandsOn(pm)
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
    return effect === undefined ? await runProgram(call) : await suffer(effect, call, command, unreachable)
  }

  const performParts = async (command: Command, parts: readonly Command[], io: Io): Promise<number> => {
    for (const part of parts) {
      const said = { stdout: '', stderr: '' }
      const exit = await perform(part, {
        ...io,
        ...(part.stdin === undefined ? EMPTY_INPUT : {}),
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
  }

  /** The script that ends what outlived its channel (host/lost.ts), by the tags that this machine knows. */
  const endTagged = async (command: Command, io: Io): Promise<number> => {
    const prefix = command.argv[4] ?? ''
    for (const entry of [...running]) {
      if (entry.tag !== prefix && !entry.tag.startsWith(`${prefix}.`)) continue
      entry.kill()
      io.out(`ended ${entry.pid} ${entry.tag}\t${entry.command.argv[0]}\n`)
    }
    return 0
  }

  return {
    name: pm.name,
    async open(command, signal) {
      if (signal?.aborted) throw cancelledCommand(pm.name, command, signal.reason)
      refuseReach()
      settle(world, pm)
      if (isEndScript(command)) return start(pm, world, command, signal, (io) => endTagged(command, io)).process
      if (command.parts === undefined && !hasProgram(command.argv[0])) throw missingProgram(pm.name, command)
      const started = start(pm, world, command, signal, async (io) => {
        if (command.parts === undefined || command.pty) return await perform(command, io)
        return await performParts(command, command.parts, io)
      })
      if (command.tag !== undefined) {
        const entry = { pid: nextPid++, tag: command.tag, command, kill: started.kill }
        running.add(entry)
        void started.process.exited.catch(() => undefined).then(() => running.delete(entry))
      }
      return started.process
    },
    async connect(socketPath, signal): Promise<Duplex> {
      if (signal?.aborted) throw new PengxError('cancelled', `connecting to ${socketPath} on ${pm.name} was cancelled`)
      refuseReach()
      settle(world, pm)
      return connectQmp(world, pm, socketPath)
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
    signal: io.signal,
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
      await runProgram(call)
      call.err(effect.stderr ?? `${command.argv[0]}: simulated failure\n`)
      return effect.exit ?? 1
    }
    case 'lie':
      call.out(effect.stdout ?? '')
      return 0
    case 'vanish': {
      const before = new Set(call.pm.domains)
      const exit = await runProgram(call)
      const named = command.argv.map((word) => findDomain(call.pm, word)).find((domain) => domain !== undefined)
      const victim = call.pm.domains.find((domain) => !before.has(domain)) ?? named
      if (victim) remove(call.pm, victim)
      call.world.save()
      return exit
    }
    case 'lostBefore':
      throw LOST
    case 'lostAfter':
      await runProgram(call)
      throw LOST
    case 'unreachable':
      unreachable(effect.ms)
      throw LOST
    case 'slow': {
      const until = call.now() + effect.ms
      while (call.now() < until) await call.world.clock.sleep(until - call.now(), call.signal)
      return await runProgram(call)
    }
    case 'hang':
      return await new Promise<number>(() => undefined)
    case 'dieBefore':
      process.kill(process.pid, 'SIGKILL')
      return 137
    case 'dieAfter':
      await runProgram(call)
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
): Started {
  const encoder = new TextEncoder()
  const out = outlet()
  const err = outlet()
  const input = inlet()
  const killed = new AbortController()
  const end = Promise.withResolvers<number>()
  const late = new AbortController()

  /** Ends it there; what it had begun and takes time is left half done. */
  const kill = (error?: PengxError) => {
    killed.abort(error ?? new PengxError('cancelled', `${shortCommand(command)} on ${pm.name} was ended`))
    if (error) end.reject(error)
    else end.resolve(143)
  }
  const onAbort = () => kill(cancelledCommand(pm.name, command, signal?.reason))
  signal?.addEventListener('abort', onAbort, { once: true })
  if (signal?.aborted) onAbort()
  const { timeoutMs } = command
  if (timeoutMs !== undefined) {
    const text = `${shortCommand(command)} on ${pm.name} did not answer within ${timeoutMs / 1000} s and was ended`
    world.clock.sleep(timeoutMs, late.signal).then(
      () => kill(new PengxError('unreachable', text)),
      () => undefined,
    )
  }

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
  body(io).then(end.resolve, (error) => {
    if (error !== LOST) return end.reject(error)
    return end.reject(new PengxError('unreachable', `the connection to ${pm.name} was lost`))
  })
  const over = () => {
    late.abort()
    signal?.removeEventListener('abort', onAbort)
    input.close()
    out.close()
    err.close()
  }
  // Streams end before the exit is told; whoever does not ask how it ended is not told.
  const exited = end.promise.finally(over)
  exited.catch(() => undefined)
  const { stream: stdin } = input
  const resize = command.pty ? { resize: () => undefined } : {}
  return { process: { stdin, stdout: out.stream, stderr: err.stream, exited, ...resize }, kill: () => kill() }
}

interface Started {
  readonly process: Process
  kill(): void
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
