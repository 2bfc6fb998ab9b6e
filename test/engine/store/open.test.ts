import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { sql } from 'kysely'
import { ROW_KINDS } from '../../../src/engine/store/rows/kinds.ts'
import { MIGRATIONS } from '../../../src/engine/store/sqlite/migrations.ts'
import { openSqlite } from '../../../src/engine/store/sqlite/open.ts'
import { openStore } from '../../../src/engine/store/store.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { canMount, onReadOnlyDisk, onSmallDisk } from '../../support/mounts.ts'
import { hear, startChild } from './children.ts'
import { aPm, aVm, failureOf, newPlace, type Place } from './samples.ts'

function rawFile({ path }: Place): Database {
  mkdirSync(dirname(path), { recursive: true })
  return new Database(path)
}

test('processes that open a store that is not there yet all succeed', async () => {
  await using place = newPlace()
  const children = Array.from({ length: 5 }, () => startChild('open', place.path))
  expect((await Promise.all(children.map((child) => hear(child)))).flat()).toEqual([])
  expect(await Promise.all(children.map((child) => child.exited))).toEqual([0, 0, 0, 0, 0])
  const file = rawFile(place)
  expect(file.query("select count(*) as n from settings where value = 'was here'").get()).toEqual({ n: 5 })
  expect(file.query('select count(*) as n from controllers').get()).toEqual({ n: 0 })
  file.close()
})

test('a file of the first version opens, with all that is in it', async () => {
  await using place = newPlace()
  const file = rawFile(place)
  file.run(`begin; ${readFileSync(join(import.meta.dir, 'version-1.sql'), 'utf8')}; commit`)
  file.close()
  const { view, jobs } = await place.open()
  expect(view.vms().map((vm) => [vm.name, vm.vnc?.password, vm.disks[0]!.vdev, vm.nics[0]!.id])).toEqual([
    ['web01', 'abcdefgh', 'xvda', 1],
  ])
  expect(view.pms().map((pm) => pm.seen.bridges)).toEqual([['xenbr0']])
  expect(view.storlinks().map((storlink) => storlink.name)).toEqual(['images'])
  const [claimed] = await jobs.claimJobs()
  expect(claimed).toMatchObject({ job: { number: 1, state: 'running' }, events: [{ seq: 1, kind: 'started' }] })
  expect(place.locks().map((lock) => lock.state)).toEqual(['held'])
})

test('a storlink of an earlier version has no identity yet, and keeps what it gets', async () => {
  await using place = newPlace()
  await (await openSqlite(place.path, MIGRATIONS.slice(0, 8))).close()
  const file = rawFile(place)
  file.run(`insert into pms values ('p', 'xen1', 'local', 1, 1, 0, 1, '{"reach":"new","since":1}', 1)`)
  file.run(`insert into storlinks values (7, 'p', 'data', '/data', 'LO', 'FL', 0, '', 10, 5, 1, 1)`)
  file.run("update counters set value = 1 where name = 'revision'")
  file.close()
  const uuid = '7a0c2f2e-1111-4222-8333-444444444444'
  {
    const { view, inventory, close } = await place.open()
    expect(view.needStorlink(7)).not.toContainAnyKeys(['uuid', 'problems'])
    await inventory.recordSeen({ storlinks: [{ id: 7, problems: { p: 'not mounted' } }] })
    expect(view.needStorlink(7)).toMatchObject({ problems: { p: 'not mounted' }, freeMib: 5 })
    await inventory.recordSeen({ storlinks: [{ id: 7, uuid, problems: {} }] })
    await close()
  }
  const { view } = await place.open()
  expect(view.needStorlink(7)).toMatchObject({ uuid, sizeMib: 10 })
  expect(view.needStorlink(7)).not.toContainKey('problems')
})

test('a schedule of an earlier version keeps nothing of hours and months, and what it kept before', async () => {
  await using place = newPlace()
  await (await openSqlite(place.path, MIGRATIONS.slice(0, 9))).close()
  const file = rawFile(place)
  file.run(`insert into pms values ('p', 'xen1', 'local', 1, 1, 0, 1, '{"reach":"new","since":1}', 1)`)
  file.run(`insert into storlinks values (7, 'p', 'data', '/data', 'LO', 'FL', 0, '', 10, 5, 1, 1, null, null)`)
  file.run(`insert into schedules values ('s', 'v', 'web01', 7, '30 2 * * *', 1, 50, 3, 14, 8, 1, 1, null, null, 1)`)
  file.run("update counters set value = 1 where name = 'revision'")
  file.close()
  const { view } = await place.open()
  const retention = { keepLast: 3, keepHourly: 0, keepDaily: 14, keepWeekly: 8, keepMonthly: 0 }
  expect(view.needSchedule('s')).toMatchObject({ vmName: 'web01', cron: '30 2 * * *', retention })
})

