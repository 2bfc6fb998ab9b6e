import { chmodSync, rmSync } from 'node:fs'
import type { Engine } from '../engine/engine.ts'
import { PengxError } from '../model/error.ts'
import { createEvents } from './events.ts'
import { handle, type ServerContext, type ServerLog } from './handle.ts'
import { clearSocket, type Place, parseListen, refuseNoAuth } from './listen.ts'
import { createMetrics } from './metrics.ts'
import { createRateLimiter, DEFAULT_RATE, type RateLimit } from './rateLimit.ts'
import { ROWS } from './routes/routes.ts'
import { readOrCreateToken } from './token.ts'

export interface ServerOptions {
  /** `HOST:PORT`, `[IPv6]:PORT`, or `unix:PATH`; port 0 is any free one. */
  readonly listen: string
  /** Nobody is asked for the token; refused where others than this machine's could come. */
  readonly noAuth?: boolean
  /** Where the token is; made where it is missing. Needed unless `noAuth`. */
  readonly tokenFile?: string
  /** Name or UUID of the PM that `/pms/` means where this runs on none. */
  readonly self?: string
  readonly rate?: RateLimit
  /** How long a connection on which nothing happens is kept; an answer that is being made is something. */
  readonly idleSeconds?: number
  /** What time it is, in milliseconds since 1970. */
  readonly now?: () => number
  readonly log: ServerLog
}

export interface Server {
  /** `http://127.0.0.1:8080`, or `unix:PATH`. */
  readonly url: string
  /** Lets answers that are being made end, for a moment, then ends all of them; jobs go on. */
  stop(): Promise<void>
}

const STOP_PATIENCE_MS = 2_000
const IDLE_SECONDS = 60

/** Serves the HTTP interface of an engine. The only door to Bun.serve. */
export async function startServer(engine: Engine, options: ServerOptions): Promise<Server> {
  const place = parseListen(options.listen)
  const token = await neededToken(place, options)
  const events = createEvents(engine)
  const context: ServerContext = {
    engine,
    rows: ROWS,
    access: {
      ...(token === undefined ? {} : { token }),
      ...(place.kind === 'tcp' ? { host: place.host } : {}),
    },
    configuredSelf: options.self,
    metrics: createMetrics(engine),
    events,
    log: options.log,
    mayAsk: createRateLimiter(options.rate ?? DEFAULT_RATE, () => performance.now()),
    now: options.now ?? Date.now,
  }
  const server = await listenAt(place, context, options.idleSeconds ?? IDLE_SECONDS)
  const url = place.kind === 'unix' ? `unix:${place.path}` : `http://${hostInUrl(place.host)}:${server.port}`
  options.log.info({ url, auth: token !== undefined }, 'serving')
  return {
    url,
    async stop() {
      events.close()
      const ended = server.stop(false)
      const timer = setTimeout(() => void server.stop(true), STOP_PATIENCE_MS)
      await ended
      clearTimeout(timer)
      if (place.kind === 'unix') rmSync(place.path, { force: true })
    },
  }
}

async function neededToken(place: Place, { noAuth, tokenFile }: ServerOptions): Promise<string | undefined> {
  if (noAuth) {
    const reason = refuseNoAuth(place)
    if (reason !== undefined) throw new PengxError('refused', reason)
    return undefined
  }
  if (tokenFile === undefined) throw new PengxError('invalid', 'a token file is needed to serve with a token')
  return await readOrCreateToken(tokenFile)
}

async function listenAt(place: Place, context: ServerContext, idleTimeout: number): Promise<Bun.Server<undefined>> {
  const fetch = (request: Request, server: Bun.Server<undefined>) => {
    const client = server.requestIP(request)?.address ?? 'socket'
    return handle(context, request, client, (waiting) => server.timeout(waiting, 0))
  }
  // The body's own limit is kept where it is read, so that its refusal reads like every other; this one is a backstop.
  const common = { fetch, maxRequestBodySize: 64 * 1024 * 1024, development: false } as const
  try {
    if (place.kind === 'tcp') {
      // Outside development Bun shares a port with whoever else wants it, unless it is told not to.
      const { host: hostname, port } = place
      return Bun.serve({ ...common, hostname, port, idleTimeout, reusePort: false })
    }
    await clearSocket(place.path)
    const before = process.umask(0o177)
    try {
      // Here Bun does not heed server.timeout(), and only the socket's owner comes: connections are kept.
      // Bun's types do not know that it heeds the option.
      const kept = { ...common, unix: place.path, idleTimeout: 0 } as unknown as Bun.Serve.Options<undefined>
      const server = Bun.serve(kept)
      chmodSync(place.path, 0o600)
      return server
    } finally {
      process.umask(before)
    }
  } catch (error) {
    if (error instanceof PengxError) throw error
    const where = place.kind === 'tcp' ? `${place.host}:${place.port}` : place.path
    const why = error instanceof Error ? error.message : String(error)
    throw new PengxError('conflict', `cannot listen on ${where}: ${why}`, { cause: error })
  }
}

function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
