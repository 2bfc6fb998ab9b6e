import { PengxError, toPengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import type { StoredJob } from '../store/jobs/jobRows.ts'
import type { Parts } from './context.ts'
import { joinFacts, joinParams } from './secrets.ts'
import { type Course, decidePivot, goBack, goForward, isPastPivot, type Outcome } from './steps.ts'
import { conclude, makeWork, touchedBy, type Work } from './work.ts'

/**
 * A job that another process has left, or that was stuck: its journal says what may have happened. Past the pivot it is
 * finished, before it unwound. What cannot be planned again as it was is stuck, with what it had done in words.
 */
export async function goOnWith(parts: Parts, stored: StoredJob, signal: AbortSignal): Promise<void> {
  const { store, clock } = parts
  const { job } = stored
  if (!stored.plan) {
    const message = 'pengx ended before it began; nothing had been done'
    await store.jobs.update(job.id, { state: 'undone', code: 'cancelled', message, finishedAt: clock.now() })
    return
  }
  let resumed: Resumed
  try {
    resumed = await resume(parts, stored, signal)
  } catch (error) {
    const { code, message } = toPengxError(error)
    await store.jobs.update(job.id, { state: 'stuck', code, message })
    return
  }
  const { work, facts, course } = resumed
  await conclude(parts, work, facts, await finishOrUnwind(parts, stored, work, course))
}

interface Resumed {
  readonly work: Work
  readonly facts: Json
  readonly course: Course
}

/** Builds a journalled job's course again. */
async function resume(parts: Parts, stored: StoredJob, signal: AbortSignal): Promise<Resumed> {
  const { job, events } = stored
  const operation = parts.operations.get(job.operation)
  const succeeded = events.filter((event) => event.kind === 'succeeded')
  const names = succeeded.map((event) => event.name).join(', ')
  const past = names ? `it had done: ${names}` : 'it had finished no step'
  if (!operation)
    throw new PengxError('unsupported', `this pengx does not know the operation ${job.operation}; ${past}`)
  const secrets = await parts.store.jobs.secrets(job.id)
  const params = joinParams(stored.params, secrets)
  const facts = joinFacts(stored.facts ?? null, secrets)
  const steps = operation.plan(params, facts)
  const same =
    steps.length === stored.plan?.length && steps.every(({ name }, index) => name === stored.plan?.[index]?.name)
  if (!same) throw new PengxError('unsupported', `another version of pengx planned it otherwise; ${past}`)
  const work = makeWork(job, operation, params, signal, new Map(succeeded.map((event) => [event.name, event.output])))
  return { work, facts, course: { job, steps, moving: work.moving, events: [...events] } }
}

async function finishOrUnwind(parts: Parts, stored: StoredJob, work: Work, course: Course): Promise<Outcome> {
  try {
    for (const pm of pmsOf(parts, stored, work)) await parts.endLost(pm, stored.job.id)
    const { steps, events } = course
    const allDone = steps.every((_step, index) =>
      events.some((event) => event.step === index && event.kind === 'succeeded'),
    )
    const undoing = events.some((event) => event.kind === 'undoStarted')
    const decision = undoing || isPastPivot(course) ? false : await decidePivot(parts, course)
    if (decision instanceof PengxError) return { kind: 'stuck', error: decision }
    if (isPastPivot(course) || (allDone && !undoing)) {
      await parts.store.jobs.update(stored.job.id, { state: 'running' })
      return await goForward(parts, course)
    }
    const why = stored.job.message || 'pengx ended while it was at work'
    return await goBack(parts, course, new PengxError(stored.job.code ?? 'cancelled', why))
  } catch (error) {
    return { kind: 'stuck', error: toPengxError(error) }
  }
}

/** Where commands of it may still run: every PM that it has locked or acts on. */
function pmsOf(parts: Parts, stored: StoredJob, work: Work): readonly string[] {
  const locked = stored.locks.filter((lock) => lock.key.startsWith('pm:')).map((lock) => lock.key.slice(3))
  return [...new Set([...locked, ...touchedBy(parts, work)])].filter((pm) => parts.store.view.getPm(pm) !== undefined)
}
