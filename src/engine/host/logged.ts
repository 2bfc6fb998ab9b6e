import { type Clock, systemClock } from '../../lib/clock.ts'
import type { Command, Host, Process } from './host.ts'
import { displayCommand } from './run.ts'

/** A command as it was run; told twice: when it starts, and with the same `id` and how it went when it is over. */
export interface CommandRecord {
  readonly id: number
  readonly host: string
  /** As a person may see it: masked, its standard input only counted. */
  readonly line: string
  readonly effect: Command['effect']
  readonly tag?: string
  readonly startedAt: number
  readonly tookMs?: number
  readonly exit?: number
  /** Why there is no exit. */
  readonly problem?: string
  /** The last of what it said. */
  readonly tail?: string
}

let lastId = 0
const TAIL_LENGTH = 2_000
/** More than is told: a secret that begins before the tail must be known whole to be taken out of it. */
const KEPT_LENGTH = 2 * TAIL_LENGTH

/**
 * A host that tells of every command, twice: when it starts and when it is over. What a reading command prints is not
 * told, only its complaints: a domain's configuration holds passwords. What one repeats of its input or of masked
 * words is taken out, from four letters on, and passwords always. Sockets are not told of.
 */
export function logHost(host: Host, tell: (record: CommandRecord) => void, clock: Clock = systemClock): Host {
  return {
    ...host,
    open: async (command, signal, onWait) => {
      const startedAt = clock.now()
      const record: CommandRecord = {
        id: ++lastId,
        host: host.name,
        line: describe(command),
        effect: command.effect,
        startedAt,
        ...(command.tag === undefined ? {} : { tag: command.tag }),
      }
      const over = (end: Partial<CommandRecord>) => tell({ ...record, ...end, tookMs: clock.now() - startedAt })
      tell(record)
      try {
        const process = await host.open(command, signal, onWait)
        return tapped(command, process, over)
      } catch (error) {
        over({ problem: cleanText((error as Error).message) })
        throw error
      }
    },
  }
}

function tapped(command: Command, process: Process, over: (end: Partial<CommandRecord>) => void): Process {
  if (command.pty) {
    process.exited.then(
      (exit) => over({ exit }),
      (error) => over({ problem: cleanText(error.message) }),
    )
    return process
  }
  const errors = tap(process.stderr)
  const words = command.effect === 'change' ? tap(process.stdout) : undefined
  const tail = () => {
    const text = redact(command, cleanText([words?.text(), errors.text()].filter(Boolean).join('\n')))
    return text === '' ? {} : { tail: text.slice(-TAIL_LENGTH) }
  }
  process.exited.then(
    // What was said last may still be on its way when the exit is known.
    async (exit) => {
      await Promise.race([Promise.all([errors.over, words?.over]), Bun.sleep(1_000)])
      over({ exit, ...tail() })
    },
    (error) => over({ problem: cleanText(error.message), ...tail() }),
  )
  return { ...process, stderr: errors.stream, ...(words ? { stdout: words.stream } : {}) }
}

/** Lets a stream through and keeps the end of it. */
function tap(source: ReadableStream<Uint8Array>) {
  const kept = { chunks: [] as Uint8Array[], length: 0 }
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const keep = (chunk: Uint8Array) => {
    const end = chunk.byteLength > KEPT_LENGTH ? chunk.slice(-KEPT_LENGTH) : chunk
    kept.chunks.push(end)
    kept.length += end.byteLength
    while (kept.length - kept.chunks[0]!.byteLength >= KEPT_LENGTH) kept.length -= kept.chunks.shift()!.byteLength
  }
  const stream = source.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        keep(chunk)
        controller.enqueue(chunk)
      },
      flush: () => resolve(),
    }),
  )
  return { stream, over, text: () => Buffer.concat(kept.chunks).toString().trim() }
}

function describe(command: Command): string {
  const input = command.stdin === undefined ? '' : ` <(${Buffer.byteLength(command.stdin)} bytes)`
  return cleanText(displayCommand(command)) + input
}

/** Escape sequences and other control characters out: what a host says must not steer a terminal. */
function cleanText(text: string): string {
  return text
    .replace(/\x1b\[[0-?]*[ -/]*[@-~]/g, '')
    .replace(/\x1b\][^\x07\x1b]*(\x07|\x1b\\)?/g, '')
    .replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '')
}

/** A password in a configuration: xl complains of a value without the line that it stands in. */
const PASSWORD = /passw\w*\s*=\s*["']?([^"',\]\s]+)/gi

/** Of bytes that are many nobody has written a word. */
function textFed(stdin: string | Uint8Array): string[] {
  if (typeof stdin === 'string') return [stdin]
  return stdin.length > MOST_TEXT ? [] : [new TextDecoder().decode(stdin)]
}

const MOST_TEXT = 256 * 1024

/** A program that echoes what it was told in confidence must not make it known. */
function redact(command: Command, text: string): string {
  const parts = [command, ...(command.parts ?? [])]
  const inputs = parts.flatMap(({ stdin }) => (stdin === undefined ? [] : textFed(stdin)))
  const secrets = [
    ...parts.flatMap((part) => (part.masked ?? []).map((index) => part.argv[index] ?? '')),
    ...inputs.flatMap((input) => input.split('\n').map((line) => line.trim())),
  ].filter((secret) => secret.length >= 4)
  const passwords = inputs.flatMap((input) => [...input.matchAll(PASSWORD)].map((found) => found[1]!))
  const told = parts.flatMap((part) => part.secrets ?? [])
  return [...secrets, ...passwords, ...told]
    .sort((a, b) => b.length - a.length)
    .reduce((clean, secret) => clean.replaceAll(secret, '***'), text)
}
