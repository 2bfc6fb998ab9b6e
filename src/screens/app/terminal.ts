import type { Engine } from '../../engine/engine.ts'
import { toPengxError } from '../../model/error.ts'
import type { AppContext } from './context.ts'

/**
 * The terminal lent to something else: a guest's console, a shell on a PM, or the shell that pengx was started from.
 * The way out is told first. What ends at once stays to be read until a key is pressed.
 */

type What = Parameters<Engine['terminal']>[0]

const QUICK_MS = 1000

export function openTerminal(app: AppContext, what: What, name: string): void {
  app.attempt(async () => {
    const { host, argv, leave } = await app.engine.terminal(what)
    await app.handOver(async () => {
      const { stdout } = process
      const size = () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 })
      stdout.write(`\x1b[2J\x1b[H${name}: leave with ${leave}\r\n\r\n`)
      const begun = performance.now()
      try {
        const exit = await bridge(await host.open({ argv, effect: 'change', pty: size() }), size)
        if (exit !== 0 || performance.now() - begun < QUICK_MS) await anyKey(`[ended with ${exit}; any key goes back]`)
      } catch (error) {
        await anyKey(`[${toPengxError(error).message}; any key goes back]`)
      }
      // The frame is drawn from where the cursor is.
      stdout.write('\x1b[2J\x1b[H')
    })
  })
}

type Process = Awaited<ReturnType<Awaited<ReturnType<Engine['terminal']>>['host']['open']>>

/** Keys there, output here, and the terminal's size, until it ends. */
async function bridge(remote: Process, size: () => { columns: number; rows: number }): Promise<number> {
  const { stdout } = process
  const writer = remote.stdin.getWriter()
  const resized = () => remote.resize?.(size().columns, size().rows)
  const deaf = listen((data) => void writer.write(data).catch(() => undefined))
  stdout.on('resize', resized)
  const pump = async (stream: ReadableStream<Uint8Array>) => {
    const reader = stream.getReader()
    for (let part = await reader.read(); !part.done; part = await reader.read()) stdout.write(part.value)
  }
  const pumps = Promise.allSettled([pump(remote.stdout), pump(remote.stderr)])
  try {
    const exit = await remote.exited
    await pumps
    return exit
  } finally {
    stdout.off('resize', resized)
    deaf()
    writer.close().catch(() => undefined)
  }
}

async function anyKey(text: string): Promise<void> {
  process.stdout.write(`\r\n${text}`)
  await new Promise<void>((resolve) => {
    const deaf = listen(() => {
      deaf()
      resolve()
    })
  })
}

/**
 * Every byte that is typed, as it comes. Reads the way Ink does (`readable` and read), because a stream that was once
 * made to flow does not wake up for Ink again.
 */
function listen(typed: (data: Uint8Array) => void): () => void {
  const { stdin } = process
  const readable = () => {
    for (let data = stdin.read(); data !== null; data = stdin.read()) {
      typed(typeof data === 'string' ? new TextEncoder().encode(data) : new Uint8Array(data))
    }
  }
  stdin.ref()
  stdin.setRawMode?.(true)
  stdin.on('readable', readable)
  return () => {
    stdin.off('readable', readable)
    stdin.setRawMode?.(false)
    stdin.unref()
  }
}

/** `ctrl-z`: to the shell that started pengx; `fg` comes back. */
export function suspend(app: AppContext): void {
  app.attempt(() =>
    app.handOver(
      () =>
        new Promise<void>((resolve) => {
          process.once('SIGCONT', () => resolve())
          process.kill(process.pid, 'SIGTSTP')
        }),
    ),
  )
}
