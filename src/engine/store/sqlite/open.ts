import { constants, Database as SqliteFile } from 'bun:sqlite'
import { closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Clock, systemClock } from '../../../lib/clock.ts'
import { turns } from '../../../lib/turns.ts'
import type { PengxError } from '../../../model/error.ts'
import type { Database, WriteTransaction } from './database.ts'
import { createSql } from './driver.ts'
import { isBusy, toStoreError, troubleIn } from './errors.ts'
import { createHealth } from './health.ts'
import { MIGRATIONS, migrate } from './migrations.ts'

/**
 * The store in one SQLite file. Writing transactions begin `immediate`: a deferred one that reads and then writes fails
 * with BUSY as soon as two processes do it. SQLite waits inside its call, which would stop the screen, so it is let wait
 * for a moment only and the rest of the waiting is done out here.
 *
 * Durability, measured on an ext4 disk: a commit takes 0.19 ms with synchronous=FULL and 0.015 ms with NORMAL. In WAL
 * mode both survive a kill at any moment; NORMAL may lose the newest commits with the power. So what promises something
 * (the journal, the inventory) is FULL, and what a look finds again (what was seen, progress, samples) is NORMAL.
 */
const LOCKED_WAIT_MS = 20
const BUSY_LIMIT_MS = 15_000
/** What a write is asked to have room for before the disk counts as not full any more. */
const PROBE_BYTES = 65_536

/**
 * Opens a file, making it and its directory (mode 0700, the file 0600) where they are missing, and brings it up to date.
 * A store that is there and cannot be written is opened to be read: every write fails with why, until it can be opened
 * whole. Fails with `invalid` for what is no store, `unsupported` for a later version's, `readOnly`, `noSpace`, `busy`.
 */
export async function openSqlite(
  path: string | 'memory',
  migrations: readonly string[] = MIGRATIONS,
  clock: Clock = systemClock,
): Promise<Database> {
  const where = path === 'memory' ? 'in memory' : path
  const openWhole = async (patienceMs: number): Promise<SqliteFile> => {
    const file = path === 'memory' ? new SqliteFile(':memory:', { strict: true }) : openFile(path)
    try {
      await untilFree(clock, patienceMs, isBusy, () => prepareFile(file, where, path === 'memory', migrations))
      return file
    } catch (error) {
      file.close()
      throw error
    }
  }
  try {
    return createDatabase({ file: await openWhole(BUSY_LIMIT_MS), where, clock })
  } catch (thrown) {
    const error = toStoreError(thrown, where)
    const file = path !== 'memory' && troubleIn(error) ? openToRead(path, where, migrations) : undefined
    if (!file) throw error
    return createDatabase({ file, where, clock, barred: { error, openWhole } })
  }
}

/** SQLite gives the -wal and -shm files the mode of the main one, so this keeps secrets from others. */
function openFile(path: string): SqliteFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, 'a', 0o600))
  return new SqliteFile(path, { readwrite: true, create: false, strict: true })
}

/**
 * A file that is up to date and can be read as it is; else undefined. Where no -wal file says that somebody has it open,
 * it is read as one that nobody writes: a reader would leave such files behind, for others to stumble over. Where they
 * are of no use, on a full disk, it is read so too, if all there is stands in the file itself.
 */
function openToRead(path: string, where: string, migrations: readonly string[]): SqliteFile | undefined {
  const walSize = sizeOf(`${path}-wal`)
  const alone = `${pathToFileURL(path)}?immutable=1`
  for (const name of walSize === undefined ? [alone] : walSize > 0 ? [path] : [path, alone]) {
    let file: SqliteFile | undefined
    try {
      file = new SqliteFile(name, constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI)
      file.run(`pragma busy_timeout = ${LOCKED_WAIT_MS}`)
      migrate(file, where, migrations)
      return file
    } catch {
      file?.close()
    }
  }
  return undefined
}

/** Undefined where there is none. */
function sizeOf(path: string): number | undefined {
  try {
    return statSync(path).size
  } catch {
    return undefined
  }
}

function prepareFile(file: SqliteFile, where: string, inMemory: boolean, migrations: readonly string[]): void {
  file.run(`pragma busy_timeout = ${LOCKED_WAIT_MS}`)
  if (!inMemory) file.run('pragma journal_mode = wal')
  file.run('pragma foreign_keys = on')
  // A dropped secret is overwritten and not merely unlinked.
  file.run('pragma secure_delete = on')
  file.run('begin immediate')
  try {
    migrate(file, where, migrations)
    file.run('commit')
  } catch (error) {
    rollBack(file)
    throw error
  }
}

/** SQLite itself rolls back on some failures, a full disk among them. */
function rollBack(file: SqliteFile): void {
  if (!file.inTransaction) return
  try {
    file.run('rollback')
  } catch {
    // What matters is why it is rolled back; the next transaction tries this once more.
  }
}

