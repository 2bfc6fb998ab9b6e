/** A simulated PM as a Host: commands go to its programs, with faults in their way. */
import type { Duplex } from 'node:stream'
import { markPart } from '../engine/host/batch.ts'
import { cancelledCommand, missingProgram } from '../engine/host/bounded.ts'
import { type Command, type Host, mayBeEnded } from '../engine/host/host.ts'
import { END_SCRIPT_NAME } from '../engine/host/lost.ts'
import { turns } from '../lib/turns.ts'
import { PengxError } from '../model/error.ts'
import { remove, settle } from './machine/guests.ts'
import { EMPTY_INPUT, type Io, LOST, start } from './machine/process.ts'
import type { Call, SimWorld } from './machine/program.ts'
import type { PmState } from './machine/state.ts'
import { hasProgram, runProgram } from './programs/table.ts'
import { carrierTag } from './programs/xl/migrate.ts'
import { findDomain } from './programs/xl/words.ts'
import { connectQmp } from './qmp/monitor.ts'
import type { FaultEffect, FaultTable } from './stage/faults.ts'

export interface SimHostParts {
  readonly world: SimWorld
  readonly pm: PmState
  readonly faults: FaultTable
}

interface RunningCommand {
  readonly pid: number
  readonly tag: string
  readonly program: string
  readonly endable: boolean
  readonly over: Promise<unknown>
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

  /** One command or one part of a batch. A real machine works beside a screen; a simulated one in its turn. */
  const perform = async (command: Command, io: Io): Promise<number> => {
    await turns.take()
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

  /** The script for what outlived its channel (host/lost.ts), by the tags that this machine knows. */
  const endTagged = async (command: Command, io: Io): Promise<number> => {
    const [prefix = '', which, , patience] = command.argv.slice(4)
    const found = [...running].filter(({ tag }) => tag === prefix || tag.startsWith(`${prefix}.`))
    const ends = found.filter((entry) => entry.endable || which === 'now')
    for (const entry of ends) entry.kill()
    const waited = found.filter((entry) => !ends.includes(entry))
    const all = Promise.all(waited.map((entry) => entry.over))
    if (waited.length > 0) await Promise.race([all, world.clock.sleep(Number(patience) * 100, io.signal)])
    for (const entry of found) {
      const verb = ends.includes(entry) ? 'ended' : running.has(entry) ? 'atWork' : 'waited'
      io.out(`${verb} ${entry.pid} ${entry.tag}\t${entry.program}\n`)
    }
    return 0
  }

  /** Under its tag it is found again until it is over; the ssh that carries a migration has one of its own. */
  const remember = (command: Command, exited: Promise<number>, kill: () => void) => {
    const over = exited.catch(() => undefined)
    const carrier = carrierTag(command.argv)
    const entries = [
      ...(command.tag === undefined
        ? []
        : [{ tag: command.tag, program: command.argv[0], endable: mayBeEnded(command) }]),
      ...(carrier === undefined ? [] : [{ tag: carrier, program: 'ssh', endable: false }]),
    ].map((entry): RunningCommand => ({ ...entry, pid: nextPid++, over, kill }))
    for (const entry of entries) running.add(entry)
    void over.then(() => {
      for (const entry of entries) running.delete(entry)
    })
  }

  return {
    name: pm.name,
    async open(command, signal, onWait) {
      if (signal?.aborted) throw cancelledCommand(pm.name, command, signal.reason)
      refuseReach()
      settle(world, pm)
      if (isEndScript(command)) return start(pm, world, command, signal, (io) => endTagged(command, io)).process
      if (command.parts === undefined && !hasProgram(command.argv[0])) throw missingProgram(pm.name, command)
      const work = async (io: Io) => {
        if (command.parts === undefined || command.pty) return await perform(command, io)
        return await performParts(command, command.parts, io)
      }
      const started = start(pm, world, command, signal, work, onWait)
      remember(command, started.process.exited, started.kill)
      return started.process
    },
    async connect(socketPath, _effect, signal): Promise<Duplex> {
      if (signal?.aborted) throw new PengxError('cancelled', `connecting to ${socketPath} on ${pm.name} was cancelled`)
      await turns.take()
      refuseReach()
      settle(world, pm)
      return connectQmp(world, pm, socketPath)
    },
    async close() {},
  }
}

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
    run: (argv, there) => runProgram({ ...call, argv, ...(there ? { pm: there } : {}) }),
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
    case 'meanwhile':
      await effect.happens()
      call.signal.throwIfAborted()
      return await runProgram(call)
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
