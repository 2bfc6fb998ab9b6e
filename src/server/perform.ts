import { PengxError, toPengxError } from '../model/error.ts'
import type { Job } from '../model/job.ts'
import type { Body } from './body.ts'
import { resolveIds } from './match.ts'
import { answerDocument, answerFailure, answerSuccess, type ExtraHeaders } from './respond.ts'
import type { Call, Row, Work } from './row.ts'
import { one } from './views/document.ts'
import { inCallersWords, readForm } from './views/form.ts'
import { jobShape } from './views/job.ts'

/**
 * A change: decoded, started, and answered when its job has ended, or at once where the caller prefers that. A caller
 * who hangs up changes nothing for the job.
 */
type Run = Extract<Work, { kind: 'run' }>

export async function perform(row: Row, work: Run, call: Call, body: Body): Promise<Response> {
  const { engine, manner } = call
  let raw: Record<string, unknown> = {}
  let job: Job
  try {
    raw = { ...work.params(call), ...(work.takes ? readForm(work.takes, body, call.view) : {}) }
    job = await engine.start(work.operation, engine.decode(work.operation, raw), 'http')
  } catch (error) {
    throw asAnswered(work, call, raw, toPengxError(error))
  }
  const headers = { 'Pengx-Job': job.id }
  if (manner.async) {
    const now = call.view.getJob(job.id) ?? job
    const applied = { Location: `/jobs/${job.id}/`, 'Preference-Applied': 'respond-async' }
    return answerDocument(call, 202, one(jobShape, now), { ...headers, ...applied })
  }
  const { job: ended, result } = await engine.finished(job.id)
  if (ended.state !== 'done') return answerUndone(work, call, raw, ended, headers)
  const title = engine.operations.get(work.operation)?.title ?? work.operation
  const message = [`${title} ${ended.subject.name}`, ended.message].filter((part) => part !== '').join('; ')
  if (row.status === 204 && !manner.representation) return new Response(null, { status: 204, headers })
  if (row.status === 204) {
    return answerSuccess(call, 200, message, { ...headers, 'Preference-Applied': 'return=representation' })
  }
  const location = isRecord(result) ? work.location?.(result) : undefined
  const located = location === undefined ? headers : { ...headers, Location: location }
  if (work.made && isRecord(result)) return answerDocument(call, row.status, work.made.document(call, result), located)
  return answerSuccess(call, row.status, message, located)
}

function answerUndone(work: Run, call: Call, raw: Record<string, unknown>, job: Job, headers: ExtraHeaders): Response {
  const code = job.code ?? (job.state === 'cancelled' ? 'cancelled' : 'commandFailed')
  if (code === 'internal') {
    return answerFailure(call, code, `job ${job.number} ended by a defect of pengx: see its log`, { headers })
  }
  const error = asAnswered(work, call, raw, new PengxError(code, job.message))
  return answerFailure(call, error.code, error.message, { headers })
}

/** What an engine's failure is to a caller: in the caller's names, and 404 only for what the path names. */
function asAnswered(work: Run, call: Call, raw: Record<string, unknown>, error: PengxError): PengxError {
  const said = inCallersWords(work.takes, error)
  if (said.code === 'notFound' && 'ids' in resolveIds(call.ids, call.view)) {
    return new PengxError('invalid', said.message, { cause: error })
  }
  if (said.code === 'refused' && (isPmDown(call, raw) || SAYS_DOWN.test(said.message))) {
    return new PengxError('unreachable', said.message, { cause: error })
  }
  return said
}

/** The PM that this needs cannot be reached: then asking again later is worth it, whatever the refusal says. */
function isPmDown({ view }: Call, raw: Record<string, unknown>): boolean {
  const storlink = view.getStorlink(Number(raw.storlink))
  const pm =
    view.getVm(String(raw.vm))?.pm ??
    view.getPm(String(raw.pm))?.uuid ??
    (storlink?.shared ? undefined : storlink?.pm) ??
    view.getTemplate(String(raw.template))?.pm
  return pm !== undefined && view.getPm(pm)?.seen.reach === 'down'
}

/** Of several PMs that it needs, a refusal may name another. */
const SAYS_DOWN = /\bcannot be reached\b/

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
