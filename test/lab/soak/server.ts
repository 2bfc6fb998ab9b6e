// The server that makes the scheduled backups: killed, started again, and ended when nothing is at work.
import { type Pengx, serveOutside } from '../pengx.ts'

type Serving = Awaited<ReturnType<typeof serveOutside>>

export interface Server {
  start(): Promise<void>
  kill(): Promise<void>
  stop(): Promise<void>
}

export function createServer(pengx: Pengx): Server {
  let serving: Serving | undefined
  const end = async (how: 'kill' | 'stop') => {
    await serving?.[how]()
    serving = undefined
  }
  return {
    async start() {
      serving ??= await serveOutside(pengx)
    },
    kill: () => end('kill'),
    stop: () => end('stop'),
  }
}
