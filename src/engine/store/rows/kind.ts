import type { Job } from '../../../model/job.ts'
import type { Nouns } from '../../../model/noun.ts'
import type { Sql } from '../sqlite/database.ts'
import type { Tables } from '../sqlite/schema.ts'

/** Everything that is held in memory: the nouns, and what the store itself needs beside them. */
export interface Kinds extends Nouns {
  job: HeldJob
  setting: Setting
}

export type Kind = keyof Kinds

/** A job and what only the store and the runner need of it. */
export interface HeldJob {
  readonly job: Job
  readonly owner: string | undefined
  readonly cancelRequested: boolean
}

export interface Setting {
  readonly key: string
  readonly value: string
}

interface Loaded<T> {
  readonly value: T
  readonly rev: number
}

/** How one kind of row is read and held: `kinds.ts` has one of these for each. */
export interface RowKind<T> {
  readonly table: keyof Tables
  /** Its primary key. */
  readonly key: 'uuid' | 'id' | 'key'
  /** The key is a number, which in memory and in notices is text. */
  readonly numbered?: true
  idOf(value: T): string
  /** The order of its list, which is total. */
  compare(a: T, b: T): number
  /**
   * What was written after revision `since` (0: all that is there). What `isNews` says no to is in memory as it is,
   * and may be left out.
   */
  load(sql: Sql, since: number, isNews: (id: string, rev: number) => boolean): Promise<readonly Loaded<T>[]>
}

/**
 * One that is put as a whole. What is optional is what only some need; without it a value is one row, may always be put,
 * and goes alone.
 */
export interface WritableKind<T> extends RowKind<T> {
  /** The columns of its own row. */
  toRow(value: T, rev: number): object
  /** Refuses in words (`conflict`, `notFound`) what the constraints behind it would refuse as well. */
  checkPut?(sql: Sql, values: readonly T[]): Promise<void>
  /** Gives numbers to what comes without. */
  complete?(sql: Sql, values: readonly T[]): Promise<readonly T[]>
  /** Writes the rows of other tables that belong to it, in place of those that are there. */
  putParts?(sql: Sql, values: readonly T[]): Promise<void>
  /** It is found again by a look, so that a power cut may take the last moments of it. */
  isFound?(value: T): boolean
  /** Fails with `conflict` where something refers to it. */
  checkDrop?(sql: Sql, id: string): Promise<void>
  /** Deletes what the database does not delete with it. */
  dropParts?(sql: Sql, ids: readonly string[]): Promise<void>
}
