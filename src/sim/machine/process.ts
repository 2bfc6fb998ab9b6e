import { cancelledCommand, shortCommand, stillAtWork } from '../../engine/host/bounded.ts'
import { type Command, mayBeEnded, type OnWait, type Process } from '../../engine/host/host.ts'
import { PengxError } from '../../model/error.ts'
import type { SimWorld } from './program.ts'
import type { PmState } from './state.ts'

/** How a command ended other than with an exit status. */
export const LOST = Symbol('lost')

/** What a running program is connected to. */
export interface Io {
  stdin(): Promise<string>
  read(): Promise<string | undefined>
  out(text: string): void
  err(text: string): void
  signal: AbortSignal
}

export const EMPTY_INPUT = { stdin: async () => '', read: async () => undefined }

/** Gives a process its streams, its end, and its death by abort or by time. */
export function start(
  pm: PmState,
  world: SimWorld,
  command: Command,
  signal: AbortSignal | undefined,
  body: (io: Io) => Promise<number>,
  onWait?: OnWait,
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
  const endable = mayBeEnded(command)
  if (endable) signal?.addEventListener('abort', onAbort, { once: true })
  if (endable && signal?.aborted) onAbort()
  let told = false
  const waits = (afterMs: number) => {
    told = true
    onWait?.(stillAtWork(pm.name, command, afterMs))
  }
  const { timeoutMs } = command
  if (timeoutMs !== undefined) {
    const text = `${shortCommand(command)} on ${pm.name} did not answer within ${timeoutMs / 1000} s and was ended`
    world.clock.sleep(timeoutMs, late.signal).then(
      () => (endable ? kill(new PengxError('unreachable', text)) : waits(timeoutMs)),
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
    if (told) onWait?.(undefined)
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

/** What stands for input that is no text: files are text here. What reads bytes understands it (`base64`). */
export const BYTES_MARK = '\u0001pengx-sim-bytes '

function inlet() {
  const decoder = new TextDecoder()
  const chunks: Uint8Array[] = []
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
    write: (bytes) => {
      chunks.push(bytes)
      push(decoder.decode(bytes, { stream: true }))
    },
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
    if (!text.includes('\ufffd')) return text
    const bytes = Buffer.concat(chunks)
    return bytes.equals(Buffer.from(text)) ? text : `${BYTES_MARK}${bytes.toString('base64')}`
  }
  return { stream, read, all, close }
}
