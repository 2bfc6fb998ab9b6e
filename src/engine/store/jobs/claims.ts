import type { JobState } from '../../../model/job.ts'
import { chunks } from '../sqlite/counters.ts'
import type { Sql } from '../sqlite/database.ts'
import { listControllers } from './controllers.ts'
import type { JobDeps, StoredJob } from './jobRows.ts'
import { loadJobs } from './loading.ts'
import { showJob } from './writes.ts'

/** A stuck one is left out: it waits for a person, who may take it up in any process. */
const AT_WORK: readonly JobState[] = ['queued', 'running', 'undoing']

/**
 * Takes over what dead controllers have left at work, with its locks, which hang on the job. Reads first, so that
 * mostly nothing is written, and then again inside the transaction, because another may have been faster.
 */
export async function claimJobs(deps: JobDeps): Promise<readonly StoredJob[]> {
  if ((await deps.database.read((sql) => findLeft(sql, deps))).length === 0) return []
  return deps.write('durable', async ({ sql, revision: rev, afterCommit }) => {
    const ids = await findLeft(sql, deps)
    for (const some of chunks(ids)) {
      await sql.updateTable('jobs').set({ owner: deps.controller.id, rev }).where('id', 'in', some).execute()
    }
    await forgetDead(sql, deps)
    for (const id of ids) await showJob(sql, id, deps.memory, afterCommit)
    return loadJobs(sql, ids)
  })
}

/** At work, and nobody alive works on it. */
async function findLeft(sql: Sql, { controller, isDead }: JobDeps): Promise<string[]> {
  const rows = await sql
    .selectFrom('jobs')
    .select(['id', 'owner'])
    .where('state', 'in', AT_WORK)
    .orderBy('number')
    .execute()
  if (rows.every((row) => row.owner === controller.id)) return []
  const controllers = await listControllers(sql)
  const alive = new Set([...controllers.values()].filter((owner) => !isDead(owner)).map((owner) => owner.id))
  alive.add(controller.id)
  return rows.filter(({ owner }) => owner === null || !alive.has(owner)).map((row) => row.id)
}

async function forgetDead(sql: Sql, { controller, isDead }: JobDeps): Promise<void> {
  for (const owner of (await listControllers(sql)).values()) {
    if (owner.id !== controller.id && isDead(owner))
      await sql.deleteFrom('controllers').where('id', '=', owner.id).execute()
  }
}
