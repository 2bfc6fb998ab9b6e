import { childrenOf, getLayer, type Layer, layersOf } from '../../../model/layer.ts'
import type { Vm } from '../../../model/vm.ts'

/** Which layers go with a snapshot's name, and what is written down when they are gone. */

/**
 * The layers that go when that name goes, from above: itself, and below it what only it had kept from being collapsed.
 * None where more than one lies on it.
 */
export function collapsedWith(vm: Vm, uuid: string): Layer[] {
  const gone: Layer[] = []
  let row = withoutName(vm, uuid)
  for (let layer = getLayer(row, uuid); layer && layer.name === undefined; ) {
    const { layers, current } = childrenOf(row, layer.uuid)
    if (layers.length + (current ? 1 : 0) > 1) break
    gone.push(layer)
    row = withoutLayer(row, layer.uuid)
    layer = getLayer(row, layer.parent)
  }
  return gone
}

/**
 * The row without the name, and without the layers that are collapsed. `bases` are the templates' disks that volumes
 * come to lie on by that, by the volume's path.
 */
export function without(
  vm: Vm,
  uuid: string,
  collapsed: readonly string[],
  bases: Readonly<Record<string, string>>,
): Vm {
  let row = withoutName(vm, uuid)
  for (const gone of collapsed) row = withoutLayer(row, gone)
  const based = <V extends { readonly path: string; readonly base?: string }>(volume: V): V => {
    const base = volume.base ?? bases[volume.path]
    return base === undefined ? volume : { ...volume, base }
  }
  const layers = layersOf(row).map((layer) => ({ ...layer, volumes: layer.volumes.map(based) }))
  return { ...row, disks: row.disks.map(based), layers: layers.length === 0 ? undefined : layers }
}

function withoutName(vm: Vm, uuid: string): Vm {
  const layers = layersOf(vm).map((layer) => (layer.uuid === uuid ? { ...layer, name: undefined } : layer))
  return { ...vm, layers }
}

/** What lay on the layer lies on its parent. */
function withoutLayer(vm: Vm, gone: string): Vm {
  const layer = getLayer(vm, gone)
  if (!layer) return vm
  const { parent } = layer
  const layers = layersOf(vm)
    .filter((one) => one.uuid !== gone)
    .map((one) => (one.parent === gone ? { ...one, parent } : one))
  return { ...vm, layers, layer: vm.layer === gone ? parent : vm.layer }
}
