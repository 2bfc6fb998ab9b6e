import { expect } from 'bun:test'
import type { Moment } from '../../src/engine/jobs/context.ts'
import { PengxError } from '../../src/model/error.ts'
import { breakJournal } from '../support/brokenJournal.ts'
import { pictureOf, type World } from '../support/sites/world.ts'
import type { OperationCase } from './operationCase.ts'
import { comesBack, hasDecidedPivot, isPast, mayBeFound, type Phase, runToEnd, type Steps } from './operationSteps.ts'
import type { Trials } from './trials.ts'

/** Trials of an operation whose process goes on: failures, cancels, and what is done twice. */

/** At a point of an operation, at work: a failure, or a cancel that comes then. */
export async function failAt(
  one: OperationCase,
  trials: Trials,
  steps: Steps,
  point: { readonly index: number; readonly phase: Phase; readonly code: 'commandFailed' | 'cancelled' },
): Promise<void> {
  const { index, phase, code } = point
  const where = `${one.operation}, ${code} ${phase} "${steps.names[index]}"`
  let armed = false
  const intercept = (moment: Moment) => {
    if (armed && moment.operation === one.operation && moment.step === index && moment.phase === phase) {
      throw new PengxError(code, 'injected')
    }
  }
  await trials.inWorld({ intercept }, async (world, raw, before) => {
    armed = true
    const { job, detail } = await runToEnd(world, one.operation, world.engine.decode(one.operation, raw))
    armed = false
    expect({ where, undoFailed: detail.events.filter((event) => event.kind === 'undoFailed') }).toEqual({
      where,
      undoFailed: [],
    })
    if (job.state === 'stuck') {
      expect({ where, past: isPast(steps, index) }).toEqual({ where, past: true })
      await world.engine.retry(job.id)
      const end = await world.engine.finished(job.id)
      expect({ where, state: end.job.state }).toEqual({ where, state: 'done' })
      await one.check(world, raw)
      return
    }
    const decisive = code === 'commandFailed' || index === steps.pivot || isPast(steps, index)
    if (job.state === 'done' && decisive && mayBeFound(steps, index, phase)) return await one.check(world, raw)
    expect({ where, state: job.state, message: job.message }).toMatchObject({
      where,
      state: code === 'cancelled' ? 'cancelled' : 'undone',
      message: expect.stringContaining('injected'),
    })
    if (!comesBack(steps, index, phase)) return
    expect({ where, picture: await pictureOf(world) }).toEqual({ where, picture: before })
    if (code === 'commandFailed') await canStillBeDone(one, where, world, raw)
  })
}

/** How many commands it runs that change something, each part of a batch for one. */
export async function changesOf(one: OperationCase, trials: Trials): Promise<number> {
  let count = 0
  await trials.inWorld({}, async (world, raw) => {
    const counted = world.site.faults.add({ of: 'change', times: 0, effect: { kind: 'lie' } })
    await runToEnd(world, one.operation, world.engine.decode(one.operation, raw))
    count = counted.hits
  })
  return count
}

/**
 * One of its commands fails, once: what it says is no verdict on what it has done. Or the job is cancelled while that
 * command is at work: what may be ended is, and the effect of the others is looked at.
 */
export async function failWithin(
  one: OperationCase,
  trials: Trials,
  steps: Steps,
  nth: number,
  kind: 'failAfter' | 'failBefore' | 'cancelled',
): Promise<void> {
  await trials.inWorld({}, async (world, raw, before) => {
    const began = Promise.withResolvers<string>()
    const happens = async () => cancelOrNot(world, await began.promise)
    const effect = kind === 'cancelled' ? ({ kind: 'meanwhile', happens } as const) : { kind }
    const fault = world.site.faults.add({ of: 'change', skip: nth, times: 1, effect })
    const params = world.engine.decode(one.operation, raw)
    const { job, detail } = await runToEnd(world, one.operation, params, began.resolve)
    fault.remove()
    const where = `${one.operation}, command ${nth} (${kind})`
    const ends = kind === 'cancelled' ? /done|cancelled/ : /done|undone/
    const begun = steps.names.flatMap((_, index) =>
      detail.events.some((event) => event.step === index) ? [index] : [],
    )
    if (job.state === 'stuck') {
      await world.engine.retry(job.id)
      const end = await world.engine.finished(job.id)
      expect({ where, state: end.job.state, message: end.job.message }).toMatchObject({
        where,
        state: expect.stringMatching(ends),
      })
      if (end.job.state === 'done') await one.check(world, raw)
      return
    }
    expect({ where, state: job.state }).toEqual({ where, state: expect.stringMatching(ends) })
    if (job.state === 'done') return await one.check(world, raw)
    if (begun.every((index) => steps.comesBack[index]))
      expect({ where, message: job.message, picture: await pictureOf(world) }).toEqual({
        where,
        message: job.message,
        picture: before,
      })
  })
}

