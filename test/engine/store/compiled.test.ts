import { expect, test } from 'bun:test'
import { compiled } from '../../../src/engine/store/sqlite/compiled.ts'
import type { Database } from '../../../src/engine/store/sqlite/database.ts'
import { openSqlite } from '../../../src/engine/store/sqlite/open.ts'

type Setting = { readonly key: string; readonly value: string | null }

test('the text is made once a database, and every value goes where it is named', async () => {
  let made = 0
  const put = compiled((sql, { key, value }: { readonly key: string; readonly value: string }) => {
    made += 1
    return sql
      .insertInto('settings')
      .values({ key, value, rev: 7 })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
      .returning(['key', 'value', 'rev'])
  })
  const putIn = (database: Database, setting: { key: string; value: string }) =>
    database.write('relaxed', ({ sql }) => put(sql, setting))
  const one = await openSqlite('memory')
  const other = await openSqlite('memory')
  expect(await putIn(one, { key: 'a', value: '1' })).toEqual([{ key: 'a', value: '1', rev: 7 }])
  expect(await putIn(one, { value: '2', key: 'a' })).toEqual([{ key: 'a', value: '2', rev: 7 }])
  expect(await putIn(other, { key: 'b', value: 'slot' })).toEqual([{ key: 'b', value: 'slot', rev: 7 }])
  expect(made).toBe(2)
  const read = (database: Database) =>
    database.read((sql) => sql.selectFrom('settings').select(['key', 'value']).execute())
  expect([await read(one), await read(other)] as Setting[][]).toEqual([
    [{ key: 'a', value: '2' }],
    [{ key: 'b', value: 'slot' }],
  ])
  await Promise.all([one.close(), other.close()])
})

test('two at once do not take each other’s values', async () => {
  const find = compiled((sql, { key }: { readonly key: string }) =>
    sql.selectFrom('settings').select('value').where('key', '=', key),
  )
  const database = await openSqlite('memory')
  await database.write('relaxed', async ({ sql }) => {
    await sql
      .insertInto('settings')
      .values([
        { key: 'x', value: 'X', rev: 1 },
        { key: 'y', value: 'Y', rev: 1 },
      ])
      .execute()
  })
  const found = await database.read((sql) => Promise.all(['x', 'y', 'z'].map((key) => find(sql, { key }))))
  expect(found).toEqual([[{ value: 'X' }], [{ value: 'Y' }], []])
  await database.close()
})
