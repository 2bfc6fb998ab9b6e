import { PengxError } from '../../model/error.ts'
import type { Command, Host, Process } from './host.ts'
import { commandFailure } from './run.ts'

/** One end of a pipe between two hosts. */
export interface PipeEnd {
  readonly host: Host
  readonly command: Command
}

/**
 * What one command says is what another is told, on the same host or another. A slow reader slows the writer down; an
 * abort, or the end of either, ends both, and when this settles neither writes any more. Each host lets only so many
 * commands run, so the two places are always taken in one order: two pipes in opposite directions would otherwise
 * wait for each other. Fails with what the failed end says: `noSpace`, `commandFailed`, `unreachable`, `cancelled`.
 */
export async function pipe(
  from: PipeEnd,
  to: PipeEnd,
  onChunk: (chunk: Uint8Array) => void,
  signal?: AbortSignal,
): Promise<void> {
  const stop = new AbortController()
  const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal
  const open = (end: PipeEnd) => end.host.open(end.command, both)
  const [source, sink] = await openInOrder(from, to, open, stop)
  const said = { source: new Response(source.stderr).text(), sink: new Response(sink.stderr).text() }
  const silent = drain(sink.stdout)
  for (const text of [said.source, said.sink, silent]) text.catch(() => undefined)
  try {
    await carry(source.stdout, sink.stdin, onChunk, settled(sink.exited))
  } catch (error) {
    // Whoever takes nothing any more, or is gone, tells why; whoever was still talking is told to stop.
    const ended = await Promise.race([settled(sink.exited), Bun.sleep(1_000)])
    stop.abort(brokenBy(error, to))
    const [talked] = await Promise.all([settled(source.exited), settled(sink.exited)])
    if (signal?.aborted) throw abortedBy(signal, from)
    if (ended) await needExit(to, given(ended), said.sink)
    await needExit(from, given(talked), said.source)
    throw brokenBy(error, to)
  }
  const exits = await Promise.allSettled([source.exited, sink.exited])
  if (signal?.aborted) throw abortedBy(signal, from)
  for (const exit of exits) if (exit.status === 'rejected') throw exit.reason
  await needExit(from, await source.exited, said.source)
  await needExit(to, await sink.exited, said.sink)
}

async function openInOrder(
  from: PipeEnd,
  to: PipeEnd,
  open: (end: PipeEnd) => Promise<Process>,
  stop: AbortController,
): Promise<readonly [Process, Process]> {
  const fromFirst = from.host.name <= to.host.name
  const first = await open(fromFirst ? from : to)
  try {
    const second = await open(fromFirst ? to : from)
    return fromFirst ? [first, second] : [second, first]
  } catch (error) {
    stop.abort()
    await first.exited.catch(() => undefined)
    throw error
  }
}

/** A sink that ends may have had all, and the source says so in a moment. */
const END_GRACE_MS = 1_000

/** One chunk is on its way while the next is read. Who has nothing to say is not waited for when nobody listens any more. */
async function carry(
  source: ReadableStream<Uint8Array>,
  sink: WritableStream<Uint8Array>,
  onChunk: (chunk: Uint8Array) => void,
  ended: Promise<unknown>,
): Promise<void> {
  const reader = source.getReader()
  const writer = sink.getWriter()
  let underWay: Promise<void> = Promise.resolve()
  let over = false
  let unheard = false
  void ended.then(async () => {
    if (!over) await Bun.sleep(END_GRACE_MS)
    if (over) return
    unheard = true
    await reader.cancel().catch(() => undefined)
  })
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (unheard) throw new Error('the other end is closed')
      if (done) break
      onChunk(value)
      await underWay
      underWay = writer.write(value)
      underWay.catch(() => undefined)
    }
    await underWay
    await writer.close()
  } catch (error) {
    await Promise.allSettled([reader.cancel(), writer.abort()])
    throw error
  } finally {
    over = true
  }
}

async function settled(exit: Promise<number>): Promise<PromiseSettledResult<number>> {
  const [result] = await Promise.allSettled([exit])
  return result
}

function given(result: PromiseSettledResult<number>): number {
  if (result.status === 'rejected') throw result.reason
  return result.value
}

async function drain(stream: ReadableStream<Uint8Array>): Promise<void> {
  for await (const _ of stream);
}

async function needExit({ host, command }: PipeEnd, exit: number, said: Promise<string>): Promise<void> {
  if ((command.okExits ?? [0]).includes(exit)) return
  throw commandFailure(host, command, { exit, stdout: '', stderr: await said.catch(() => '') })
}

function brokenBy(error: unknown, { host, command }: PipeEnd): PengxError {
  if (error instanceof PengxError) return error
  const text = `${command.argv[0]} on ${host.name} ended before it had taken all`
  return new PengxError('commandFailed', text, { cause: error })
}

function abortedBy(signal: AbortSignal, { host }: PipeEnd): PengxError {
  if (signal.reason instanceof PengxError) return signal.reason
  return new PengxError('cancelled', `a copy from ${host.name} was cancelled`, { cause: signal.reason })
}