/** Behind the pivot it is refused. */
async function cancelOrNot(world: World, jobId: string): Promise<void> {
  await world.engine.cancel(jobId).catch((error: PengxError) => {
    if (error.code !== 'refused') throw error
  })
}

/**
 * A line of its journal cannot be written: a step that is not announced is not begun; one that has done its work stops the
 * job there, and when that is asked again it finds what it has done, and comes to an end.
 */
export async function failJournal(
  one: OperationCase,
  trials: Trials,
  steps: Steps,
  index: number,
  kind: 'started' | 'succeeded',
): Promise<void> {
  const where = `${one.operation}, no line for "${kind}" of "${steps.names[index]}"`
  await trials.inWorld({}, async (world, raw, before, place) => {
    const mend = breakJournal(place.db, index, kind)
    const { job } = await runToEnd(world, one.operation, world.engine.decode(one.operation, raw))
    mend()
    expect({ where, state: job.state }).toEqual({ where, state: expect.stringMatching(/stuck|undone/) })
    let end = job
    // Once to look, and once more where a person has to say that what may have been used shall go.
    for (let asked = 0; asked < 2 && end.state === 'stuck'; asked++) {
      await world.engine.retry(job.id)
      end = (await world.engine.finished(job.id)).job
    }
    expect({ where, state: end.state, message: end.message }).toMatchObject({
      where,
      state: isPast(steps, index) ? 'done' : expect.stringMatching(/done|undone|cancelled/),
    })
    if (end.state === 'done') return await one.check(world, raw)
    if (!comesBack(steps, index, kind === 'started' ? 'before' : 'after')) return
    expect({ where, picture: await pictureOf(world) }).toEqual({ where, picture: before })
    if (kind === 'succeeded') await canStillBeDone(one, where, world, raw)
  })
}

/** After an unwinding nothing stands in its way: no lock, no half of what it makes. */
export async function canStillBeDone(
  one: OperationCase,
  where: string,
  world: World,
  raw: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { job } = await runToEnd(world, one.operation, world.engine.decode(one.operation, raw))
  expect({ where, again: job.state, message: job.message }).toMatchObject({ where, again: 'done' })
  await one.check(world, raw)
}

export async function repeatAt(one: OperationCase, trials: Trials, steps: Steps, index: number): Promise<void> {
  const where = `${one.operation}, twice "${steps.names[index]}"`
  let armed = false
  const again = async (moment: Moment) => {
    if (armed && moment.operation === one.operation && moment.step === index && moment.phase === 'after')
      await moment.again()
  }
  await trials.inWorld({ intercept: again }, async (world, raw) => {
    armed = true
    const { job } = await runToEnd(world, one.operation, world.engine.decode(one.operation, raw))
    expect({ where, state: job.state, message: job.message }).toMatchObject({ where, state: 'done' })
    armed = false
    await one.check(world, raw)
  })
  if (!steps.undoable[index] || isPast(steps, index) || hasDecidedPivot(steps, index)) return
  const undoTwice = async (moment: Moment) => {
    if (!armed || moment.operation !== one.operation || moment.step !== index) return
    if (moment.phase === 'after') throw new PengxError('cancelled', 'injected')
    if (moment.phase === 'afterUndo') await moment.again()
  }
  await trials.inWorld({ intercept: undoTwice }, async (world, raw, before) => {
    armed = true
    const { job } = await runToEnd(world, one.operation, world.engine.decode(one.operation, raw))
    armed = false
    expect({ where, state: job.state }).toEqual({ where, state: 'cancelled' })
    if (comesBack(steps, index, 'after'))
      expect({ where, picture: await pictureOf(world) }).toEqual({ where, picture: before })
  })
}
