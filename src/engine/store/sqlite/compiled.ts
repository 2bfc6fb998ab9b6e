import type { CompiledQuery } from 'kysely'
import type { Sql } from './database.ts'

/** Stands where a value comes when the query is carried out. */
interface Slot {
  readonly slot: string
}
const isSlot = (given: unknown): given is Slot => typeof given === 'object' && given !== null && 'slot' in given

/**
 * A query whose text is made once a database: making it costs several times what SQLite then needs for it. For those that
 * every job and every look carry out; `make` sees a stand-in for each value, so the text must not depend on them;
 * what it is given can be taken apart by name, and not spread.
 */
export function compiled<Values extends object, Row>(
  make: (sql: Sql, values: Values) => { compile(): CompiledQuery<Row> },
): (sql: Sql, values: Values) => Promise<readonly Row[]> {
  const made = new WeakMap<Sql, CompiledQuery<Row>>()
  const slots = new Proxy({} as Values, { get: (_, name): Slot => ({ slot: String(name) }) })
  return async (sql, values) => {
    let query = made.get(sql)
    if (!query) {
      query = make(sql, slots).compile()
      made.set(sql, query)
    }
    const parameters = query.parameters.map((given) => (isSlot(given) ? values[given.slot as keyof Values] : given))
    const { rows } = await sql.executeQuery<Row>({ ...query, parameters })
    return rows
  }
}
