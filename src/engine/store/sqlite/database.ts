import type { Kysely } from 'kysely'
import type { Health } from './health.ts'
import type { Tables } from './schema.ts'

/** Queries, as every dialect understands them. Only to be used inside the `work` it was given to. */
export type Sql = Kysely<Tables>

export interface WriteTransaction {
  readonly sql: Sql
  /** Runs when it is committed and before any other work: brings the view up to date. */
  afterCommit(action: () => void): void
}

/**
 * What the store needs of a database; one file a dialect (`sqlite.ts`). One piece of work at a time: writes of this
 * process queue here, writes of others in the database.
 */
export interface Database {
  read<T>(work: (sql: Sql) => Promise<T>): Promise<T>
  /**
   * One transaction, which sees and changes the newest state, alone. `durable`: on disk when it resolves, whatever
   * happens to the machine; else it survives the end of the process but a power cut may take the last moments.
   */
  write<T>(durability: 'durable' | 'relaxed', work: (writing: WriteTransaction) => Promise<T>): Promise<T>
  /** Whether another process has committed since this was last asked. */
  changedByOthers(): boolean
  /** Whether it can be written. */
  readonly health: Pick<Health, 'trouble' | 'onChange'>
  close(): Promise<void>
}
