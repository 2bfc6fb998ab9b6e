import type { Kind } from '../rows/kind.ts'
import { idsIn } from '../rows/kindRows.ts'
import { KINDS, ROW_KINDS } from '../rows/kinds.ts'
import type { Database, Sql } from '../sqlite/database.ts'
import type { Revisions } from '../sqlite/revisions.ts'
import type { Memory } from './memory.ts'

/**
 * How the view is kept equal to the database. Every transaction takes a revision and stamps the rows that it writes;
 * what it deletes leaves a tombstone. Reading what is newer than the newest revision seen is therefore enough, and own
 * writes that come back that way are recognised by their revision.
 */
export interface ViewRefresh extends Revisions {
  /** Reads everything; for the opening. */
  load(): Promise<void>
  /** Reads what others have written since the last time, if they have. */
  refresh(): Promise<void>
}

/** Keeps `memory` equal to the database; memory is asked for late because it is made with these changes. */
export function createViewRefresh(database: Database, memory: () => Memory): ViewRefresh {
  let seen = 0
  let behind = false

  async function bringIn(sql: Sql): Promise<void> {
    const counters = await sql
      .selectFrom('counters')
      .selectAll()
      .where('name', 'in', ['revision', 'forgotten'])
      .execute()
    const counterOf = (name: string) => counters.find((counter) => counter.name === name)!.value
    const revision = counterOf('revision')
    if (revision === seen) return
    const since = counterOf('forgotten') > seen ? 0 : seen
    if (since === 0) await dropAbsent(sql, memory(), revision)
    else await dropBuried(sql, memory(), since)
    for (const kind of KINDS) await readKind(sql, memory(), kind, since)
    seen = revision
  }

  return {
    load: () => database.read(bringIn),
    async refresh() {
      behind = database.changedByOthers() || behind
      if (!behind) return
      await database.read(bringIn)
      behind = false
    },
    isNext: (revision) => revision === seen + 1,
    own(revision) {
      if (revision === seen + 1) seen = revision
    },
  }
}

async function dropBuried(sql: Sql, memory: Memory, since: number): Promise<void> {
  const buried = await sql.selectFrom('tombstones').selectAll().where('rev', '>', since).execute()
  for (const stone of buried) memory.drop(stone.kind, stone.id, stone.rev)
}

/** Without tombstones (they are kept for a day) what is gone shows only by its absence. */
async function dropAbsent(sql: Sql, memory: Memory, revision: number): Promise<void> {
  for (const kind of KINDS) {
    const held = memory.ids(kind)
    if (held.length === 0) continue
    const there = await idsIn(sql, ROW_KINDS[kind])
    for (const id of held) if (!there.has(id)) memory.drop(kind, id, revision)
  }
}

async function readKind<K extends Kind>(sql: Sql, memory: Memory, kind: K, since: number): Promise<void> {
  const { load, idOf } = ROW_KINDS[kind]
  const isNews = (id: string, rev: number) => memory.revOf(kind, id) < rev
  for (const { value, rev } of await load(sql, since, isNews)) {
    if (isNews(idOf(value), rev)) memory.put(kind, value, rev)
  }
}
