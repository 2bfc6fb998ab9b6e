import { afterAll, describe, expect, test } from 'bun:test'
import PQueue from 'p-queue'
import type { Moment } from '../../src/engine/jobs/context.ts'
import { PengxError } from '../../src/model/error.ts'
import type { Json } from '../../src/model/json.ts'
import { openWorld, pictureOf, type World } from '../support/sites/world.ts'
import { openKills } from './kills.ts'
import { openTrials, type Prepared, type Trials } from './trials.ts'

/**
 * What every operation owes, step by step: a failure before or after a step's effect, a cancel or a SIGKILL there, leaves
 * store, files and domains as they were, or the operation done where its effect is found, and past the pivot; no undo fails; no
 * lock stays; a step done twice is as good as once. An operation is covered as soon as it is in the catalog: one without a
 * case fails the suite.
 */
export interface OperationCase {
  readonly operation: string
  /** Which of an operation's ways this is, where it has several. */
  readonly variant?: string
  /** What its engine is made of beyond a simulated site; plain data, since a killed process gets it too. */
  readonly config?: { readonly knownHostsPath: string }
  /** Its trials share something outside their worlds, so they take turns. */
  readonly inTurns?: true
  /** Brings the world to where the operation can run, and gives its raw parameters. The same each time. */
  prepare(world: World): Promise<Readonly<Record<string, unknown>>>
  /** What is true when it has been done. */
  check(world: World, params: Readonly<Record<string, unknown>>): Promise<void> | void
}

type Phase = 'before' | 'after'

interface Steps {
  readonly names: readonly string[]
  /** Can be taken back, or has nothing to take back. */
  readonly comesBack: readonly boolean[]
  readonly undoable: readonly boolean[]
  readonly pivot: number
  /** Whether it happened is found by looking. */
  readonly decided: readonly boolean[]
}

export function operationSuite(one: OperationCase): void {
  describe(one.variant === undefined ? one.operation : `${one.operation}, ${one.variant}`, () => {
    const trials = openTrials(one)
    afterAll(() => trials.close())
    let known: Promise<Steps> | undefined
    const steps = async () => {
      known ??= stepsOf(one, trials)
      return await known
    }

    test('runs, and a preview changes nothing', async () => {
      await trials.inWorld({}, async (world, raw, before) => {
        const params = world.engine.decode(one.operation, raw)
        expect(await pictureOf(world)).toEqual(before)
        const preview = await world.engine.preview(one.operation, params)
        expect(await pictureOf(world)).toEqual(before)
        const { job, detail } = await runToEnd(world, one.operation, params)
        expect([job.state, job.message]).toEqual(['done', expect.any(String)])
        expect(detail.steps.map((step) => step.name)).toEqual(preview.steps.map((step) => step.name))
        await one.check(world, raw)
      })
    }, 120_000)

    test('fails or is cancelled before and after each step, and unwinds, or goes on from what is there', async () => {
      const all = await steps()
      await atEach(one, all, (index) => [
        () => failAt(one, trials, all, { index, phase: 'before', code: 'commandFailed' }),
        () => failAt(one, trials, all, { index, phase: 'after', code: 'commandFailed' }),
        () => failAt(one, trials, all, { index, phase: 'after', code: 'cancelled' }),
      ])
    }, 120_000)

    test('does each step and each undo twice', async () => {
      const all = await steps()
      await atEach(one, all, (index) => [() => repeatAt(one, trials, all, index)])
    }, 120_000)

    test('is killed before and after each step, and the next start finishes or unwinds', async () => {
      const all = await steps()
      const killed = openKills(one, trials, { index: all.names.length - 1, phase: 'after' })
      await atEach(one, all, (index) => [
        async () => goOnAfter(one, all, index, 'before', await killed({ index, phase: 'before' })),
        async () => goOnAfter(one, all, index, 'after', await killed({ index, phase: 'after' })),
      ])
    }, 120_000)
  })
}