test("jobs on backups and schedules, once written down as the site's, are on what they were about", async () => {
  await using place = newPlace()
  await (await openSqlite(place.path, MIGRATIONS.slice(0, 5))).close()
  const file = rawFile(place)
  const jobs = { 'vm-1': 'vm', 'backup:b-1': 'site', 'schedule:s-1': 'site', here: 'site' }
  let number = 0
  for (const [subject, kind] of Object.entries(jobs)) {
    number += 1
    file.run(
      `insert into jobs (id, number, operation, subjectKind, subjectId, subjectName, state, "by", progress, step, stepIndex,
         stepCount, createdAt, message, acknowledged, cancelRequested, paramsJson, locksJson, rev)
       values ('job-${number}', ${number}, 'a.b', '${kind}', '${subject}', 'its name', 'done', 'cli', 1, '', 1, 1, 1, '', 0, 0,
         '{}', '[]', 1)`,
    )
    file.run(`insert into jobEvents values ('job-${number}', 1, 0, 'do it', 'started', 1, null, null)`)
  }
  file.run("update counters set value = 1 where name = 'revision'")
  file.close()
  const { view, jobs: rows } = await place.open()
  expect(view.jobs().map((job) => [job.number, job.subject.kind, job.subject.id])).toEqual([
    [4, 'site', 'here'],
    [3, 'schedule', 's-1'],
    [2, 'backup', 'b-1'],
    [1, 'vm', 'vm-1'],
  ])
  expect((await rows.detail('job-2')).events.map((event) => event.name)).toEqual(['do it'])
})

test('every table whose rows carry a revision is a kind of row that is read again', async () => {
  await using place = newPlace()
  await (await openSqlite(place.path)).close()
  const file = rawFile(place)
  const tables = file
    .query(
      "select t.name as name from sqlite_schema t, pragma_table_info(t.name) c where t.type = 'table' and c.name = 'rev'",
    )
    .all() as { name: string }[]
  file.close()
  const read = Object.values(ROW_KINDS).map((kind): string => kind.table)
  expect(tables.map(({ name }) => name).sort()).toEqual([...read, 'tombstones'].sort())
})

test('a later version is reached in one transaction, or not at all', async () => {
  await using place = newPlace()
  await (await openSqlite(place.path)).close()
  const versionOf = () => {
    const file = rawFile(place)
    const { user_version } = file.query('pragma user_version').get() as { user_version: number }
    const tables = file.query("select count(*) as n from sqlite_schema where name like 'extra%'").get() as { n: number }
    file.close()
    return [user_version, tables.n]
  }
  const broken = [...MIGRATIONS, 'create table extra1 (id integer) strict', 'create table nonsense (']
  expect(await failureOf(openSqlite(place.path, broken))).toContain('internal: store ')
  expect(versionOf()).toEqual([MIGRATIONS.length, 0])
  await (await openSqlite(place.path, broken.slice(0, -1))).close()
  expect(versionOf()).toEqual([MIGRATIONS.length + 1, 1])
  expect(await failureOf(place.open())).toBe(
    `unsupported: cannot open store ${place.path}: a newer pengx wrote it (schema ${MIGRATIONS.length + 1}, ` +
      `this one knows ${MIGRATIONS.length}); use that version, or another store`,
  )
})

test('what is not a store is left alone and named', async () => {
  await using place = newPlace()
  const file = rawFile(place)
  file.run('create table notes (id integer)')
  file.close()
  expect(await failureOf(place.open())).toBe(
    `invalid: cannot open store ${place.path}: it is a database of something else`,
  )
  writeFileSync(place.path, 'this is a letter and no database, and it is long enough to have a header'.repeat(20))
  expect(await failureOf(place.open())).toBe(`invalid: cannot open store ${place.path}: it is not a pengx store`)
  expect(readFileSync(place.path, 'utf8')).toStartWith('this is a letter')
  expect(await failureOf(openStore({ at: { path: place.dir }, clock: systemClock }))).toBe(
    `invalid: cannot open store ${place.dir}: it is not a file that can be opened`,
  )
  const below = join(place.path, 'pengx.db')
  expect(await failureOf(openStore({ at: { path: below }, clock: systemClock }))).toContain(
    `cannot open store ${below}: it is not a file that can be opened`,
  )
})

