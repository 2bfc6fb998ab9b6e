import type { EngineConfig } from '../../src/engine/engine.ts'
import { type Server, startServer } from '../../src/server/serve.ts'
import { openWorld, type World, type WorldPlace } from '../support/sites/world.ts'

/** The server in front of a real engine and a simulated site that a test can disturb; xen1 is its own PM. */
export interface SimServer extends AsyncDisposable {
  readonly world: World
  readonly server: Server
  /** All that its log was told. */
  readonly logged: object[]
  ask(method: string, path: string, body?: string, headers?: Record<string, string>): Promise<Answer>
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly headers: Headers
}

export async function serveSim(more: Partial<EngineConfig> = {}, place?: WorldPlace): Promise<SimServer> {
  const world = await openWorld(more, place)
  const logged: object[] = []
  const log = {
    info: (fields: object, message: string) => void logged.push({ ...fields, message }),
    error: (fields: object, message: string) => void logged.push({ ...fields, message }),
  }
  const server = await startServer(world.engine, { listen: '127.0.0.1:0', noAuth: true, self: 'xen1', log })
  return {
    world,
    server,
    logged,
    async ask(method, path, body, headers = {}) {
      const typed: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/xml' }
      const sent = body === undefined ? {} : { body }
      const response = await fetch(server.url + path, { method, headers: { ...typed, ...headers }, ...sent })
      return { status: response.status, text: await response.text(), headers: response.headers }
    },
    async [Symbol.asyncDispose]() {
      await server.stop()
      await world.close()
    },
  }
}

export const storlinkXml = (name: string, link: string, more = '') =>
  `<storlink><name>${name}</name><link>${link}</link><type>LO</type><level>FL</level>${more}</storlink>`
