import { expect } from 'bun:test'
import type { Json } from '../../src/model/json.ts'
import { type CrashOrder, type CrashPoint, placeAt } from '../support/children/crashPoints.ts'
import type { OperationCase } from './operation.ts'
import type { Prepared, Trials } from './trials.ts'

/** Bundled where `npm test` has done that: it starts for each case, and most of a start is reading its sources. */
const CRASH_CHILD =
  process.env.PENGX_CRASH_CHILD ?? new URL('../support/children/crashChild.ts', import.meta.url).pathname

/**
 * Gives what a process has left that was killed (SIGKILL) at a point of an operation. What a dead process leaves is what its
 * files held, so that one is enough for all points: it is killed at the last, and has copied its files at those before.
 * Where something outside of the world belongs to the case, there is one killed for each point.
 */
export function openKills(
  one: OperationCase,
  trials: Trials,
  last: CrashPoint,
): (point: CrashPoint) => Promise<Prepared> {
  let whole: Promise<Prepared> | undefined
  return async (point) => {
    if (one.inTurns) return await kill(one, await trials.prepare(), point)
    whole ??= trials.prepare().then((prepared) => kill(one, prepared, last))
    const { place, raw, before } = await whole
    const isLast = point.index === last.index && point.phase === last.phase
    return { place: isLast ? place : placeAt(place, point), raw, before }
  }
}

async function kill(one: OperationCase, prepared: Prepared, point: CrashPoint): Promise<Prepared> {
  const { operation, config } = one
  const order: CrashOrder = { operation, config, place: prepared.place, raw: prepared.raw, ...point }
  const child = Bun.spawn([process.execPath, CRASH_CHILD, JSON.stringify(order)], { stdout: 'ignore', stderr: 'pipe' })
  await child.exited
  const said = await new Response(child.stderr).text()
  const where: Json = { operation, ...point }
  expect({ where, signal: child.signalCode, said }).toMatchObject({ where, signal: 'SIGKILL' })
  return prepared
}
