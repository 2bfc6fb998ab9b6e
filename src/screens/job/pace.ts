import { formatAge } from '../../lib/age.ts'
import { getOrMake } from '../../lib/getOrMake.ts'
import type { Job } from '../../model/job.ts'
import type { AppContext } from '../app/context.ts'

/**
 * How fast the step at work goes and how long it still takes, from what it says of itself while somebody looks on. Nothing
 * is said before it can be told, and of a step that counts no bytes and no share nothing at all.
 */

/** `write xvda: 412 of 1024 MiB` */
interface Amount {
  /** What is counted: another is counted anew. */
  readonly what: string
  readonly done: number
  readonly total: number
  readonly unit: 'MiB' | '%'
}

interface Sample {
  readonly at: number
  readonly done: number
}

/** What was seen of one job, oldest first. */
interface Pace {
  readonly what: string
  readonly samples: readonly Sample[]
}

/** It is told by the last so many ms. */
const WINDOW_MS = 30_000
/** What is seen for less than that says nothing. */
const LEAST_MS = 3_000
/** So many whole percent at least: one may have been a tenth of one. */
const LEAST_PERCENT = 3
/** Without any progress for so long it is said to stand still. */
const STILL_MS = 10_000

function amountOf({ step, stepIndex }: Job): Amount | undefined {
  const bytes = /^(.*?)(\d+) of (\d+) MiB$/.exec(step)
  if (bytes) return { what: `${stepIndex} ${bytes[1]}`, done: Number(bytes[2]), total: Number(bytes[3]), unit: 'MiB' }
  const share = /^(.*?)(\d+) %$/.exec(step)
  if (share) return { what: `${stepIndex} ${share[1]}`, done: Number(share[2]), total: 100, unit: '%' }
  return undefined
}

/** Pure: what is known with one look more. */
function paceAfter(before: Pace | undefined, job: Job, now: number): Pace | undefined {
  const amount = job.state === 'running' ? amountOf(job) : undefined
  if (amount === undefined) return undefined
  const { what, done } = amount
  const last = before?.samples.at(-1)
  if (before?.what !== what || last === undefined || done < last.done) return { what, samples: [{ at: now, done }] }
  const samples = done === last.done ? [...before.samples] : [...before.samples, { at: now, done }]
  // The newest of those that are too old is where the window begins.
  while (samples.length > 1 && samples[1]!.at <= now - WINDOW_MS) samples.shift()
  return { what, samples }
}

/** Pure: `84 MiB/s, 7s left`, or that it stands still; empty where that cannot be told. */
function paceWords(pace: Pace | undefined, job: Job, now: number): string {
  const amount = amountOf(job)
  const first = pace?.samples[0]
  const last = pace?.samples.at(-1)
  if (amount === undefined || first === undefined || last === undefined) return ''
  if (now - last.at >= STILL_MS) return `no progress for ${formatAge(now - last.at)}`
  const elapsed = now - first.at
  const moved = last.done - first.done
  if (elapsed < LEAST_MS || moved < (amount.unit === '%' ? LEAST_PERCENT : 1)) return ''
  const perSecond = (moved * 1000) / elapsed
  const left = `${formatAge(((amount.total - amount.done) * 1000) / perSecond)} left`
  if (amount.unit === '%') return left
  return `${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)} MiB/s, ${left}`
}

const seen = new WeakMap<AppContext, Map<string, Pace>>()

/** The same for a job that is on the screen; every drawing is a look. */
export function paceOf(app: AppContext, job: Job): string {
  const paces = getOrMake(seen, app, () => new Map<string, Pace>())
  const now = app.state().frozenAt ?? app.now()
  const pace = paceAfter(paces.get(job.id), job, now)
  if (pace === undefined) paces.delete(job.id)
  else paces.set(job.id, pace)
  return paceWords(pace, job, now)
}
