import type { Layer } from '../../../model/layer.ts'
import { nounId } from '../../../model/noun.ts'
import type { Vm } from '../../../model/vm.ts'
import { chunks } from '../sqlite/counters.ts'
import type { Sql } from '../sqlite/database.ts'
import type { LayerRow, LayerVolumeRow } from '../sqlite/schema.ts'
import type { WritableKind } from './kind.ts'
import { fromLayerRow, toLayerRows, toLayerVolumeRows } from './layer.ts'
import { numberNics } from './nicNumbers.ts'
import { byName } from './order.ts'
import { dropSamples } from './samples.ts'
import { checkVms } from './vmChecks.ts'
import { fromVmRow, isManaged, toDiskRows, toNicRows, toVmRow } from './vmRows.ts'

/** A VM with its disks, NICs and layers. */
export const vmKind: WritableKind<Vm> = {
  table: 'vms',
  key: 'uuid',
  idOf: nounId,
  compare: byName((vm) => vm.uuid),

  async load(sql, since, isNews) {
    const rows = await sql.selectFrom('vms').selectAll().where('rev', '>', since).execute()
    if (rows.length === 0) return []
    const { disks, nics, layers } = await loadParts(sql, since)
    return rows
      .filter((row) => isNews(row.uuid, row.rev))
      .map((row) => {
        const parts = {
          disks: disks.get(row.uuid) ?? [],
          nics: nics.get(row.uuid) ?? [],
          layers: layers.get(row.uuid) ?? [],
        }
        return { value: fromVmRow(row, parts), rev: row.rev }
      })
  },

  toRow: toVmRow,
  checkPut: checkVms,
  complete: numberNics,

  async putParts(sql, vms) {
    for (const some of chunks(vms.map((vm) => vm.uuid))) {
      await sql.deleteFrom('disks').where('vm', 'in', some).execute()
      await sql.deleteFrom('nics').where('vm', 'in', some).execute()
      await sql.deleteFrom('layers').where('vm', 'in', some).execute()
    }
    for (const rows of chunks(vms.flatMap(toDiskRows))) await sql.insertInto('disks').values(rows).execute()
    for (const rows of chunks(vms.flatMap(toNicRows))) await sql.insertInto('nics').values(rows).execute()
    for (const rows of chunks(vms.flatMap(toLayerRows))) await sql.insertInto('layers').values(rows).execute()
    for (const rows of chunks(vms.flatMap(toLayerVolumeRows)))
      await sql.insertInto('layerVolumes').values(rows).execute()
  },

  isFound: (vm) => !isManaged(vm),
  dropParts: dropSamples,
}

async function loadParts(sql: Sql, since: number) {
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
  return {
    disks: Map.groupBy(await diskQuery.orderBy('position').execute(), (row) => row.vm),
    nics: Map.groupBy(await nicQuery.orderBy('position').execute(), (row) => row.vm),
    layers: layersByVm(await layerQuery.orderBy('number').execute(), await volumeQuery.orderBy('position').execute()),
  }
}

function layersByVm(rows: readonly LayerRow[], volumes: readonly LayerVolumeRow[]): Map<string, Layer[]> {
  const volumesOf = Map.groupBy(volumes, (row) => row.layer)
  const layersOf = new Map<string, Layer[]>()
  for (const [vm, own] of Map.groupBy(rows, (row) => row.vm)) {
    layersOf.set(
      vm,
      own.map((row) => fromLayerRow(row, volumesOf.get(row.uuid) ?? [])),
    )
  }
  return layersOf
}
