import type { Changes } from '../memory/changes.ts'
import { countUp } from './counters.ts'
import type { Database, Sql, Writing } from './database.ts'

/** A transaction that changes what other processes read again: the rows that it writes carry its revision. */
export interface Revised {
  readonly sql: Sql
  readonly revision: number
  /**
   * Nobody else has written anything that this view has not. Where it is false, who writes a part of a row must leave
   * the view's row at its old revision, so that the next refresh brings the rest.
   */
  readonly upToDate: boolean
  readonly afterCommit: Writing['afterCommit']
}

export type Write = <T>(durability: 'durable' | 'relaxed', work: (revised: Revised) => Promise<T>) => Promise<T>

/**
 * Revisions become visible in their order, because whoever takes one holds the counter's row until the end: so a reader
 * that has seen N misses nothing that is older. `changes` is told of every revision that this process has made.
 */
export function createWrite(database: Database, changes: Pick<Changes, 'own' | 'isNext'>): Write {
  return (durability, work) =>
    database.write(durability, async ({ sql, afterCommit }) => {
      const revision = await countUp(sql, 'revision')
      const result = await work({ sql, revision, upToDate: changes.isNext(revision), afterCommit })
      afterCommit(() => changes.own(revision))
      return result
    })
}
