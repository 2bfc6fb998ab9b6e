import type { Json } from '../../model/json.ts'
import type { AnyOperation } from './operation.ts'
import { describeParams } from './params.ts'

/**
 * No secret in a journal. Parameters whose field says `secret`, and what facts hold under `secrets`, are kept in a
 * place of their own that is emptied when the job is over; a recovery puts them back.
 */
type Row = Readonly<Record<string, Json | undefined>>
type Secrets = Readonly<Record<string, string>>

export interface Split {
  readonly open: Json
  readonly secrets: Secrets
}

/**
 * Pure. Parameters without their secrets, and those by `params.NAME`: the one for the journal, the other for its own
 * place.
 */
export function splitParams(operation: AnyOperation, params: Json): Split {
  const open: Record<string, Json | undefined> = { ...(params as Row) }
  const secrets: Record<string, string> = {}
  for (const field of describeParams(operation.params)) {
    const value = open[field.name]
    if (field.secret && typeof value === 'string') {
      secrets[`params.${field.name}`] = value
      delete open[field.name]
    }
  }
  return { open, secrets }
}

/** Pure. The same for facts, whose secrets are what stands under `secrets`: by `facts.NAME`. */
export function splitFacts(facts: Json): Split {
  if (facts === null || typeof facts !== 'object' || Array.isArray(facts) || !('secrets' in facts))
    return { open: facts, secrets: {} }
  const { secrets, ...open } = facts as Row & { secrets: Row }
  const kept = Object.entries(secrets).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return { open, secrets: Object.fromEntries(kept.map(([key, value]) => [`facts.${key}`, value])) }
}

/** Pure. Puts back what `splitParams` took out; without the secrets, once the job is over, they stay away. */
export function joinParams(params: Json, secrets: Secrets): Json {
  return { ...(params as Row), ...under('params.', secrets) }
}

/** Pure. Puts back what `splitFacts` took out: facts have a `secrets` again, if an empty one. */
export function joinFacts(facts: Json, secrets: Secrets): Json {
  const kept = under('facts.', secrets)
  const isRow = facts !== null && typeof facts === 'object' && !Array.isArray(facts)
  return isRow ? { ...(facts as Row), secrets: kept } : facts
}

function under(prefix: string, secrets: Secrets): Row {
  const own = Object.entries(secrets).filter(([key]) => key.startsWith(prefix))
  return Object.fromEntries(own.map(([key, value]) => [key.slice(prefix.length), value]))
}
