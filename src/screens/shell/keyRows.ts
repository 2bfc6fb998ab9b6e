import type { Json } from '../../model/json.ts'
import type { Desk } from '../app/context.ts'
import { ask, askFresh, readOnlyReason, refusalOf } from '../ask/actions.ts'
import { screenOf } from '../catalog.ts'
import type { KeyRow } from '../screen.ts'

/** Keys that only move and mark: no screen may give them another meaning. */
export const MOVING: readonly (readonly [string, string])[] = [
  ['j k ↓ ↑', 'one row down, up'],
  ['h l ← →', 'sideways, where there is a side'],
  ['g G Home End', 'first, last'],
  ['ctrl-d ctrl-u', 'half a page'],
  ['PgDn PgUp', 'a page'],
  ['space', 'mark, and go down'],
  ['v', 'begin or end a range of marks'],
  ['*', 'mark all shown, or none'],
]

/** Why a key does nothing now, or undefined. */
export function keyRefusal(desk: Desk, row: KeyRow): string | undefined {
  const own = row.refuse?.(desk)
  if (own !== undefined || row.operation === undefined) return own
  if (row.fresh) return readOnlyReason(desk)
  return refusalOf(desk, row.operation, screenOf(desk).subjects(desk), row.raw?.(desk))
}

/** A key that means something here: on this tab, and with an operation that this version has. */
export function isThere(desk: Desk, row: KeyRow): boolean {
  const known = row.operation === undefined || desk.engine.operations.has(row.operation)
  return known && (row.when?.(desk) ?? true)
}

/** Of rows that share a key (pause, resume) the first that can be done now, else the first. */
export function rowFor(desk: Desk, rows: readonly KeyRow[], key: string): KeyRow | undefined {
  const candidates = rows.filter((row) => row.key === key && isThere(desk, row))
  if (candidates.length < 2) return candidates[0]
  return candidates.find((row) => keyRefusal(desk, row) === undefined) ?? candidates[0]
}

/** Does what a key says, or says why not. */
export function runKey(desk: Desk, row: KeyRow) {
  const raw: Readonly<Record<string, Json>> = row.raw?.(desk) ?? {}
  if (row.operation !== undefined) {
    const own = row.refuse?.(desk)
    if (own !== undefined) return desk.say(`${row.title}: ${own}`)
    if (row.fresh) return askFresh(desk, row.operation, raw)
    return ask(desk, row.operation, screenOf(desk).subjects(desk), raw)
  }
  const refusal = keyRefusal(desk, row)
  if (refusal !== undefined) return desk.say(`${row.title}: ${refusal}`)
  row.act?.(desk)
}
