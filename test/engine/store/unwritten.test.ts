import { expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { sql } from 'kysely'
import { openSqlite } from '../../../src/engine/store/sqlite/open.ts'
import { holdStore } from '../../support/heldStore.ts'
import { canMount, onReadOnlyDisk } from '../../support/mounts.ts'
import { PENGX } from '../../support/pengx.ts'
import { until } from '../../support/until.ts'
import { aPm, aVm, failureOf, newPlace } from './samples.ts'

/** What the store knows of whether it can be written, and what it does while it cannot. */

test('a full disk is known by its name, small writes that find room notwithstanding, and is over by itself', async () => {
  await using place = newPlace()
  const database = await openSqlite(place.path)
  const limit = (pages: number) => database.read((db) => sql.raw(`pragma max_page_count = ${pages}`).execute(db))
  const put = (key: string, size: number) =>
    database.write('durable', async (writing) => {
      await writing.sql
        .insertInto('settings')
        .values({ key, value: 'x'.repeat(size), rev: 1 })
        .execute()
    })
  const told: (string | undefined)[] = []
  database.health.onChange(() => told.push(database.health.trouble?.why))
  await limit(1)
  const before = Date.now()
  await failureOf(put('large', 1_000_000))
  await failureOf(put('large', 1_000_000))
  expect(database.health.trouble).toMatchObject({ code: 'noSpace', why: 'the disk is full' })
  expect(database.health.trouble!.since - before).toBeLessThan(5_000)
  await put('small', 1)
  expect(database.health.trouble?.code).toBe('noSpace')
  await limit(1_000_000)
  await until(() => database.health.trouble === undefined)
  expect(told).toEqual(['the disk is full', undefined])
  // Asking whether there is room leaves nothing behind.
  const keys = await database.read((db) => db.selectFrom('settings').select('key').execute())
  expect(keys).toEqual([{ key: 'small' }])
  await database.close()
})

test('what is refused for its own sake is no trouble of the store', async () => {
  await using place = newPlace()
  const store = await place.open()
  const pm = aPm()
  await store.inventory.putPm(pm)
  expect(await failureOf(store.inventory.putPm(aPm({ name: pm.name })))).toStartWith('conflict: ')
  expect(store.view.storeTrouble).toBeUndefined()
})

test('while another writes, what is read goes past what waits to be written, which keeps its order', async () => {
  await using place = newPlace()
  const store = await place.open()
  const job = await store.jobs.create({
    operation: 'vm.start',
    subject: { kind: 'vm', id: 'a', name: 'a' },
    by: 'cli',
    params: {},
    locks: [],
  })
  const held = await holdStore(place.path)
  const order: string[] = []
  const first = store.jobs.update(job.id, { message: 'first' }).then(() => order.push('first'))
  const second = store.jobs.update(job.id, { message: 'second' }).then(() => order.push('second'))
  expect((await store.jobs.load(job.id)).job.message).toBe('')
  await store.view.refresh()
  expect(order).toEqual([])
  held.release()
  await Promise.all([first, second])
  expect(order).toEqual(['first', 'second'])
  expect((await store.jobs.load(job.id)).job.message).toBe('second')
  expect(store.view.storeTrouble).toBeUndefined()
})

test.skipIf(!canMount)('a store on a disk that is mounted read-only is listed, and left as it is', async () => {
  await using place = newPlace()
  const store = await place.open()
  const pm = aPm({ name: 'xen1' })
  await store.inventory.putPm(pm)
  await store.inventory.putVms([aVm(pm.uuid, { name: 'web01' }), aVm(pm.uuid, { name: 'web02' })])
  await store.close()
  const home = join(place.dir, 'home')
  const pengx = async (...words: string[]) => {
    const child = onReadOnlyDisk(place.dir, ['env', `HOME=${home}`, ...PENGX, '--db', place.path, ...words])
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    return { out, err, exit: await child.exited }
  }
  const { out, err } = await pengx('vms')
  expect(out.split('\n').map((line) => line.split(' ')[0])).toEqual(['NAME', 'web01', 'web02', ''])
  // Its PM is nowhere, which is all there is to say.
  expect(err).toMatch(/^pengx: xen1 cannot be reached: .*\n$/)
  const forget = await pengx('run', 'vm.forget', 'web01', '--yes')
  expect(forget.err).toContain(`cannot write store ${place.path}: the file or its directory is read-only`)
  expect(forget.exit).not.toBe(0)
  expect(readdirSync(dirname(place.path))).toEqual(['pengx.db'])
})
