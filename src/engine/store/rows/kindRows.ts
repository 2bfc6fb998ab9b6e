import type { Kysely } from 'kysely'
import { chunks } from '../sqlite/counters.ts'
import type { Sql } from '../sqlite/database.ts'
import type { RowKind, WritableKind } from './kind.ts'

/** What is done to the table of any kind of row. */

type AnySql = Kysely<Record<string, Record<string, unknown>>>
/** A table whose name is known only as the program runs; the row kind's own type is what keeps its columns right. */
const anyTable = (sql: Sql) => sql as unknown as AnySql

/** The ids of all that is there. */
export async function idsIn(
  sql: Sql,
  { table, key }: Pick<RowKind<unknown>, 'table' | 'key'>,
): Promise<ReadonlySet<string>> {
  const rows = await anyTable(sql).selectFrom(table).select(key).execute()
  return new Set(rows.map((row) => String(row[key])))
}

/** Inserts or replaces values with what belongs to them; gives them as they are now. */
export async function putRows<T>(
  sql: Sql,
  kind: WritableKind<T>,
  given: readonly T[],
  rev: number,
): Promise<readonly T[]> {
  const { table, key, toRow } = kind
  await kind.checkPut?.(sql, given)
  const values = kind.complete ? await kind.complete(sql, given) : given
  const all = values.map((value) => toRow(value, rev) as Record<string, unknown>)
  for (const rows of chunks(all)) {
    const columns = Object.keys(rows[0]!).filter((column) => column !== key)
    await anyTable(sql)
      .insertInto(table)
      .values(rows)
      .onConflict((conflict) =>
        conflict
          .column(key)
          .doUpdateSet((eb) => Object.fromEntries(columns.map((column) => [column, eb.ref(`excluded.${column}`)]))),
      )
      .execute()
  }
  await kind.putParts?.(sql, values)
  return values
}

/** Deletes rows with what belongs to them; fails with `conflict` where something refers to one. */
export async function deleteRows<T>(sql: Sql, kind: WritableKind<T>, ids: readonly string[]): Promise<void> {
  const { table, key, numbered } = kind
  for (const id of ids) await kind.checkDrop?.(sql, id)
  for (const some of chunks(ids)) {
    const keys = numbered ? some.map(Number) : some
    await anyTable(sql).deleteFrom(table).where(key, 'in', keys).execute()
  }
  await kind.dropParts?.(sql, ids)
}
