import type { View } from '../engine/store/view.ts'
import type { Code } from '../model/error.ts'
import { type Document, one, writeDocument } from './views/document.ts'
import { failureShape, successShape } from './views/outcome.ts'
import type { Format } from './views/shape.ts'

/** Answers as bytes. The only place that knows which status a failure has. */
const STATUS_OF: Record<Code, number> = {
  invalid: 400,
  notFound: 404,
  conflict: 400,
  busy: 400,
  refused: 400,
  unsupported: 400,
  readOnly: 403,
  unreachable: 503,
  commandFailed: 400,
  noSpace: 400,
  cancelled: 400,
  internal: 500,
}

const RETRY_AFTER_SECONDS = 10

const CONTENT_TYPE: Record<Format, string> = {
  xml: 'application/xml; charset=utf-8',
  json: 'application/json; charset=utf-8',
}

/** What an answer is written with. */
export interface ResponseWriter {
  readonly view: View
  readonly format: Format
}

export type ExtraHeaders = Readonly<Record<string, string>>

export function answerDocument(
  writer: ResponseWriter,
  status: number,
  document: Document,
  headers: ExtraHeaders = {},
): Response {
  const body = writeDocument(document, writer.view, writer.format)
  // The same address answers in two formats, and to nobody but who shows the token.
  const fixed = { 'Content-Type': CONTENT_TYPE[writer.format], 'Cache-Control': 'no-store', Vary: 'Accept' }
  return new Response(body, { status, headers: { ...fixed, ...headers } })
}

export function answerSuccess(
  writer: ResponseWriter,
  status: number,
  message: string,
  headers: ExtraHeaders = {},
): Response {
  return answerDocument(writer, status, one(successShape, { result: 'success', message }), headers)
}

/** A failure; its status is its code's unless HTTP has a word of its own for it. */
export function answerFailure(
  writer: ResponseWriter,
  code: Code,
  message: string,
  options: { status?: number; headers?: ExtraHeaders } = {},
): Response {
  const status = options.status ?? STATUS_OF[code]
  const retry: ExtraHeaders = status === 503 || status === 429 ? { 'Retry-After': String(RETRY_AFTER_SECONDS) } : {}
  return answerDocument(writer, status, one(failureShape, { result: 'failure', message, code }), {
    ...retry,
    ...options.headers,
  })
}
