import type { Layer } from '../../../model/layer.ts'
import { fromHeldJobRow, heldJobColumns } from '../jobs/decoding.ts'
import { fromBackupRow, fromScheduleRow } from '../rows/backup.ts'
import { fromLayerRow } from '../rows/layer.ts'
import { fromPmRow, fromStorlinkRow } from '../rows/site.ts'
import { fromTemplateRow } from '../rows/template.ts'
import { fromVmRow } from '../rows/vm.ts'
import type { Database, Sql } from '../sqlite/database.ts'
import type { LayerRow, LayerVolumeRow } from '../sqlite/schema.ts'
import { JOBS_HELD, type Memory } from './liveView.ts'

/**
 * How the view is kept equal to the database. Every transaction takes a revision and stamps the rows that it writes;
 * what it deletes leaves a tombstone. Reading what is newer than the newest revision seen is therefore enough, and own
 * writes that come back that way are recognised by their revision.
 */
export interface Changes {
  /** Reads everything; for the opening. */
  load(): Promise<void>
  /** Reads what others have written since the last time, if they have. */
  refresh(): Promise<void>
  /** An own transaction is in the view already; nothing has to be read again for it. */
  own(revision: number): void
  /** Nobody else has written between what was read last and this revision. */
  isNext(revision: number): boolean
}

export function createChanges(database: Database, memory: () => Memory): Changes {
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
    await readPms(sql, memory(), since)
    await readStorlinks(sql, memory(), since)
    await readTemplates(sql, memory(), since)
    await readVms(sql, memory(), since)
    await readBackups(sql, memory(), since)
    await readSchedules(sql, memory(), since)
    await readJobs(sql, memory(), since)
    await readSettings(sql, memory(), since)
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

const KINDS = ['pm', 'vm', 'storlink', 'template', 'backup', 'schedule', 'job'] as const

/** Without tombstones (they are kept for a day) what is gone shows only by its absence. */
async function dropAbsent(sql: Sql, memory: Memory, revision: number): Promise<void> {
  if (KINDS.every((kind) => memory.ids(kind).length === 0)) return
  const there = {
    pm: new Set((await sql.selectFrom('pms').select('uuid').execute()).map((row) => row.uuid)),
    vm: new Set((await sql.selectFrom('vms').select('uuid').execute()).map((row) => row.uuid)),
    storlink: new Set((await sql.selectFrom('storlinks').select('id').execute()).map((row) => String(row.id))),
    template: new Set((await sql.selectFrom('templates').select('uuid').execute()).map((row) => row.uuid)),
    backup: new Set((await sql.selectFrom('backups').select('uuid').execute()).map((row) => row.uuid)),
    schedule: new Set((await sql.selectFrom('schedules').select('uuid').execute()).map((row) => row.uuid)),
    job: new Set((await sql.selectFrom('jobs').select('id').execute()).map((row) => row.id)),
  }
  for (const kind of KINDS) {
    for (const id of memory.ids(kind)) if (!there[kind].has(id)) memory.drop(kind, id, revision)
  }
}

async function readPms(sql: Sql, memory: Memory, since: number): Promise<void> {
  for (const row of await sql.selectFrom('pms').selectAll().where('rev', '>', since).execute()) {
    if (memory.revOf('pm', row.uuid) < row.rev) memory.putPm(fromPmRow(row), row.rev)
  }
}

async function readStorlinks(sql: Sql, memory: Memory, since: number): Promise<void> {
  for (const row of await sql.selectFrom('storlinks').selectAll().where('rev', '>', since).execute()) {
    if (memory.revOf('storlink', String(row.id)) < row.rev) memory.putStorlink(fromStorlinkRow(row), row.rev)
  }
}

async function readTemplates(sql: Sql, memory: Memory, since: number): Promise<void> {
  const rows = await sql.selectFrom('templates').selectAll().where('rev', '>', since).execute()
  if (rows.length === 0) return
  const changed = sql.selectFrom('templates').select('uuid').where('rev', '>', since)
  const disks = await sql
    .selectFrom('templateDisks')
    .selectAll()
    .where('template', 'in', changed)
    .orderBy('position')
    .execute()
  for (const row of rows) {
    if (memory.revOf('template', row.uuid) >= row.rev) continue
    const own = disks.filter((disk) => disk.template === row.uuid)
    memory.putTemplate(fromTemplateRow(row, own), row.rev)
  }
}

async function readVms(sql: Sql, memory: Memory, since: number): Promise<void> {
  const rows = await sql.selectFrom('vms').selectAll().where('rev', '>', since).execute()
  if (rows.length === 0) return
  const changed = sql.selectFrom('vms').select('uuid').where('rev', '>', since)
  // Everything at the opening: then it is cheaper without asking which VM is among them.
  let diskQuery = sql.selectFrom('disks').selectAll()
  let nicQuery = sql.selectFrom('nics').selectAll()
  let layerQuery = sql.selectFrom('layers').selectAll()
  let volumeQuery = sql.selectFrom('layerVolumes').selectAll()
  if (since > 0) {
    diskQuery = diskQuery.where('vm', 'in', changed)
    nicQuery = nicQuery.where('vm', 'in', changed)
    layerQuery = layerQuery.where('vm', 'in', changed)
    volumeQuery = volumeQuery.where('layer', 'in', sql.selectFrom('layers').select('uuid').where('vm', 'in', changed))
  }
  const disks = groupBy(await diskQuery.orderBy('position').execute(), (row) => row.vm)
  const nics = groupBy(await nicQuery.orderBy('position').execute(), (row) => row.vm)
  const layers = readLayers(
    await layerQuery.orderBy('number').execute(),
    await volumeQuery.orderBy('position').execute(),
  )
  for (const row of rows) {
    if (memory.revOf('vm', row.uuid) >= row.rev) continue
    const parts = {
      disks: disks.get(row.uuid) ?? [],
      nics: nics.get(row.uuid) ?? [],
      layers: layers.get(row.uuid) ?? [],
    }
    memory.putVm(fromVmRow(row, parts), row.rev)
  }
}

/** By VM. */
function readLayers(rows: readonly LayerRow[], volumes: readonly LayerVolumeRow[]): Map<string, Layer[]> {
  const volumesOf = groupBy(volumes, (row) => row.layer)
  const layersOf = new Map<string, Layer[]>()
  for (const [vm, own] of groupBy(rows, (row) => row.vm)) {
    layersOf.set(
      vm,
      own.map((row) => fromLayerRow(row, volumesOf.get(row.uuid) ?? [])),
    )
  }
  return layersOf
}

function groupBy<T>(rows: readonly T[], keyOf: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const row of rows) {
    const group = groups.get(keyOf(row))
    if (group) group.push(row)
    else groups.set(keyOf(row), [row])
  }
  return groups
}

