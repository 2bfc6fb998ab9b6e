import type { Disk, DiskFormat } from './disk.ts'

/** `LIVE`: the VM ran when its disks were frozen; `OFFLINE`: it did not. */
export type SnapshotType = 'LIVE' | 'OFFLINE'

/** What one disk of a VM held when its layer was frozen; nobody writes to it any more. */
export interface LayerVolume {
  readonly uuid: string
  /** The disk (its UUID) whose bytes these are. */
  readonly disk: string
  readonly vdev: string
  readonly format: DiskFormat
  readonly sizeMib?: number
  readonly path: string
  readonly storlink?: number
  /** The template's disk (its UUID) that it lies on. */
  readonly base?: string
  /** Made by pengx, so it goes with the layer; another's file is kept. */
  readonly owned: boolean
}

/**
 * A frozen layer of a VM's disks: an immutable point in time. The VM's disks themselves are its current layer, the only
 * one that is ever written; `Vm.layer` is what that lies on.
 */
export interface Layer {
  readonly uuid: string
  /** Counts up within its VM and is larger than its parent's, whatever is merged: so no layer can lie on itself. */
  readonly number: number
  /** The layer below; absent: it lies on none. */
  readonly parent?: string
  /** The snapshot's name; absent: nobody lists it, and it is there because others lie on it. */
  readonly name?: string
  readonly note: string
  readonly type: SnapshotType
  readonly createdAt: number
  readonly volumes: readonly LayerVolume[]
}

/** A layer with a name. */
export type Snapshot = Layer & { readonly name: string }

/** A guest's reads pass through every layer, and each costs: more than this is refused unless it is insisted on. */
export const MAX_DEPTH = 32
export const DEEP = 16

/** What of a VM tells of its layers. */
interface Layered {
  readonly layer?: string
  readonly layers?: readonly Layer[]
}

export function layersOf(vm: Layered): readonly Layer[] {
  return vm.layers ?? []
}

export function getLayer(vm: Layered, uuid: string | undefined): Layer | undefined {
  return uuid === undefined ? undefined : layersOf(vm).find((layer) => layer.uuid === uuid)
}

/** Oldest first. */
export function snapshotsOf(vm: Layered): readonly Snapshot[] {
  return layersOf(vm).filter((layer): layer is Snapshot => layer.name !== undefined)
}

/** From a layer down to the one that lies on none. */
export function lineOf(vm: Layered, from: string | undefined): readonly Layer[] {
  const line: Layer[] = []
  for (let layer = getLayer(vm, from); layer; layer = getLayer(vm, layer.parent)) line.push(layer)
  return line
}

/** How many layers the VM's disks lie on. */
export function depthOf(vm: Layered): number {
  return lineOf(vm, vm.layer).length
}

/** What lies on a layer: frozen ones, and whether the VM's own disks do. */
export function childrenOf(
  vm: Layered,
  uuid: string,
): { readonly layers: readonly Layer[]; readonly current: boolean } {
  return { layers: layersOf(vm).filter((layer) => layer.parent === uuid), current: vm.layer === uuid }
}

/** The nearest listed snapshot below a layer. */
export function snapshotBelow(vm: Layered, layer: Pick<Layer, 'parent'>): Snapshot | undefined {
  return lineOf(vm, layer.parent).find((one): one is Snapshot => one.name !== undefined)
}

/** Every volume of a VM, written to or frozen. */
export function volumesOf(vm: Layered & { readonly disks: readonly Disk[] }): readonly (Disk | LayerVolume)[] {
  return [...vm.disks, ...layersOf(vm).flatMap((layer) => layer.volumes)]
}

/** A volume of a disk, and the one that it lies on as is written down; absent: on none of the VM's. */
export interface Stacked {
  readonly volume: Disk | LayerVolume
  readonly below?: LayerVolume
}

/** Every volume of one disk (its UUID): the one that is written to first, the frozen ones newest first. */
export function stackOf(vm: Layered & { readonly disks: readonly Disk[] }, disk: string): readonly Stacked[] {
  const volumeIn = (layer: Layer) => layer.volumes.find((volume) => volume.disk === disk)
  const stacked = (volume: Disk | LayerVolume | undefined, from: string | undefined): Stacked[] => {
    if (!volume) return []
    // A layer between may have been frozen without the disk.
    const below = lineOf(vm, from).map(volumeIn).find(Boolean)
    return [{ volume, ...(below ? { below } : {}) }]
  }
  const own = vm.disks.find((one) => one.uuid === disk)
  const layers = layersOf(vm).toSorted((a, b) => b.number - a.number)
  return [stacked(own, vm.layer), ...layers.map((layer) => stacked(volumeIn(layer), layer.parent))].flat()
}
