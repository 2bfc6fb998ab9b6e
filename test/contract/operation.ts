import { afterAll, describe, expect, test } from 'bun:test'
import type { CrashPoint } from '../support/children/crashPoints.ts'
import { pictureOf } from '../support/sites/world.ts'
import { type Kills, openKills } from './kills.ts'
import type { OperationCase } from './operationCase.ts'
import { changesOf, failAt, failJournal, failWithin, repeatAt } from './operationFailures.ts'
import { goOnAfter, goOnAfterMove, goOnBack } from './operationGaps.ts'
import { lastUndone, runToEnd, type Steps, stepsOf } from './operationSteps.ts'
import { openTrials, type Trials } from './trials.ts'
import { WORLD_MOVES, type WorldMove } from './worldMoves.ts'

/**
 * What every operation owes, step by step: a failure before or after a step's effect, a cancel or a SIGKILL there, leaves
 * store, files and domains as they were, or the operation done where its effect is found, and past the pivot; no undo fails; no
 * lock stays; a step done twice is as good as once. An operation is covered as soon as it is in the catalog: one without a
 * case fails the suite.
 */
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
      await atEach(trials, all, (index) => [
        () => failAt(one, trials, all, { index, phase: 'before', code: 'commandFailed' }),
        () => failAt(one, trials, all, { index, phase: 'after', code: 'commandFailed' }),
        () => failAt(one, trials, all, { index, phase: 'after', code: 'cancelled' }),
      ])
    }, 120_000)

    test('does each step and each undo twice', async () => {
      const all = await steps()
      await atEach(trials, all, (index) => [() => repeatAt(one, trials, all, index)])
    }, 120_000)

    test('a line of its journal cannot be written, and it finds what it has done', async () => {
      const all = await steps()
      await atEach(trials, all, (index) => [
        () => failJournal(one, trials, all, index, 'started'),
        () => failJournal(one, trials, all, index, 'succeeded'),
      ])
    }, 120_000)

    test('a command within a step fails, having done its work or not, or is at work at a cancel, and it unwinds or goes on', async () => {
      const all = await steps()
      const count = await changesOf(one, trials)
      await trials.each(
        [...Array(count).keys()].flatMap((nth) => [
          () => failWithin(one, trials, all, nth, nth % 2 === 0 ? 'failAfter' : 'failBefore'),
          () => failWithin(one, trials, all, nth, 'cancelled'),
        ]),
      )
    }, 120_000)

    describe('killed', () => {
      let kills: Promise<Kills> | undefined
      const killed = async () => {
        kills ??= steps().then(({ names }) => openKills(one, trials, { index: names.length - 1, phase: 'after' }))
        return await kills
      }

      test('before, within and after each step, and the next start finishes or unwinds', async () => {
        const [all, kills_] = [await steps(), await killed()]
        await trials.each(
          (await pointsOf(all, kills_)).map((point) => async () => goOnAfter(one, all, point, await kills_.at(point))),
        )
      }, 120_000)

      test('before each undo, and the next start goes on with it, or leaves what may have been used', async () => {
        const all = await steps()
        const points = undosOf(all)
        if (points.length === 0) return
        const undone = openKills(one, trials, { ...points.at(-1)!, cancelledAt: lastUndone(all) })
        await trials.each(points.map((point) => async () => goOnBack(one, all, point, await undone.at(point))))
        if (one.inTurns) return
        await trials.each(
          points.flatMap((point, nth) =>
            movesAt(nth).map((move) => async () => {
              await goOnAfterMove(one, all, point, await undone.at(point), move)
            }),
          ),
        )
      }, 120_000)

      test('before, within and after each step, and what has come to live since goes on living', async () => {
        const [all, kills_] = [await steps(), await killed()]
        if (one.inTurns) return
        await trials.each(
          (await pointsOf(all, kills_)).flatMap((point, nth) =>
            movesAt(nth).map((move) => async () => {
              await goOnAfterMove(one, all, point, await kills_.at(point), move)
            }),
          ),
        )
      }, 120_000)
    })
  })
}

function atEach(
  trials: Trials,
  steps: Steps,
  those: (index: number) => readonly (() => Promise<void>)[],
): Promise<void> {
  return trials.each(steps.names.flatMap((_, index) => those(index)))
}

/** Half of what may become of the VM at one point, and the other half at the next. */
function movesAt(nth: number): readonly WorldMove[] {
  return WORLD_MOVES.filter((_, index) => index % 2 === nth % 2)
}

/** Before each undo, in the order in which they come. */
function undosOf(steps: Steps): readonly CrashPoint[] {
  const indexes = [...steps.names.keys()].filter((index) => steps.undoable[index] && index <= lastUndone(steps))
  return indexes.reverse().map((index) => ({ index, phase: 'beforeUndo' }))
}

async function pointsOf({ names }: Steps, kills: Kills): Promise<readonly CrashPoint[]> {
  const points: CrashPoint[] = []
  for (const index of names.keys())
    points.push({ index, phase: 'before' }, ...(await kills.within(index)), { index, phase: 'after' })
  return points
}
