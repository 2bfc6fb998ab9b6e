import type { Database, Sql } from '../sqlite/database.ts'

/**
 * A controller is one running pengx: the terminal interface, the server, one command. Jobs and locks carry the one
 * that owns them, so that those of a dead one can be taken over and those of a living one never are.
 */
export interface Controller {
  readonly id: string
  /** `/proc/sys/kernel/random/boot_id` of the machine it ran on. */
  readonly machineBootId: string
  readonly pid: number
  /** Field 22 of `/proc/PID/stat`: tells a process from a later one that was given the same number. */
  readonly startTicks: number
  /** The PID namespace in which `pid` means something: `pid:[4026531836]`; empty where there is none. */
  readonly pidNamespace: string
  readonly startedAt: number
}

/**
 * Its row is there for as long as it has the store open; after a crash until another has taken over its jobs. Once it is
 * written, asking again does nothing (undefined): what belongs to it must not be written before, or others would take it over.
 */
export function createRegistration(database: Database, controller: Controller): () => Promise<void> | undefined {
  let isWritten = false
  return () => {
    if (isWritten) return undefined
    return database.write('relaxed', async ({ sql, afterCommit }) => {
      await sql
        .insertInto('controllers')
        .values({ ...controller })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .execute()
      afterCommit(() => {
        isWritten = true
      })
    })
  }
}

/** What it leaves unfinished belongs to nobody then, so that anybody may go on with it at once. */
export async function unregisterController(database: Database, id: string): Promise<void> {
  await database.write('relaxed', async ({ sql }) => {
    await sql.deleteFrom('controllers').where('id', '=', id).execute()
  })
}

/** Those that have the store open, and those that died with it; by id. */
export async function listControllers(sql: Sql): Promise<Map<string, Controller>> {
  const rows = await sql.selectFrom('controllers').selectAll().execute()
  return new Map(rows.map((row) => [row.id, row]))
}
