import { PengxError, toPengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import type { View } from '../store/view.ts'
import type { EngineDeps } from './context.ts'
import type { AnyOperation } from './operation.ts'

/**
 * Why an operation cannot be done now, as a sentence: its own reason, or the job that is at work on its subject. From
 * memory alone, and never fails: what the reasons themselves fail with is the sentence.
 */
export function refusalOf(operation: AnyOperation, params: Json, view: View, readOnly: boolean): string | undefined {
  if (readOnly) return 'pengx was started read-only'
  try {
    const reason = operation.refuse(params, view)
    if (reason !== undefined) return reason
    const subject = operation.subject(params, view)
    const job = view.jobOn(subject.kind, subject.id)
    if (!job) return undefined
    if (job.state === 'stuck')
      return `job ${job.number} (${job.operation}) is stuck on it: try its undo again, or keep things as they are`
    return `job ${job.number} (${job.operation}) is at work on it`
  } catch (error) {
    return toPengxError(error).message
  }
}

/**
 * Fails with `refused` and why. A refusal from memory is believed only after a look at the PMs that it acts on: they
 * may have changed.
 */
export async function needAllowed(deps: EngineDeps, operation: AnyOperation, params: Json): Promise<void> {
  const { view } = deps.store
  if (operation.refuse(params, view) === undefined) return
  await Promise.all(operation.touches(params, view).map((pm) => deps.look(pm, true).catch(() => undefined)))
  const reason = operation.refuse(params, view)
  if (reason === undefined) return
  throw new PengxError('refused', `cannot ${operation.title} ${operation.subject(params, view).name}: ${reason}`)
}
