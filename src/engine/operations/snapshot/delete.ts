import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import { childrenOf, getLayer, type Layer, type LayerVolume, layersOf, lineOf } from '../../../model/layer.ts'
import type { Level } from '../../../model/storlink.ts'
import type { Vm } from '../../../model/vm.ts'
import type { BlockJobOptions } from '../../hypervisor/blockJobs.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'
import type { Image } from '../../volumes/volumeDriver.ts'
import { layersStep, locksOfLayers, refuseLayers, removeVolumeStep, volumeLevel } from '../disk/layers.ts'
import { livingDomain } from '../vm/domain.ts'
import { splitSecret, type VmSecrets } from '../vm/secrets.ts'
import { vmOperation } from '../vm/target.ts'
import { needSnapshot, type SnapshotParams, snapshotParams } from './target.ts'

/**
 * A snapshot's layer is collapsed by streaming what it holds into the overlays on it, each of which reads as before at every
 * moment, keeps its place and its name, and needs no change of any configuration. So nothing is lost wherever this is
 * cut short, and doing it again goes on. Only then is the layer forgotten, and only then are its volumes removed.
 */
type LayerStream = {
  readonly vdev: string
  readonly path: string
  readonly level: Level
  /** The current backing file: the volume of the layer that goes. */
  readonly backing: string
  /** The new backing file, or none. */
  readonly base: { readonly path: string; readonly format: Image['format'] } | null
  /** In the backing chain of one of the VM's own disks, so a running QEMU has it open. */
  readonly inUse: boolean
}

type Collapse = {
  readonly layer: string
  readonly streams: readonly LayerStream[]
  readonly removes: readonly { readonly vdev: string; readonly path: string; readonly level: Level }[]
}

type Facts = {
  readonly vm: Vm & Json
  readonly secrets: VmSecrets
  readonly uuid: string
  readonly name: string
  readonly collapses: readonly Collapse[]
}

/** The row without the name, and without the layers that are collapsed. */
function without(vm: Vm, uuid: string, collapsed: readonly string[]): Vm {
  let row: Vm = {
    ...vm,
    layers: layersOf(vm).map((layer) => (layer.uuid === uuid ? { ...layer, name: undefined } : layer)),
  }
  for (const gone of collapsed) row = withoutLayer(row, gone)
  return { ...row, layers: layersOf(row).length === 0 ? undefined : row.layers }
}

function withoutLayer(vm: Vm, gone: string): Vm {
  const layer = getLayer(vm, gone)
  if (!layer) return vm
  const { parent } = layer
  const baseOf = (disk: string) => layer.volumes.find((volume) => volume.disk === disk)?.base
  const layers = layersOf(vm)
    .filter((one) => one.uuid !== gone)
    .map((one) => {
      if (one.parent !== gone) return one
      return { ...one, parent, volumes: one.volumes.map((its) => ({ ...its, base: its.base ?? baseOf(its.disk) })) }
    })
  if (vm.layer !== gone) return { ...vm, layers }
  return {
    ...vm,
    layers,
    layer: parent,
    disks: vm.disks.map((disk) => ({ ...disk, base: disk.base ?? baseOf(disk.uuid) })),
  }
}

/** The layers that go when that name goes: itself, and below it what only it had kept from being collapsed. */
function collapsedWith(vm: Vm, uuid: string): Layer[] {
  const gone: Layer[] = []
  let row = without(vm, uuid, [])
  for (let layer = getLayer(row, uuid); layer && layer.name === undefined; ) {
    const { layers, current } = childrenOf(row, layer.uuid)
    if (layers.length + (current ? 1 : 0) > 1) break
    gone.push(layer)
    row = withoutLayer(row, layer.uuid)
    layer = getLayer(row, layer.parent)
  }
  return gone
}

async function gatherCollapse(row: Vm, layer: Layer, cx: Context): Promise<Collapse> {
  const { layers, current } = childrenOf(row, layer.uuid)
  const child = layers[0]
  const used = new Set(lineOf(row, row.layer).map((one) => one.uuid))
  const streams: LayerStream[] = []
  for (const volume of layer.volumes) {
    const above = current
      ? row.disks.find((disk) => disk.uuid === volume.disk)
      : child?.volumes.find((one) => one.disk === volume.disk)
    if (!above) continue
    const stream = await gatherStream(row, above, volume, cx)
    streams.push({ ...stream, inUse: current || (child !== undefined && used.has(child.uuid)) })
  }
  const removes = layer.volumes
    .filter((volume) => volume.owned)
    .map((volume) => ({ vdev: volume.vdev, path: volume.path, level: volumeLevel(volume, cx.view) }))
  return { layer: layer.uuid, streams, removes }
}

/** The headers have the last word on what lies on what. */
async function gatherStream(
  row: Vm,
  above: { readonly vdev: string; readonly path: string; readonly storlink?: number },
  volume: LayerVolume,
  cx: Context,
): Promise<Omit<LayerStream, 'inUse'>> {
  const host = cx.host(row.pm)
  const level = volumeLevel(above, cx.view)
  const below = await cx.volumes(volumeLevel(volume, cx.view)).chain(host, volume)
  const next = below[1]
  const base = next === undefined ? null : { path: next.path, format: next.format }
  const chain = await cx.volumes(level).chain(host, { path: above.path, format: 'qcow2' })
  const lies = chain[0]!.backing
  if (lies !== volume.path && lies !== base?.path) {
    throw new PengxError(
      'refused',
      `${above.vdev} of ${row.name}: ${above.path} lies on ${lies ?? 'nothing'}, as its header tells, and not on ${volume.path}, as is written down: nothing is merged`,
    )
  }
  return { vdev: above.vdev, path: above.path, level, backing: volume.path, base }
}

