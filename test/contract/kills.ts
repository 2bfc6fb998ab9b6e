import { expect } from 'bun:test'
import { existsSync } from 'node:fs'
import type { Json } from '../../src/model/json.ts'
import { type CrashOrder, type CrashPoint, placeAt } from '../support/children/crashPoints.ts'
import { copyWorld } from '../support/sites/world.ts'
import type { OperationCase } from './operationCase.ts'
import type { Prepared, Trials } from './trials.ts'

/** Bundled where `npm test` has done that: it starts for each case, and most of a start is reading its sources. */
const CRASH_CHILD =
  process.env.PENGX_CRASH_CHILD ?? new URL('../support/children/crashChild.ts', import.meta.url).pathname

export interface Kills {
  /** What a process left that was killed there; each time a copy of its own. */
  at(point: CrashPoint): Promise<Prepared>
  /** The points within a step at which it can be killed, behind each of its commands but the last. */
  within(index: number): Promise<readonly CrashPoint[]>
}

/**
 * Gives what a process has left that was killed (SIGKILL) at a point of an operation. What a dead process leaves is what its
 * files held, so that one is enough for all points: it is killed at the last, and has copied its files at those before.
 * Where something outside of the world belongs to the case, there is one killed for each point.
 */
export function openKills(
  one: OperationCase,
  trials: Trials,
  last: CrashPoint & Pick<CrashOrder, 'cancelledAt'>,
): Kills {
  let whole: Promise<Prepared> | undefined
  const wholeRun = async () => {
    whole ??= trials.prepare().then((prepared) => kill(one, prepared, last))
    return await whole
  }
  return {
    async at(point) {
      if (one.inTurns) return await kill(one, await trials.prepare(), { ...last, ...point })
      const { place, raw, before } = await wholeRun()
      const isLast = point.index === last.index && point.phase === last.phase
      const to = trials.nextPlace()
      copyWorld(isLast ? place : placeAt(place, point), to)
      return { place: to, raw, before }
    },
    async within(index) {
      if (one.inTurns) return []
      const { place } = await wholeRun()
      const points: CrashPoint[] = []
      for (let phase = 1; existsSync(placeAt(place, { index, phase }).db); phase++) points.push({ index, phase })
      return points
    },
  }
}

async function kill(
  one: OperationCase,
  prepared: Prepared,
  point: CrashPoint & Pick<CrashOrder, 'cancelledAt'>,
): Promise<Prepared> {
  const { operation, config } = one
  const order: CrashOrder = { operation, config, place: prepared.place, raw: prepared.raw, ...point }
  const child = Bun.spawn([process.execPath, CRASH_CHILD, JSON.stringify(order)], { stdout: 'ignore', stderr: 'pipe' })
  await child.exited
  const said = await new Response(child.stderr).text()
  const where: Json = { operation, index: point.index, phase: point.phase }
  expect({ where, signal: child.signalCode, said }).toMatchObject({ where, signal: 'SIGKILL' })
  return prepared
}
