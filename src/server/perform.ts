import { PengxError, toPengxError } from '../model/error.ts'
import type { Job } from '../model/job.ts'
import type { Json } from '../model/json.ts'
import type { Body } from './body.ts'
import { answerDocument, answerFailure, answerSuccess, type ExtraHeaders } from './respond.ts'
import type { Call, Row, Run } from './routes/row.ts'
import { asAnswered, sayHow } from './saying.ts'
import { one } from './views/document.ts'
import { readForm } from './views/form.ts'
import { jobShape } from './views/job.ts'

/**
 * A change: decoded, started, and answered when its job has ended, or at once where the caller prefers that. A caller
 * who hangs up changes nothing for the job.
 */
export async function perform(row: Row, action: Run, call: Call, body: Body): Promise<Response> {
  const { engine, preferences } = call
  let params: Json | undefined
  let job: Job
  try {
    const raw = { ...action.params(call), ...(action.takes ? readForm(action.takes, body, call.view) : {}) }
    const decoded = engine.decode(action.operation, raw)
    params = decoded
    job = await engine.start(action.operation, decoded, 'http')
  } catch (error) {
    throw asAnswered(action, call, toPengxError(error), params)
  }
  const headers = { 'Pengx-Job': job.id }
  if (preferences.async) {
    const now = call.view.getJob(job.id) ?? job
    const applied = { Location: `/jobs/${job.id}/`, 'Preference-Applied': 'respond-async' }
    return answerDocument(call, 202, one(jobShape, now), { ...headers, ...applied })
  }
  const end = await engine.finished(job.id).catch((error: unknown) => toPengxError(error))
  // The job goes on: who asked is told how to find it, and not kept.
  if (end instanceof PengxError) return answerFailure(call, end.code, end.message, { status: 503, headers })
  const { job: ended, result } = end
  if (ended.state !== 'done') return answerUndone(action, call, ended, headers)
  const title = engine.operations.get(action.operation)?.title ?? action.operation
  const message = [`${title} ${ended.subject.name}`, ended.message].filter((part) => part !== '').join('; ')
  if (row.status === 204 && !preferences.representation) return new Response(null, { status: 204, headers })
  if (row.status === 204) {
    return answerSuccess(call, 200, message, { ...headers, 'Preference-Applied': 'return=representation' })
  }
  const location = isRecord(result) ? action.location?.(result) : undefined
  const located = location === undefined ? headers : { ...headers, Location: location }
  if (action.made && isRecord(result))
    return answerDocument(call, row.status, action.made.document(call, result), located)
  return answerSuccess(call, row.status, message, located)
}

function answerUndone(action: Run, call: Call, job: Job, headers: ExtraHeaders): Response {
  const code = job.code ?? (job.state === 'cancelled' ? 'cancelled' : 'commandFailed')
  if (code === 'internal') {
    return answerFailure(call, code, `job ${job.number} ended by a defect of pengx: see its log`, { headers })
  }
  const error = asAnswered(action, call, new PengxError(code, sayHow(call, action, job)))
  return answerFailure(call, error.code, error.message, { headers })
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
