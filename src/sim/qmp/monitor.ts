/**
 * QEMU's monitor sockets on a simulated PM: a line of JSON each way, a greeting first, one client at a time.
 * Who comes second is connected and hears nothing until the first has gone, as with the real ones.
 */
import { Duplex } from 'node:stream'
import { turns } from '../../lib/turns.ts'
import { PengxError } from '../../model/error.ts'
import { settle } from '../machine/guests.ts'
import type { SimWorld } from '../machine/program.ts'
import { socketDomain } from '../machine/pseudo.ts'
import type { Domain, PmState } from '../machine/state.ts'
import type { QmpAnswer } from './blocks.ts'
import { QMP_COMMANDS } from './commands.ts'
import { concludeJobs } from './jobs.ts'

const GREETING = {
  QMP: {
    version: { qemu: { micro: 22, minor: 2, major: 7 }, package: 'Debian 1:7.2+dfsg-7+deb12u18+b3' },
    capabilities: ['oob'],
  },
}

/** Those who wait at each socket, the one that is served first. */
const queues = new WeakMap<SimWorld, Map<string, Client[]>>()

interface Client {
  serve(): void
}

export function connectQmp(world: SimWorld, pm: PmState, socketPath: string): Duplex {
  const domain = socketDomain(pm, socketPath)
  if (domain === undefined) {
    throw new PengxError('notFound', `cannot connect to ${socketPath} on ${pm.name}: nobody listens there`)
  }
  const sockets = queues.get(world) ?? new Map<string, Client[]>()
  queues.set(world, sockets)
  const key = `${pm.name}:${socketPath.replace(/^\/var/, '')}`
  const queue = sockets.get(key) ?? []
  sockets.set(key, queue)

  const stream = createMonitor(world, pm, domain, () => {
    const at = queue.indexOf(client)
    if (at === -1) return
    queue.splice(at, 1)
    if (queue.length === 0) sockets.delete(key)
    else if (at === 0) queue[0]!.serve()
  })
  const client: Client = { serve: () => stream.greet() }
  queue.push(client)
  if (queue[0] === client) client.serve()
  return stream.duplex
}

interface Monitor {
  readonly duplex: Duplex
  greet(): void
}

function createMonitor(world: SimWorld, pm: PmState, domain: Domain, left: () => void): Monitor {
  let rest = ''
  let served = false
  let negotiated = false
  const early: string[] = []
  const say = (message: unknown) => {
    if (!duplex.destroyed) duplex.push(`${JSON.stringify(message)}\r\n`)
  }

  const hear = (line: string) => {
    let message: { execute?: string; arguments?: Record<string, unknown>; id?: unknown }
    try {
      message = JSON.parse(line)
    } catch {
      say({ error: { class: 'GenericError', desc: 'JSON parse error, invalid keyword' } })
      return
    }
    const id = message.id === undefined ? {} : { id: message.id }
    settle(world, pm)
    if (!pm.domains.includes(domain)) {
      duplex.destroy()
      return
    }
    const name = message.execute ?? ''
    if (!negotiated) {
      if (name === 'qmp_capabilities') {
        negotiated = true
        say({ return: {}, ...id })
      } else {
        const desc = `Expecting capabilities negotiation with 'qmp_capabilities'`
        say({ error: { class: 'CommandNotFound', desc }, ...id })
      }
      return
    }
    const command = Object.hasOwn(QMP_COMMANDS, name) ? QMP_COMMANDS[name] : undefined
    const call = { world, pm, domain, args: message.arguments ?? {} }
    concludeJobs(call)
    const answer: QmpAnswer =
      command === undefined
        ? { error: { class: 'CommandNotFound', desc: `The command ${name} has not been found` } }
        : command(call)
    const { events, hangUp, ...reply } = answer
    for (const event of events ?? []) {
      const now = world.clock.now()
      const timestamp = { seconds: Math.floor(now / 1000), microseconds: (now % 1000) * 1000 }
      say({ timestamp, ...event })
    }
    if (hangUp !== 'unanswered') say({ ...reply, ...id })
    if (hangUp === 'answered') duplex.push(null)
    else if (hangUp) duplex.destroy()
  }

  const duplex = new Duplex({
    read() {},
    async write(chunk: Buffer, _encoding, done) {
      await turns.take()
      const lines = (rest + chunk.toString('utf8')).split('\n')
      rest = lines.pop()!
      for (const line of lines.filter((one) => one.trim() !== '')) {
        if (served) hear(line)
        else early.push(line)
      }
      done()
    },
    final(done) {
      duplex.push(null)
      done()
    },
    destroy(error, done) {
      left()
      done(error)
    },
  })
  return {
    duplex,
    greet() {
      served = true
      say(GREETING)
      for (const line of early.splice(0)) hear(line)
    },
  }
}
