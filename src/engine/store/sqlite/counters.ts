import { compiled } from './compiled.ts'
import type { Database, Sql } from './database.ts'
import type { CounterRow, TombstoneRow } from './schema.ts'

const add = compiled((sql, { name, count }: { readonly name: CounterRow['name']; readonly count: number }) =>
  sql
    .updateTable('counters')
    .set((eb) => ({ value: eb('value', '+', count) }))
    .where('name', '=', name)
    .returning('value'),
)

/** The next `count` numbers of a counter: the last of them. Locks the counter's row until the transaction ends. */
export async function countUp(sql: Sql, name: CounterRow['name'], count = 1): Promise<number> {
  return (await add(sql, { name, count }))[0]!.value
}

/** Tombstones, from which other processes learn what is gone. A later one of the same thing replaces the earlier. */
export async function buryRows(sql: Sql, tombstones: readonly TombstoneRow[]): Promise<void> {
  for (const some of chunks(tombstones)) {
    await sql
      .insertInto('tombstones')
      .values(some)
      .onConflict((conflict) =>
        conflict
          .columns(['kind', 'id'])
          .doUpdateSet((eb) => ({ at: eb.ref('excluded.at'), rev: eb.ref('excluded.rev') })),
      )
      .execute()
  }
}

/** In pieces that one statement takes: databases limit the number of its parameters. */
export function chunks<T>(rows: readonly T[], size = 200): T[][] {
  const pieces: T[][] = []
  for (let start = 0; start < rows.length; start += size) pieces.push(rows.slice(start, start + size))
  return pieces
}

const TOMBSTONES_KEPT_MS = 24 * 3_600_000

/** A process that has slept for longer than this reads everything again, which the counter `forgotten` tells it. */
export async function forgetTombstones(database: Database, now: number): Promise<void> {
  const old = now - TOMBSTONES_KEPT_MS
  const findOld = (sql: Sql) =>
    sql
      .selectFrom('tombstones')
      .select((eb) => eb.fn.max('rev').as('rev'))
      .where('at', '<', old)
      .executeTakeFirst()
  if (!(await database.read(findOld))?.rev) return
  await database.write('relaxed', async ({ sql }) => {
    const last = (await findOld(sql))?.rev
    if (!last) return
    await sql.deleteFrom('tombstones').where('rev', '<=', last).execute()
    await sql.updateTable('counters').set({ value: last }).where('name', '=', 'forgotten').execute()
  })
}
