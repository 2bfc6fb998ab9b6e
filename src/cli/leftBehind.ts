import type { Engine } from '../engine/engine.ts'
import { stripControl } from '../lib/text.ts'
import type { Job } from '../model/job.ts'
import type { Io } from './io.ts'

/** How a job stands, for a person: `job 7 (vm.start web01) was undone`. */
export const STANDS: Record<Job['state'], string> = {
  queued: 'still waits',
  running: 'is still at work',
  undoing: 'is still being undone',
  done: 'done',
  undone: 'failed and was undone',
  cancelled: 'was cancelled and undone',
  stuck: 'is stuck and needs you: its two ways out are on the Jobs screen',
  kept: 'was kept as it is',
}

/**
 * Says which jobs of processes that ended were taken over, waits until each is over or stuck, and says what became of
 * them; says nothing where there are none.
 */
export async function sayTakenOver({ recovery, view }: Engine, io: Pick<Io, 'err'>): Promise<void> {
  const jobs = await recovery.begun
  if (jobs.length === 0) return
  const those = jobs.length === 1 ? 'a job' : `${jobs.length} jobs`
  io.err(`pengx: takes over ${those} that another pengx left at work: ${jobs.map(nameOf).join(', ')}\n`)
  await recovery.over
  io.err(`pengx: ${endsOf(jobs, view)}\n`)
}

/**
 * To be called after a look: says which jobs that were stuck are gone on with, since a PM that was away answers again, waits
 * until each is over or stuck, and says what became of them; says nothing where there are none.
 */
export async function sayGoneOn(
  { revival, view }: Pick<Engine, 'revival' | 'view'>,
  io: Pick<Io, 'err'>,
): Promise<void> {
  const { jobs, over } = revival()
  if (jobs.length === 0) return
  io.err(`pengx: goes on with what waited for a PM that answers again: ${jobs.map(nameOf).join(', ')}\n`)
  await over
  io.err(`pengx: ${endsOf(jobs, view)}\n`)
}

function endsOf(jobs: readonly Job[], view: Engine['view']): string {
  const ends = jobs.map((job) => {
    const { state, message } = view.getJob(job.id) ?? job
    const why = state === 'stuck' && message ? `: ${stripControl(message)}` : ''
    return `${nameOf(job)} ${state === 'done' ? 'was finished' : STANDS[state]}${why}`
  })
  return ends.join('; ')
}

/** Says what this process leaves at work; nothing where that is nothing. */
export function sayLeft(engine: Pick<Engine, 'atWork'>, io: Pick<Io, 'err'>): void {
  const jobs = engine.atWork()
  if (jobs.length === 0) return
  const next = 'the next `pengx run`, --serve or terminal interface takes up what it finds there'
  io.err(`pengx: leaves at work: ${jobs.map(nameOf).join(', ')}; ${next}\n`)
}

function nameOf({ number, operation, subject }: Job): string {
  return `job ${number} (${operation} ${stripControl(subject.name)})`
}
