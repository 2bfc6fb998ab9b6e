import { Database as SqliteFile, type Statement } from 'bun:sqlite'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import {
  type DatabaseConnection,
  type Driver,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { Database, Sql, WriteTransaction } from './database.ts'
import { isBusy, toStoreError } from './errors.ts'
import { MIGRATIONS, migrate } from './migrations.ts'
import type { Tables } from './schema.ts'

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
const STATEMENTS_KEPT = 200

/**
 * Opens a file, making it and its directory (mode 0700, the file 0600) where they are missing, and brings it up to date.
 * Fails with `invalid` for what is no store, `unsupported` for a later version's, `readOnly`, `noSpace`, `busy`.
 */
export async function openSqlite(
  path: string | 'memory',
  migrations: readonly string[] = MIGRATIONS,
): Promise<Database> {
  const where = path === 'memory' ? 'in memory' : path
  try {
    const file = path === 'memory' ? new SqliteFile(':memory:', { strict: true }) : openFile(path)
    try {
      await untilFree(() => prepareFile(file, where, path === 'memory', migrations))
    } catch (error) {
      file.close()
      throw error
    }
    return createDatabase(file, where)
  } catch (error) {
    throw toStoreError(error, where)
  }
}

/** SQLite gives the -wal and -shm files the mode of the main one, so this keeps secrets from others. */
function openFile(path: string): SqliteFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, 'a', 0o600))
  return new SqliteFile(path, { readwrite: true, create: false, strict: true })
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
    if (file.inTransaction) file.run('rollback')
    throw error
  }
}

async function untilFree<T>(action: () => T | Promise<T>): Promise<T> {
  const limit = performance.now() + BUSY_LIMIT_MS
  for (;;) {
    try {
      return await action()
    } catch (error) {
      if (!isBusy(error) || performance.now() > limit) throw error
      await Bun.sleep(1 + Math.random() * 10)
    }
  }
}

function createDatabase(file: SqliteFile, where: string): Database {
  const driver = createDriver(file)
  const sql: Sql = new Kysely<Tables>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => driver,
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  })
  const dataVersion = file.prepare('pragma data_version')
  const readVersion = () => dataVersion.values()[0]?.[0] as number
  let seenVersion = readVersion()
  let durability = ''
  let tail: Promise<unknown> = Promise.resolve()

  function queued<T>(work: () => Promise<T>): Promise<T> {
    const turn = tail.then(work).catch((error: unknown) => {
      throw toStoreError(error, where)
    })
    tail = turn.catch(() => undefined)
    return turn
  }

  async function transaction<T>(begin: string, work: () => Promise<T>): Promise<T> {
    await untilFree(() => file.run(begin))
    try {
      const result = await work()
      file.run('commit')
      return result
    } catch (error) {
      // SQLite itself rolls back on some failures, a full disk among them.
      if (file.inTransaction) file.run('rollback')
      throw error
    }
  }

  return {
    // A reader is only kept waiting while another process repairs the file after a crash; reading can be done again.
    read: (work) => queued(() => untilFree(() => transaction('begin', () => work(sql)))),
    write: (wanted, work) =>
      queued(async () => {
        if (durability !== wanted) {
          file.run(`pragma synchronous = ${wanted === 'durable' ? 'full' : 'normal'}`)
          durability = wanted
        }
        const actions: (() => void)[] = []
        const writing: WriteTransaction = { sql, afterCommit: (action) => actions.push(action) }
        const result = await transaction('begin immediate', () => work(writing))
        for (const action of actions) action()
        return result
      }),
    changedByOthers() {
      const version = readVersion()
      const changed = version !== seenVersion
      seenVersion = version
      return changed
    },
    close: () =>
      queued(async () => {
        await sql.destroy()
        dataVersion.finalize()
        file.close()
      }),
  }
}

/** Kysely's own SQLite driver prepares every statement anew and reads a property that bun's statements do not have. */
function createDriver(file: SqliteFile): Driver {
  const statements = new Map<string, Statement>()

  function statementFor(text: string): Statement {
    let statement = statements.get(text)
    if (statement) statements.delete(text)
    else statement = file.prepare(text)
    statements.set(text, statement)
    if (statements.size > STATEMENTS_KEPT) {
      const [oldest, unused] = statements.entries().next().value!
      statements.delete(oldest)
      unused.finalize()
    }
    return statement
  }

  const connection: DatabaseConnection = {
    async executeQuery<R>({
      sql,
      parameters,
    }: {
      sql: string
      parameters: readonly unknown[]
    }): Promise<QueryResult<R>> {
      const statement = statementFor(sql)
      const values = parameters as never[]
      if (statement.columnNames.length > 0) return { rows: statement.all(...values) as R[] }
      return { rows: [], numAffectedRows: BigInt(statement.run(...values).changes) }
    },
    // biome-ignore lint/correctness/useYield: nothing here streams.
    async *streamQuery() {
      throw new Error('streaming is not supported')
    },
  }
  const notHere = async () => {
    throw new Error('transactions begin in write()')
  }
  return {
    init: async () => undefined,
    acquireConnection: async () => connection,
    releaseConnection: async () => undefined,
    beginTransaction: notHere,
    commitTransaction: notHere,
    rollbackTransaction: notHere,
    destroy: async () => {
      for (const statement of statements.values()) statement.finalize()
      statements.clear()
    },
  }
}
