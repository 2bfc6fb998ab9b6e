import type { DiskFormat } from '../../../model/disk.ts'
import { getLayer, type Layer, type LayerVolume, layersOf, type SnapshotType } from '../../../model/layer.ts'
import type { Vm } from '../../../model/vm.ts'
import type { LayerRow, LayerVolumeRow } from '../sqlite/schema.ts'

/** A row a layer; the number of its parent stands beside it, for the constraint that no layer lies on itself. */
export function toLayerRows(vm: Vm): LayerRow[] {
  return layersOf(vm).map((layer) => ({
    uuid: layer.uuid,
    vm: vm.uuid,
    number: layer.number,
    parent: layer.parent ?? null,
    parentNumber: getLayer(vm, layer.parent)?.number ?? null,
    name: layer.name ?? null,
    note: layer.note,
    type: layer.type,
    createdAt: layer.createdAt,
  }))
}

/** A row a volume of a layer; sizes in whole MiB. */
export function toLayerVolumeRows(vm: Vm): LayerVolumeRow[] {
  return layersOf(vm).flatMap((layer) =>
    layer.volumes.map((volume, position) => ({
      uuid: volume.uuid,
      layer: layer.uuid,
      position,
      disk: volume.disk,
      vdev: volume.vdev,
      format: volume.format,
      sizeMib: volume.sizeMib === undefined ? null : Math.round(volume.sizeMib),
      path: volume.path,
      storlink: volume.storlink ?? null,
      base: volume.base ?? null,
      owned: volume.owned ? 1 : 0,
    })),
  )
}

/** A layer with its volumes in their order. */
export function fromLayerRow(row: LayerRow, volumes: readonly LayerVolumeRow[]): Layer {
  return {
    uuid: row.uuid,
    number: row.number,
    parent: row.parent ?? undefined,
    name: row.name ?? undefined,
    note: row.note,
    type: row.type as SnapshotType,
    createdAt: row.createdAt,
    volumes: volumes.map(fromLayerVolumeRow),
  }
}

function fromLayerVolumeRow(row: LayerVolumeRow): LayerVolume {
  return {
    uuid: row.uuid,
    disk: row.disk,
    vdev: row.vdev,
    format: row.format as DiskFormat,
    sizeMib: row.sizeMib ?? undefined,
    path: row.path,
    storlink: row.storlink ?? undefined,
    base: row.base ?? undefined,
    owned: row.owned === 1,
  }
}
