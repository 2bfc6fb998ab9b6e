import type { Engine } from '../engine/engine.ts'
import { newUuid, shortUuid } from '../lib/ids.ts'
import { turns } from '../lib/turns.ts'
import { toPengxError } from '../model/error.ts'
import { type Access, foreignPage, showsToken } from './auth.ts'
import { readBody } from './body.ts'
import type { Events } from './events.ts'
import { type Found, findRow, resolveIds } from './match.ts'
import type { Metrics } from './metrics.ts'
import { pickVersion, splitPrefix, wantedFormat, wantedPreferences, wantedVersion } from './negotiate.ts'
import { perform } from './perform.ts'
import { answerDocument, answerFailure, type ExtraHeaders, type ResponseWriter } from './respond.ts'
import type { Call, Row } from './routes/row.ts'
import { prepareDocument } from './views/document.ts'
import type { Format } from './views/shape.ts'

/** One request's way: who asks, what is meant, how it is wanted, what is said, done. */
export interface ServerContext {
  readonly engine: Engine
  readonly rows: readonly Row[]
  readonly access: Access
  readonly configuredSelf: string | undefined
  readonly metrics: Metrics
  readonly events: Events
  readonly log: ServerLog
  mayAsk(client: string): boolean
  /** Milliseconds since 1970. */
  now(): number
}

/** What of a logger is used here. */
export interface ServerLog {
  info(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** How long a row's answer may take is not known: its connection is not cut while it is awaited. */
export type ExtendTimeout = (request: Request) => void

export async function handle(
  context: ServerContext,
  request: Request,
  client: string,
  wait: ExtendTimeout,
): Promise<Response> {
  const startedAt = performance.now()
  const url = new URL(request.url)
  const { prefix, rest } = splitPrefix(url.pathname)
  const found = findRow(context.rows, request.method, rest)
  const accept = request.headers.get('accept')
  const format = wantedFormat(url.searchParams, accept)
  const writer: ResponseWriter = { view: context.engine.view, format: format ?? 'xml' }
  let response: Response
  try {
    response =
      refuseCaller(context, writer, request, found, client) ??
      (await answer(context, writer, request, found, format, wantedVersion(prefix, accept), wait))
  } catch (error) {
    response = answerThrown(context, writer, request, error)
  }
  const path = found.kind === 'row' ? found.row.path : 'none'
  context.metrics.count(request.method, path, response.status, (performance.now() - startedAt) / 1_000)
  return request.method === 'HEAD' ? withoutBody(response) : response
}

function refuseCaller(
  { access, mayAsk }: ServerContext,
  writer: ResponseWriter,
  request: Request,
  found: Found,
  client: string,
): Response | undefined {
  if (!mayAsk(client)) return answerFailure(writer, 'busy', 'too many requests: ask again later', { status: 429 })
  const foreign = foreignPage(request, access)
  if (foreign !== undefined) return answerFailure(writer, 'refused', foreign, { status: 403 })
  if ((found.kind === 'row' && found.row.open) || showsToken(request, access)) return undefined
  const headers = { 'WWW-Authenticate': 'Bearer realm="pengx", Basic realm="pengx", charset="UTF-8"' }
  return answerFailure(writer, 'refused', 'the token is missing or wrong', { status: 401, headers })
}

async function answer(
  context: ServerContext,
  writer: ResponseWriter,
  request: Request,
  found: Found,
  format: Format | undefined,
  version: ReturnType<typeof wantedVersion>,
  wait: ExtendTimeout,
): Promise<Response> {
  if (found.kind === 'none') return answerFailure(writer, 'notFound', 'there is no such path; see /openapi.json')
  if (found.kind === 'verb') {
    const allow = found.allow.join(', ')
    const headers = { Allow: allow }
    return answerFailure(writer, 'unsupported', `this path answers to ${allow}`, { status: 405, headers })
  }
  const { row } = found
  const answersAsAsked = row.action.kind === 'own' && row.action.produces !== 'document'
  if (format === undefined && !answersAsAsked) {
    return answerFailure(writer, 'unsupported', 'answers are XML or JSON', { status: 406 })
  }
  const resolved = resolveIds(found.raw, writer.view)
  if ('missing' in resolved) return answerFailure(writer, 'notFound', resolved.missing)
  const { engine, configuredSelf, rows, metrics, events } = context
  const preferences = wantedPreferences(request.headers.get('prefer'))
  const call: Call = {
    ...{ engine, view: engine.view, request, ids: resolved.ids, format: writer.format, preferences },
    ...{ version: pickVersion(row.versions, version), configuredSelf, rows, metrics, events },
    now: context.now(),
  }
  return await answerRow(row, call, wait)
}

async function answerRow(row: Row, call: Call, wait: ExtendTimeout): Promise<Response> {
  const { action } = row
  if (action.kind === 'show') {
    // What has to be looked at first may take longer than a connection is kept that says nothing.
    wait(call.request)
    const document = await action.document(call)
    await prepareDocument(document, call.view, call.format)
    return answerDocument(call, row.status, document)
  }
  const body = await readBody(call.request)
  if (!body.ok) {
    const code = body.status === 415 ? 'unsupported' : 'invalid'
    // What is still being sent is not read: the connection ends with the answer.
    const headers: ExtraHeaders = body.status === 413 ? { Connection: 'close' } : {}
    return answerFailure(call, code, body.problem, { status: body.status, headers })
  }
  wait(call.request)
  if (action.kind === 'own') return await action.answer(call)
  // Hundreds of changes may be asked for in one moment, and what is only shown is not to wait for all of them.
  await turns.take()
  if (action.kind === 'run') return await perform(row, action, call, body.body)
  return answerFailure(call, 'internal', 'this row does nothing')
}

/** A failure in words; a defect of pengx only as a reference to where the log has it. */
function answerThrown(
  { log, engine }: ServerContext,
  writer: ResponseWriter,
  request: Request,
  thrown: unknown,
): Response {
  const error = toPengxError(thrown)
  // What cannot be done for want of the store can be asked for again.
  const isStores = error.code === engine.view.storeTrouble?.code
  if (isStores) return answerFailure(writer, error.code, error.message, { status: 503 })
  if (error.code !== 'internal') return answerFailure(writer, error.code, error.message)
  const reference = shortUuid(newUuid())
  log.error({ err: thrown, reference, method: request.method, path: new URL(request.url).pathname }, 'request failed')
  return answerFailure(writer, 'internal', `a defect of pengx: its log has it under ${reference}`)
}

async function withoutBody(response: Response): Promise<Response> {
  const headers = new Headers(response.headers)
  if (headers.get('content-type')?.startsWith('text/event-stream')) await response.body?.cancel()
  else headers.set('Content-Length', String((await response.arrayBuffer()).byteLength))
  return new Response(null, { status: response.status, headers })
}
