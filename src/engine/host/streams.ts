import type { Readable, Writable } from 'node:stream'

/** Node's streams as web streams, with back-pressure, and with an end that an outsider can bring about. */
export interface Source {
  readonly stream: ReadableStream<Uint8Array>
  /** Ends it with that error for who reads; after its own end nothing. */
  fail(error: unknown): void
}

/**
 * Chunks are asked for (`read`, `readable`), not let flow and held. Either way Bun 1.4.5 was seen to stop delivering a child's
 * output while its pipe was full, beside a connection that was cut: who carries it must not wait for it alone (pipe.ts).
 */
export function webSource(readable: Readable): Source {
  let over = false
  let controller: ReadableStreamDefaultController<Uint8Array>
  let wake: () => void = () => undefined
  const woken = () => wake()
  const finish = (act: () => void) => {
    if (over) return
    over = true
    act()
    wake()
  }
  /** Nobody reads on, but what is sent must be taken: else the sender stands still, and a channel never closes. */
  const take = () => {
    readable.off('readable', woken)
    readable.resume()
  }
  const stream = new ReadableStream<Uint8Array>(
    {
      start(given) {
        controller = given
        readable.on('readable', woken)
        // A lost connection ends its streams as if all had been said; who knows better says so in this very turn.
        const end = () => setTimeout(() => finish(() => controller.close()), 0)
        readable.on('end', end)
        readable.on('close', end)
        readable.on('error', (error) => finish(() => controller.error(error)))
        // All may have been said before anybody listened here.
        if (readable.readableEnded) end()
      },
      async pull() {
        while (!over) {
          const next = new Promise<void>((resolve) => {
            wake = resolve
          })
          const chunk: Buffer | null = readable.read()
          if (chunk !== null)
            return controller.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
          await next
        }
      },
      cancel() {
        over = true
        wake()
        take()
      },
    },
    { highWaterMark: 1024 * 1024, size: (chunk) => chunk?.byteLength ?? 0 },
  )
  const fail = (error: unknown) =>
    finish(() => {
      controller.error(error)
      take()
    })
  return { stream, fail }
}

/** `closed` rejects a write that the stream would never answer, because its other end went away. */
export function webSink(writable: Writable, closed: Promise<unknown>): WritableStream<Uint8Array> {
  const gone = closed.then(
    () => Promise.reject(new Error('the other end is closed')),
    (error) => Promise.reject(error),
  )
  gone.catch(() => undefined)
  writable.on('error', () => undefined)
  return new WritableStream<Uint8Array>({
    write: (chunk) =>
      Promise.race([
        new Promise<void>((resolve, reject) => writable.write(chunk, (error) => (error ? reject(error) : resolve()))),
        gone,
      ]),
    close: () => void writable.end(),
    abort: () => void writable.end(),
  })
}
