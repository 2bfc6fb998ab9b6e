import { Duplex } from 'node:stream'
import type { Json } from '../../../src/model/json.ts'

export type Message = { readonly execute?: string; readonly arguments?: { readonly [key: string]: Json } }

/** Stands between a client of QEMU's monitor and that: what is told to QEMU, and what it answers, can be put otherwise. */
export function monitorBetween(
  socket: Duplex,
  edits: { before(): Promise<void>; tell(message: Message): Message; answer(line: string): string },
): Duplex {
  const between = new Duplex({
    read() {},
    async write(chunk: Buffer, _encoding, done) {
      for (const line of tell(chunk.toString('utf8'))) {
        await edits.before()
        socket.write(`${JSON.stringify(edits.tell(JSON.parse(line)))}\n`)
      }
      done()
    },
    destroy(error, done) {
      socket.destroy()
      done(error)
    },
  })
  const [tell, answer] = [lines(), lines()]
  socket.on('data', (chunk: Buffer) => {
    for (const line of answer(chunk.toString('utf8'))) between.push(`${edits.answer(line)}\n`)
  })
  socket.on('error', (error) => between.destroy(error))
  socket.on('close', () => between.destroy())
  return between
}

/** Text in, whole lines out. */
function lines(): (text: string) => string[] {
  let rest = ''
  return (text) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop()!
    return parts.filter((line) => line.trim() !== '')
  }
}