/** Does it again for as long as others are at work on the file, and at most so long. */
async function untilFree<T>(
  clock: Clock,
  patienceMs: number,
  isOccupied: (error: unknown) => boolean,
  action: () => T | Promise<T>,
): Promise<T> {
  let waitedMs = 0
  for (let pauseMs = 2; ; pauseMs = Math.min(500, pauseMs * 1.4)) {
    try {
      return await action()
    } catch (error) {
      if (!isOccupied(error) || waitedMs >= patienceMs) throw error
      const sleptMs = pauseMs * (0.5 + Math.random())
      await clock.sleep(sleptMs)
      waitedMs += sleptMs + LOCKED_WAIT_MS
    }
  }
}

interface Opened {
  readonly file: SqliteFile
  readonly where: string
  readonly clock: Clock
  /** Why it is open to be read only, and how to open it whole. */
  readonly barred?: { readonly error: PengxError; openWhole(patienceMs: number): Promise<SqliteFile> }
}

function createDatabase({ file: first, where, clock, barred: bar }: Opened): Database {
  let file = first
  let barred = bar
  const { sql, forget } = createSql(() => file)
  let dataVersion = file.prepare('pragma data_version')
  const readVersion = () => dataVersion.values()[0]?.[0] as number
  let seenVersion = readVersion()
  let durability = ''
  let tail: Promise<unknown> = Promise.resolve()
  let lastWrite: Promise<unknown> = Promise.resolve()
  /** Did not even begin, since another process is writing: can be done again. */
  const kept = new WeakSet<object>()

  /** SQLite works within its calls, so one transaction after the other would leave nobody else a turn. */
  function queued<T>(work: () => Promise<T>): Promise<T> {
    const turn = tail.then(() => turns.take()).then(work)
    tail = turn.catch(() => undefined)
    return turn
  }

  async function transaction<T>(begin: string, work: () => Promise<T> | T): Promise<T> {
    rollBack(file)
    try {
      file.run(begin)
    } catch (error) {
      if (isBusy(error)) kept.add(error as object)
      throw error
    }
    try {
      const result = await work()
      file.run('commit')
      return result
    } catch (error) {
      rollBack(file)
      throw error
    }
  }

  async function openAgain(openWhole: (patienceMs: number) => Promise<SqliteFile>): Promise<void> {
    const whole = await openWhole(0)
    forget()
    dataVersion.finalize()
    file.close()
    file = whole
    dataVersion = file.prepare('pragma data_version')
    seenVersion = Number.NaN
    durability = ''
    barred = undefined
  }

  const health = createHealth(clock, async () => {
    try {
      await queued(async () => {
        if (barred) await openAgain(barred.openWhole)
        await transaction('begin immediate', () => {
          file.run("insert into settings values ('probe', ?, 0)", ['x'.repeat(PROBE_BYTES)])
          file.run("delete from settings where key = 'probe'")
        })
      })
    } catch (error) {
      throw toStoreError(error, where)
    }
  })
  if (barred) health.failed(barred.error)

  async function writeNow<T>(
    wanted: 'durable' | 'relaxed',
    work: (writing: WriteTransaction) => Promise<T>,
  ): Promise<T> {
    if (barred) throw barred.error
    if (durability !== wanted) {
      file.run(`pragma synchronous = ${wanted === 'durable' ? 'full' : 'normal'}`)
      durability = wanted
    }
    const actions: (() => void)[] = []
    const writing: WriteTransaction = { sql, afterCommit: (action) => actions.push(action) }
    const result = await transaction('begin immediate', () => work(writing))
    for (const action of actions) action()
    return result
  }

  return {
    // A reader is only kept waiting while another process repairs the file after a crash; reading can be done again.
    read: (work) =>
      untilFree(clock, BUSY_LIMIT_MS, isBusy, () => queued(() => transaction('begin', () => work(sql)))).catch(
        (error: unknown) => {
          throw toStoreError(error, where)
        },
      ),
    // Writes keep their order while one of them waits for another process; what is read goes past them.
    write(wanted, work) {
      const turn = lastWrite.then(async () => {
        try {
          const patienceMs = health.trouble ? 0 : BUSY_LIMIT_MS
          const again = (error: unknown) => kept.has(error as object)
          const result = await untilFree(clock, patienceMs, again, () => queued(() => writeNow(wanted, work)))
          health.written()
          return result
        } catch (thrown) {
          const error = toStoreError(thrown, where)
          health.failed(error)
          throw error
        }
      })
      lastWrite = turn.catch(() => undefined)
      return turn
    },
    changedByOthers() {
      const version = readVersion()
      const changed = version !== seenVersion
      seenVersion = version
      return changed
    },
    health,
    close() {
      const closed = lastWrite.then(() =>
        queued(async () => {
          health.stop()
          await sql.destroy()
          dataVersion.finalize()
          file.close()
        }),
      )
      lastWrite = closed.catch(() => undefined)
      return closed
    },
  }
}
