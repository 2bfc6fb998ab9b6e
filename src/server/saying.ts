import { type Code, PengxError } from '../model/error.ts'
import type { Job } from '../model/job.ts'
import type { Json } from '../model/json.ts'
import { resolveIds } from './match.ts'
import type { Call, Run } from './routes/row.ts'
import { inCallersWords } from './views/form.ts'

/**
 * What an engine's failure is to a caller: who was meant, what was to be done, why it is not, in the caller's own names
 * of fields, and what would help.
 */

/** What was to be done to whom, and why it is not; where it is said already it is not said again. */
function sayWhat({ engine }: Call, action: Run, subject: string, why: string): string {
  const what = `cannot ${engine.operations.get(action.operation)?.title ?? action.operation} ${subject}`
  return why.startsWith(what) ? why : `${what}: ${why}`
}

/** The same of a job that has begun, and how things are now. */
export function sayHow(call: Call, action: Run, { message, state, number, subject }: Job): string {
  const said = sayWhat(call, action, subject.name, message)
  if (state !== 'stuck' && state !== 'kept') return said
  const way = 'until a person tries its undo again or keeps things as they are'
  return `${said}; job ${number} is stuck, and what it holds stays locked ${way}`
}

/** Failures that name no field of the request and nothing that its path names: they do not say of whom they speak. */
const NAMELESS = new Set<Code>(['conflict', 'busy', 'refused', 'unreachable', 'commandFailed', 'noSpace'])

function withSubject(action: Run, call: Call, params: Json, error: PengxError): PengxError {
  const operation = call.engine.operations.get(action.operation)
  if (!operation || !NAMELESS.has(error.code)) return error
  try {
    const { name } = operation.subject(params, call.view)
    return new PengxError(error.code, sayWhat(call, action, name, error.message), { cause: error })
  } catch {
    return error
  }
}

/** In the caller's names, and 404 only for what the path names. */
export function asAnswered(action: Run, call: Call, error: PengxError, params?: Json): PengxError {
  const said = inCallersWords(action.takes, params === undefined ? error : withSubject(action, call, params, error))
  if (said.code === 'notFound' && 'ids' in resolveIds(call.ids, call.view)) {
    return new PengxError('invalid', said.message, { cause: error })
  }
  if (said.code === 'refused' && SAYS_AWAY.test(said.message)) {
    return new PengxError('unreachable', said.message, { cause: error })
  }
  return said
}

/** A refusal is words: these are of PMs that are away, and then asking again later is worth it. */
const SAYS_AWAY = /\bcannot be reached\b|\bno PM that is up\b/
