import { countUp } from './counters.ts'
import type { Database, Sql, Writing } from './database.ts'

/** A transaction that changes what other processes read again: the rows that it writes carry its revision. */
export type Write = <T>(
  durability: 'durable' | 'relaxed',
  work: (sql: Sql, revision: number, afterCommit: Writing['afterCommit']) => Promise<T>,
) => Promise<T>

/**
 * Revisions become visible in their order, because whoever takes one holds the counter's row until the end: so a reader
 * that has seen N misses nothing that is older. `own` is told of every revision that this process has made.
 */
export function createWrite(database: Database, own: (revision: number) => void): Write {
  return (durability, work) =>
    database.write(durability, async ({ sql, afterCommit }) => {
      const revision = await countUp(sql, 'revision')
      const result = await work(sql, revision, afterCommit)
      afterCommit(() => own(revision))
      return result
    })
}
