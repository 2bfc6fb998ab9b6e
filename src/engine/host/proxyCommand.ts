import { Duplex } from 'node:stream'
import { PengxError } from '../../model/error.ts'
import type { Host } from './host.ts'

/** Pure. How the client runs a command line of its configuration: by the person's shell, which becomes it. */
export function shellArgv(line: string): [string, ...string[]] {
  return [process.env.SHELL || '/bin/sh', '-c', `exec ${line}`]
}

/** A process that is a connection: what is written goes to its standard input, what it says is read. */
export interface ProxyConnection {
  readonly stream: Duplex
  /** What it said beside that, and how it ended, where it has: `exited with 1: no route`; undefined: nothing. */
  trouble(): Promise<string | undefined>
}

/** So much of what it says on stderr is kept, from its end. */
const MOST_SAID = 2_000
/** A connection is seen to end a moment before its process is. */
const LAST_WORDS_MS = 500

/**
 * Starts a ProxyCommand (ssh_config(5)) on this machine, in a session without a terminal: it cannot ask. It ends with the stream, and
 * the stream with it. `notFound` where there is no such shell.
 */
export async function openProxyCommand(local: Host, line: string): Promise<ProxyConnection> {
  const ended = new AbortController()
  const process = await local.open({ argv: shellArgv(line), effect: 'read', bulk: true }, ended.signal)
  let said = ''
  let exit: string | undefined
  const over = new PengxError('cancelled', 'the connection through its ProxyCommand is closed')
  const reader = process.stdout.getReader()
  const writer = process.stdin.getWriter()
  const stream = new Duplex({
    allowHalfOpen: false,
    read() {
      reader.read().then(
        // What it says at its end, and with which status, is to be known when the connection is seen to be over.
        ({ done, value }) => (done ? void lastWords().then(() => this.push(null)) : this.push(value)),
        () => this.push(null),
      )
    },
    write: (chunk: Buffer, _encoding, done) => void writer.write(chunk).then(() => done(), done),
    final: (done) =>
      void writer.close().then(
        () => done(),
        () => done(),
      ),
    destroy(error, done) {
      ended.abort(over)
      reader.cancel().catch(() => undefined)
      done(error)
    },
  })
  writer.closed.catch(() => undefined)
  const heard = (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of process.stderr) said = (said + decoder.decode(chunk, { stream: true })).slice(-MOST_SAID)
  })().catch(() => undefined)
  const gone = process.exited.then(
    (status) => {
      exit = `exited with ${status}`
    },
    () => undefined,
  )
  const lastWords = () => Promise.race([Promise.all([heard, gone]), Bun.sleep(LAST_WORDS_MS)])
  return {
    stream,
    trouble: async () => {
      await lastWords()
      const words = said.trim().split('\n').slice(-3).join(' | ')
      if (exit === undefined) return words === '' ? undefined : `says: ${words}`
      return words === '' ? exit : `${exit}: ${words}`
    },
  }
}