async function readBackups(sql: Sql, memory: Memory, since: number): Promise<void> {
  const rows = await sql.selectFrom('backups').selectAll().where('rev', '>', since).execute()
  if (rows.length === 0) return
  const changed = sql.selectFrom('backups').select('uuid').where('rev', '>', since)
  const volumes = groupBy(
    await sql.selectFrom('backupVolumes').selectAll().where('backup', 'in', changed).orderBy('position').execute(),
    (row) => row.backup,
  )
  for (const row of rows) {
    if (memory.revOf('backup', row.uuid) < row.rev)
      memory.putBackup(fromBackupRow(row, volumes.get(row.uuid) ?? []), row.rev)
  }
}

async function readSchedules(sql: Sql, memory: Memory, since: number): Promise<void> {
  for (const row of await sql.selectFrom('schedules').selectAll().where('rev', '>', since).execute()) {
    if (memory.revOf('schedule', row.uuid) < row.rev) memory.putSchedule(fromScheduleRow(row), row.rev)
  }
}

async function readJobs(sql: Sql, memory: Memory, since: number): Promise<void> {
  const newest = await sql
    .selectFrom('jobs')
    .select(heldJobColumns)
    .where('rev', '>', since)
    .orderBy('number', 'desc')
    .limit(JOBS_HELD)
    .execute()
  const unfinished = await sql
    .selectFrom('jobs')
    .select(heldJobColumns)
    .where('rev', '>', since)
    .where('state', 'in', ['queued', 'running', 'undoing', 'stuck'])
    .execute()
  for (const row of [...unfinished, ...newest]) {
    if (memory.revOf('job', row.id) < row.rev) memory.putJob(fromHeldJobRow(row), row.rev)
  }
}

async function readSettings(sql: Sql, memory: Memory, since: number): Promise<void> {
  for (const row of await sql.selectFrom('settings').selectAll().where('rev', '>', since).execute()) {
    if (memory.revOf('setting', row.key) < row.rev) memory.putSetting(row.key, row.value, row.rev)
  }
}
