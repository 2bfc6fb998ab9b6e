import { countUp } from './counters.ts'
import type { Database, Sql, WriteTransaction } from './database.ts'

/** What of revisions the view has. */
export interface Revisions {
  /** Nobody else has written between what was read last and this revision. */
  isNext(revision: number): boolean
  /** An own transaction is in the view already; nothing has to be read again for it. */
  own(revision: number): void
}

/** A transaction that changes what other processes read again: the rows that it writes carry its revision. */
export interface RevisedTransaction {
  readonly sql: Sql
  readonly revision: number
  /**
   * Nobody else has written anything that this view has not. Where it is false, who writes a part of a row must leave
   * the view's row at its old revision, so that the next refresh brings the rest.
   */
  readonly upToDate: boolean
  readonly afterCommit: WriteTransaction['afterCommit']
}

/** `durable` and `relaxed` as `Database.write` has them. */
export type Write = <T>(
  durability: 'durable' | 'relaxed',
  work: (revised: RevisedTransaction) => Promise<T>,
) => Promise<T>

/**
 * Revisions become visible in their order, because whoever takes one holds the counter's row until the end: so a reader
 * that has seen N misses nothing that is older. `revisions` is told of every one that this process has made.
 * `before` writes what must be there before anything else is.
 */
export function createWrite(database: Database, revisions: Revisions, before: () => Promise<void> | undefined): Write {
  const write: Write = (durability, work) =>
    database.write(durability, async ({ sql, afterCommit }) => {
      const revision = await countUp(sql, 'revision')
      const result = await work({ sql, revision, upToDate: revisions.isNext(revision), afterCommit })
      afterCommit(() => revisions.own(revision))
      return result
    })
  return (durability, work) => before()?.then(() => write(durability, work)) ?? write(durability, work)
}
