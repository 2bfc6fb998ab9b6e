import { answerSuccess } from '../respond.ts'
import { one } from '../views/document.ts'
import { jobShape } from '../views/job.ts'
import type { Shape } from '../views/shape.ts'
import { verifyShape } from '../views/verify.ts'
import { formatOpenApi } from './openapi.ts'
import { type Call, type Row, type RowAction, showMany, showOne } from './row.ts'

/** The rows beside the document: jobs, events, metrics, the interface's own description, and whether it is there. */

/** A row beside the document. */
function added(method: Row['method'], path: string, status: number, action: RowAction): Row {
  return { method, path, section: 'added', versions: ['v1'], status, action }
}

export const ADDED: readonly Row[] = [
  added(
    'GET',
    '/jobs/',
    200,
    showMany('jobs', jobShape, ({ view }) => view.jobs()),
  ),
  added(
    'GET',
    '/jobs/:job_id/',
    200,
    showOne(jobShape, ({ view, ids }) => view.needJob(ids.job_id ?? '')),
  ),
  added('DELETE', '/jobs/:job_id/', 204, {
    kind: 'own',
    produces: 'document',
    help: 'cancels it: what it has done is undone',
    answer: cancelJob,
  }),
  added('GET', '/verify/', 200, {
    kind: 'show',
    shape: verifyShape as unknown as Shape<never>,
    document: async ({ engine, request }) => one(verifyShape, await engine.verify({ signal: request.signal })),
  }),
  added('GET', '/events/', 200, {
    kind: 'own',
    produces: 'text/event-stream',
    help: 'changes as they happen, as server-sent events: `event` is pm, vm, storlink, template, backup, schedule or job, a job comes whole; `wrong-volumes` when a VM has come to write to volumes that it must not, and when that is over',
    answer: ({ events }) => events.open(),
  }),
  added('GET', '/metrics', 200, {
    kind: 'own',
    produces: 'text/plain',
    help: 'numbers for Prometheus',
    answer: async ({ metrics }) =>
      new Response(await metrics.text(), { headers: { 'Content-Type': metrics.contentType } }),
  }),
  added('GET', '/openapi.json', 200, {
    kind: 'own',
    produces: 'application/json',
    help: 'this interface as OpenAPI 3.0',
    answer: ({ engine, rows }) => Response.json(formatOpenApi(rows, engine.operations)),
  }),
  {
    ...added('GET', '/healthz', 200, {
      kind: 'own',
      produces: 'text/plain',
      help: '`ok`, or 503 and why the store cannot be written; everything else is answered from memory then',
      answer: answerHealth,
    }),
    open: true,
  },
]

/** What others ask for from time to time, to learn whether somebody has to see to it. */
function answerHealth({ view }: Call): Response {
  const { storeTrouble } = view
  const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' }
  if (!storeTrouble) return new Response('ok\n', { headers })
  const since = new Date(storeTrouble.since).toISOString()
  return new Response(`store: cannot be written since ${since}: ${storeTrouble.why}\n`, { status: 503, headers })
}

async function cancelJob(call: Call): Promise<Response> {
  const id = call.ids.job_id ?? ''
  await call.engine.cancel(id)
  const headers = { 'Pengx-Job': id }
  if (!call.preferences.representation) return new Response(null, { status: 204, headers })
  const applied = { ...headers, 'Preference-Applied': 'return=representation' }
  return answerSuccess(call, 200, `job ${call.view.getJob(id)?.number ?? id} is being cancelled`, applied)
}