/** Each step's trials have a world of their own and mostly wait: several run at once. */
async function atEach(
  one: OperationCase,
  steps: Steps,
  trials: (index: number) => readonly (() => Promise<void>)[],
): Promise<void> {
  const queue = new PQueue({ concurrency: one.inTurns ? 1 : 2 })
  await queue.addAll(steps.names.flatMap((_, index) => trials(index)))
}

async function runToEnd(world: World, operation: string, params: Json) {
  const started = await world.engine.start(operation, params, 'cli')
  const { job } = await world.engine.finished(started.id)
  return { job, detail: await world.engine.jobDetail(job.id) }
}

async function stepsOf(one: OperationCase, trials: Trials): Promise<Steps> {
  let steps: Steps = { names: [], comesBack: [], undoable: [], pivot: -1, decided: [] }
  await trials.inWorld({}, async (world, raw) => {
    const preview = await world.engine.preview(one.operation, world.engine.decode(one.operation, raw))
    steps = {
      names: preview.steps.map((step) => step.name),
      comesBack: preview.steps.map((step) => step.undoable || step.reads === true),
      undoable: preview.steps.map((step) => step.undoable),
      pivot: preview.steps.findIndex((step) => step.pivot),
      decided: preview.steps.map((step) => step.decided === true),
    }
  })
  expect(steps.names.length).toBeGreaterThan(0)
  return steps
}

/** Whether everything that had been begun can be taken back, so that the site has to be as it was. */
function comesBack(steps: Steps, index: number, phase: Phase): boolean {
  return steps.comesBack.slice(0, phase === 'before' ? index : index + 1).every(Boolean)
}

/** A failure in the step at `index` finds the pivot already succeeded. */
function isPast(steps: Steps, index: number): boolean {
  return steps.pivot >= 0 && index > steps.pivot
}

/** Its effect is there and may be found by looking: the job goes on. */
function mayBeFound(steps: Steps, index: number, phase: Phase): boolean {
  return steps.decided[index]! && phase === 'after'
}

function hasDecidedPivot(steps: Steps, index: number): boolean {
  return index === steps.pivot && steps.decided[index]!
}

/** At a point of an operation, at work: a failure, or a cancel that comes then. */
async function failAt(
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
    await canStillBeDone(one, where, world, raw)
  })
}

/** After an unwinding nothing stands in its way: no lock, no half of what it makes. */
async function canStillBeDone(
  one: OperationCase,
  where: string,
  world: World,
  raw: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { job } = await runToEnd(world, one.operation, world.engine.decode(one.operation, raw))
  expect({ where, again: job.state, message: job.message }).toMatchObject({ where, again: 'done' })
  await one.check(world, raw)
}

async function repeatAt(one: OperationCase, trials: Trials, steps: Steps, index: number): Promise<void> {
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

/** The next start after a kill. */
async function goOnAfter(
  one: OperationCase,
  steps: Steps,
  index: number,
  phase: Phase,
  { place, raw, before }: Prepared,
): Promise<void> {
  const where = `${one.operation}, killed ${phase} "${steps.names[index]}"`
  const world = await openWorld({ ...one.config }, place)
  try {
    const job = world.engine.view.jobs().find((one_) => one_.operation === one.operation)!
    const { job: end } = await world.engine.finished(job.id)
    const forward = isPast(steps, index) || (hasDecidedPivot(steps, index) && phase === 'after')
    expect({ where, state: end.state, message: end.message }).toMatchObject({
      where,
      state: forward ? 'done' : expect.stringMatching(/done|undone|cancelled/),
    })
    if (end.state === 'done') await one.check(world, raw)
    else if (comesBack(steps, index, phase)) {
      expect({ where, picture: await pictureOf(world) }).toEqual({ where, picture: before })
      await canStillBeDone(one, where, world, raw)
    }
  } finally {
    await world.close()
  }
}
