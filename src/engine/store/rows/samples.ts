import { chunks } from '../sqlite/counters.ts'
import type { Sql } from '../sqlite/database.ts'

/** Deletes the samples of PMs or VMs that go. */
export async function dropSamples(sql: Sql, subjects: readonly string[]): Promise<void> {
  for (const some of chunks(subjects)) await sql.deleteFrom('perf').where('subject', 'in', some).execute()
}