/** At most 20 characters, and the same at each attempt of this step. */
function blockJobOptions(cx: Context): BlockJobOptions {
  const name = `merge-${cx.jobId.slice(0, 8)}`
  return { name, clock: cx.clock, signal: cx.signal, onProgress: (done) => cx.progress(done) }
}

function streamStep({ path, level, base, inUse, vdev }: LayerStream, vm: Pick<Vm, 'uuid' | 'pm'>, of: string): Step {
  const onto = base === null ? 'nothing' : base.path
  return {
    name: `merge ${vdev} of ${of}`,
    weight: 10,
    lasting: true,
    shows: [
      inUse ? `QMP block-stream ${path} down to ${onto}, or qemu-img rebase -b` : `qemu-img rebase -b ${onto} ${path}`,
    ],
    async do(cx) {
      const host = cx.host(vm.pm)
      const driver = cx.volumes(level)
      const say = (done: number) => cx.progress(done)
      const domain = inUse ? await livingDomain(cx, vm) : undefined
      if (domain) {
        if ((await driver.chain(host, { path, format: 'qcow2' }))[0]?.backing === base?.path) return null
        await cx.hypervisor.streamLayer(
          host,
          domain.domid,
          { path, ...(base ? { base: base.path } : {}) },
          blockJobOptions(cx),
        )
      } else await driver.rebase(host, path, base ?? undefined, cx.tag, say, cx.signal)
      await needStreamed(cx, vm.pm, { path, level, base })
      return null
    },
    /** What has been copied stays: it reads the same. What is still copying ends. */
    async undo(cx) {
      const domain = (await cx.look(vm.pm)).find((one) => one.uuid === vm.uuid)
      if (domain && inUse) await cx.hypervisor.cancelJobs(cx.host(vm.pm), domain.domid, blockJobOptions(cx))
    },
  }
}

async function needStreamed(
  cx: Context,
  pm: string,
  { path, level, base }: Pick<LayerStream, 'path' | 'level' | 'base'>,
): Promise<void> {
  const chain = await cx.volumes(level).chain(cx.host(pm), { path, format: 'qcow2' })
  if (chain[0]!.backing === base?.path) return
  throw new PengxError('commandFailed', `${path} still lies on ${chain[0]!.backing}: nothing is removed`)
}

function refuse({ vm, snapshot }: SnapshotParams, view: View): string | undefined {
  const row = view.needVm(vm)
  needSnapshot(row, snapshot)
  return refuseLayers(row, view)
}

async function gather({ vm, snapshot: named }: SnapshotParams, cx: Context): Promise<Facts> {
  const row = cx.view.needVm(vm)
  const snapshot = needSnapshot(row, named)
  const domain = await livingDomain(cx, row)
  const collapses: Collapse[] = []
  let rest = without(row, snapshot.uuid, [])
  for (const layer of collapsedWith(row, snapshot.uuid)) {
    collapses.push(await gatherCollapse(rest, layer, cx))
    rest = withoutLayer(rest, layer.uuid)
  }
  if (domain && collapses.some((collapse) => collapse.streams.some((stream) => stream.inUse))) {
    const images = await cx.hypervisor.writtenImages(cx.host(row.pm), domain.domid)
    const astray = row.disks.find((disk) => !disk.readOnly && images.get(disk.vdev) !== disk.path)
    if (astray) {
      const where = images.get(astray.vdev) ?? 'nothing that goes through QEMU'
      throw new PengxError(
        'refused',
        `${astray.vdev} is written to ${where}, and not to ${astray.path}: nothing is merged`,
      )
    }
  }
  if (collapses.length === 0) cx.notice('more than one layer lies on it: it stays, unlisted, until one is left')
  return { ...splitSecret(row), uuid: snapshot.uuid, name: snapshot.name, collapses }
}

export const snapshotDelete = vmOperation<SnapshotParams, Facts>({
  name: 'snapshot.delete',
  title: 'delete a snapshot of',
  help: 'Takes the name away and merges what the snapshot held into what lies on it; no other changes by a byte.',
  danger: 'destroys',
  params: snapshotParams,
  locks: ({ vm }, view) => locksOfLayers(vm, undefined, view),
  refuse,
  gather,
  plan(_params, { vm, uuid, name, collapses }) {
    const ofLayer = (index: number) => (index === 0 ? name : `the layer ${index} below`)
    const collapsed = collapses.map((collapse) => collapse.layer)
    return [
      ...collapses.flatMap((collapse, index) =>
        collapse.streams.map((stream) => streamStep(stream, vm, ofLayer(index))),
      ),
      layersStep(`forget ${name}`, vm as Vm, (row) => without(row, uuid, collapsed), true),
      ...collapses.flatMap((collapse, index) =>
        collapse.removes.map((volume) => removeVolumeStep(volume, vm.pm, ofLayer(index))),
      ),
    ]
  },
  effects: (_params, { collapses, vm }) => ({
    frees: collapses.flatMap((collapse) => collapse.removes.map(({ vdev, path }) => `${vdev} ${path}`)),
    keeps: (vm as Vm).disks.map((disk) => `${disk.vdev} ${disk.path}`),
  }),
})
