import type { Database as SqliteFile, Statement } from 'bun:sqlite'
import {
  type DatabaseConnection,
  type Driver,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { Sql } from './database.ts'
import type { Tables } from './schema.ts'

const STATEMENTS_KEPT = 200

/** Kysely on a file; `forget` lets go of what was prepared for it, before another takes its place. */
export function createSql(file: () => SqliteFile): { readonly sql: Sql; forget(): void } {
  const { driver, forget } = createDriver(file)
  const sql: Sql = new Kysely<Tables>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => driver,
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  })
  return { sql, forget }
}

/** Kysely's own SQLite driver prepares every statement anew and reads a property that bun's statements do not have. */
function createDriver(file: () => SqliteFile): { readonly driver: Driver; forget(): void } {
  const statements = new Map<string, Statement>()

  function forget(): void {
    for (const statement of statements.values()) statement.finalize()
    statements.clear()
  }

  function statementFor(text: string): Statement {
    let statement = statements.get(text)
    if (statement) statements.delete(text)
    else statement = file().prepare(text)
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
  const driver: Driver = {
    init: async () => undefined,
    acquireConnection: async () => connection,
    releaseConnection: async () => undefined,
    beginTransaction: notHere,
    commitTransaction: notHere,
    rollbackTransaction: notHere,
    destroy: async () => forget(),
  }
  return { driver, forget }
}
