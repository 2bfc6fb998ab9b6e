import PQueue from 'p-queue'
import { PengxError } from '../../model/error.ts'
import { shortCommand } from './bounded.ts'
import type { Command, Host, NamedQueue, OnWait, Process } from './host.ts'

/** The named ones, and where a command goes that names none: `xl` changes a domain, `looks` ask xl, `others`. */
type Queue = Exclude<NamedQueue, 'none'> | 'xl' | 'looks' | 'others'

/** How many of each run on one host at once. */
export type Limits = Readonly<Record<Queue, number>>

/**
 * What drives domains never waits behind what carries bytes or hangs on a storlink. Two builds: libxl gives each
 * hotplug script 40 s, which do not do where many domains are built at once. All of them together are fewer than the
 * sessions of four connections to a server as it comes (sshMachine.ts).
 */
const DEFAULT_LIMITS: Limits = {
  copies: 2,
  arrivals: 2,
  builds: 2,
  migrations: 2,
  locks: 4,
  xl: 4,
  looks: 3,
  others: 8,
}

const WORDS: Readonly<Record<Queue, readonly [one: string, many: string]>> = {
  copies: ['copy', 'copies'],
  arrivals: ['arriving copy', 'arriving copies'],
  builds: ['build of a domain', 'builds of domains'],
  migrations: ['migration', 'migrations'],
  locks: ['change of disks in use', 'changes of disks in use'],
  xl: ['xl command', 'xl commands'],
  looks: ['look at domains', 'looks at domains'],
  others: ['command', 'commands'],
}

/** Pure. Among which a command waits; undefined: it does not. A terminal takes no place: a console stays open for hours. */
function queueOf(command: Command): Queue | undefined {
  if (command.pty || command.queue === 'none') return undefined
  if (command.queue) return command.queue
  const xl = (command.parts ?? [command]).filter(({ argv }) => argv[0] === 'xl')
  if (xl.length === 0) return 'others'
  return xl.some(({ effect }) => effect === 'change') ? 'xl' : 'looks'
}

/**
 * A host that runs only so many commands of a kind at once; the others of that kind wait their turn, `onWait` hears
 * behind what, and a wait can be aborted (`cancelled`). A command holds its place until it has ended. Who holds one
 * place while it waits for another takes them in one order, as `pipe` does, or pairs wait for each other.
 */
export function limitHost(host: Host, given: Partial<Limits> = {}): Host {
  const limits = { ...DEFAULT_LIMITS, ...given }
  const queues = new Map<Queue, PQueue>()
  const places = (queue: Queue): PQueue => {
    const found = queues.get(queue) ?? new PQueue({ concurrency: limits[queue] })
    queues.set(queue, found)
    return found
  }
  return {
    ...host,
    open: async (command, signal, onWait) => {
      const queue = queueOf(command)
      if (queue === undefined) return host.open(command, signal, onWait)
      const wait = waitUnder(signal)
      const turn = tellTurn(host, queue, limits[queue], onWait)
      const opened = Promise.withResolvers<Process>()
      /** What is queued: a command from its start to its end. */
      const whole = async () => {
        wait.end()
        turn.over()
        const process = await host.open(command, signal, onWait)
        opened.resolve(process)
        await process.exited.catch(() => undefined)
      }
      if (places(queue).pending >= limits[queue]) turn.waits()
      places(queue)
        .add(whole, wait)
        .catch((error) => {
          turn.over()
          const text = `${shortCommand(command)} on ${host.name} was cancelled while it waited for its turn`
          opened.reject(wait.signal?.aborted ? new PengxError('cancelled', text, { cause: signal?.reason }) : error)
        })
      return opened.promise
    },
  }
}

/** All places are taken for as long as anybody waits, so how many are at work stays true. */
function tellTurn(host: Host, queue: Queue, limit: number, onWait: OnWait | undefined) {
  let told = false
  const [one, many] = WORDS[queue]
  return {
    waits() {
      told = true
      onWait?.(`waits for its turn behind ${limit} ${limit === 1 ? one : many} on ${host.name}`)
    },
    over() {
      if (told) onWait?.(undefined)
      told = false
    },
  }
}

/**
 * A signal for the wait alone. A queue takes a task for ended as soon as its signal aborts, but a command that is
 * aborted while it runs still has its place until it has gone.
 */
function waitUnder(signal?: AbortSignal): { readonly signal?: AbortSignal; end(): void } {
  if (signal === undefined) return { end: () => undefined }
  const wait = new AbortController()
  const abort = () => wait.abort(signal.reason)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  return { signal: wait.signal, end: () => signal.removeEventListener('abort', abort) }
}