test('a damaged store says so', async () => {
  await using place = newPlace()
  const store = await place.open()
  const pm = aPm()
  await store.inventory.putPm(pm)
  await store.inventory.putVms(Array.from({ length: 200 }, () => aVm(pm.uuid, { desc: 'x'.repeat(2_000) })))
  await store.close()
  const bytes = readFileSync(place.path)
  bytes.fill(0x5a, 4_096 * 10)
  writeFileSync(place.path, bytes)
  expect(await failureOf(place.open())).toBe(
    `internal: store ${place.path} is damaged: put it aside and start with a new one, or bring back a copy`,
  )
})

test('a full database refuses the write whole and takes the next one', async () => {
  await using place = newPlace()
  const database = await openSqlite(place.path)
  const limit = (pages: number) => database.read((db) => sql.raw(`pragma max_page_count = ${pages}`).execute(db))
  await limit(1)
  const put = (key: string, size: number) =>
    database.write('durable', async (writing) => {
      await writing.sql.insertInto('settings').values({ key, value: 'small', rev: 1 }).execute()
      await writing.sql
        .insertInto('settings')
        .values({ key: `${key}2`, value: 'x'.repeat(size), rev: 1 })
        .execute()
    })
  expect(await failureOf(put('a', 1_000_000))).toBe(`noSpace: cannot write store ${place.path}: the disk is full`)
  await limit(1_000_000)
  await put('b', 1_000_000)
  const keys = await database.read((db) => db.selectFrom('settings').select('key').orderBy('key').execute())
  expect(keys).toEqual([{ key: 'b' }, { key: 'b2' }])
  await database.close()
})

test.skipIf(!canMount)(
  'on a disk that is full it says so, shows what is true, and goes on when there is room',
  async () => {
    await using place = newPlace()
    const fill = [process.execPath, join(import.meta.dir, 'storeChild.ts'), 'fill', `${place.dir}/pengx.db`]
    const child = onSmallDisk(place.dir, [...fill, `${place.dir}/ballast`])
    const heard = (await new Response(child.stdout).text()).split('\n').filter(Boolean)
    const written = heard.filter((line) => line.startsWith('vm')).length
    expect(written).toBeGreaterThan(0)
    expect(heard.slice(written)).toEqual([
      `failed noSpace: cannot write store ${place.dir}/pengx.db: the disk is full`,
      `shows ${written}`,
      `shows ${written - 1}`,
    ])
    expect(await child.exited).toBe(0)
  },
)

test('a file or directory that may not be written is named', async () => {
  await using place = newPlace()
  await (await place.open()).close()
  const state = dirname(place.path)
  // Root may write everything, whatever a file's mode is: but for what it is without these capabilities.
  const isRoot = process.getuid?.() === 0
  const who = isRoot ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : []
  const open = () => {
    const argv = [...who, process.execPath, join(import.meta.dir, 'storeChild.ts'), 'open', place.path]
    return Bun.spawnSync(argv, { stderr: 'inherit' }).stdout.toString()
  }
  chmodSync(place.path, 0o400)
  expect(open()).toBe(`failed readOnly: cannot open store ${place.path}: permission denied\n`)
  chmodSync(place.path, 0o600)
  chmodSync(state, 0o500)
  expect(open()).toMatch(/^failed readOnly: cannot (open|write) store /)
  chmodSync(state, 0o700)
  expect(open()).toBe('')
})

test.skipIf(!canMount)('on a file system that is mounted read-only it says so', async () => {
  await using place = newPlace()
  await (await place.open()).close()
  const child = onReadOnlyDisk(place.dir, [
    process.execPath,
    join(import.meta.dir, 'storeChild.ts'),
    'open',
    place.path,
  ])
  expect(await new Response(child.stdout).text()).toBe(
    `failed readOnly: cannot write store ${place.path}: the file or its directory is read-only\n`,
  )
})

test('in memory it is a store like any other, and forgotten', async () => {
  const first = await openStore({ at: 'memory', clock: systemClock })
  await first.inventory.putPm(aPm())
  await first.view.refresh()
  expect(first.view.pms()).toHaveLength(1)
  const second = await openStore({ at: 'memory', clock: systemClock })
  expect(second.view.pms()).toEqual([])
  await first.close()
  await second.close()
  expect(await failureOf(first.inventory.putPm(aPm()))).toContain('internal:')
})
