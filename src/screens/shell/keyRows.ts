import type { Subject } from '../../model/job.ts'
import type { Json } from '../../model/json.ts'
import type { AppContext } from '../app/context.ts'
import { readOnlyReason, refusalOf } from '../ask/action.ts'
import { ask, askFresh } from '../ask/ask.ts'
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

/** What a key acts on. */
export function subjectsOf(app: AppContext, row: KeyRow): readonly Subject[] {
  return row.subjects?.(app) ?? screenOf(app).subjects(app)
}

/** Why a key does nothing now, or undefined. */
export function keyRefusal(app: AppContext, row: KeyRow): string | undefined {
  const own = row.refuse?.(app)
  if (own !== undefined || row.operation === undefined) return own
  if (row.fresh) return readOnlyReason(app)
  return refusalOf(app, row.operation, subjectsOf(app, row), row.raw?.(app), row.settled)
}

/** A key that means something here: on this tab, and with an operation that this version has. */
export function isThere(app: AppContext, row: KeyRow): boolean {
  const known = row.operation === undefined || app.engine.operations.has(row.operation)
  return known && (row.when?.(app) ?? true)
}

/** Of rows that share a key (pause, resume) the first that can be done now, else the first. */
export function rowFor(app: AppContext, rows: readonly KeyRow[], key: string): KeyRow | undefined {
  const candidates = rows.filter((row) => row.key === key && isThere(app, row))
  if (candidates.length < 2) return candidates[0]
  return candidates.find((row) => keyRefusal(app, row) === undefined) ?? candidates[0]
}

/** Does what a key says, or says why not. */
export function runKey(app: AppContext, row: KeyRow) {
  const raw: Readonly<Record<string, Json>> = row.raw?.(app) ?? {}
  if (row.operation !== undefined) {
    const own = row.refuse?.(app)
    if (own !== undefined) return app.say(`${row.title}: ${own}`)
    if (row.fresh) return askFresh(app, row.operation, raw)
    return ask(app, row.operation, subjectsOf(app, row), raw, row.settled)
  }
  const refusal = keyRefusal(app, row)
  if (refusal !== undefined) return app.say(`${row.title}: ${refusal}`)
  row.act?.(app)
}
