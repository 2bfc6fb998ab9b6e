import type { z } from 'zod'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Level } from '../../../model/storlink.ts'
import type { Vm } from '../../../model/vm.ts'
import type { View } from '../../store/view.ts'
import { layersStep, locksOfLayers, refuseLayers, removeVolumeStep, volumeLevel } from '../disk/layers.ts'
import { livingDomain } from '../vm/domain.ts'
import { splitSecret, type VmSecrets } from '../vm/secrets.ts'
import { vmOperation } from '../vm/target.ts'
import { changing } from '../volume/asked.ts'
import { forceField } from '../volume/force.ts'
import { needSoleUse } from '../volume/users.ts'
import { collapsedWith, without } from './collapse.ts'
import { closeStep, gatherMerges, type Merge, mergeStep, wordsFor } from './merge.ts'
import { needSnapshot, snapshotParams } from './target.ts'

/**
 * What the layers that go hold is merged into what lies on them. Only then are they forgotten, in one write, and only then
 * are their volumes removed.
 */
const params = snapshotParams.extend({ force: forceField })
type Params = z.infer<typeof params>
type Facts = {
  readonly vm: Vm & Json
  readonly secrets: VmSecrets
  readonly uuid: string
  readonly name: string
  readonly merges: readonly Merge[]
  /** From above. */
  readonly collapsed: readonly string[]
  /** What a running QEMU has open of what goes; a job that an earlier version began does not say. */
  readonly closes?: readonly string[]
  readonly removes: readonly {
    readonly vdev: string
    readonly path: string
    readonly level: Level
    readonly of: string
  }[]
}

function refuse({ vm, snapshot }: Params, view: View): string | undefined {
  const row = view.needVm(vm)
  needSnapshot(row, snapshot)
  return refuseLayers(row, view)
}

export const snapshotDelete = vmOperation<Params, Facts>({
  name: 'snapshot.delete',
  title: 'delete a snapshot of',
  help: 'Takes the name away and merges what the snapshot held into what lies on it; no other changes by a byte.',
  danger: 'destroys',
  params,
  locks: ({ vm }, view) => locksOfLayers(vm, undefined, view),
  refuse,
  async gather({ vm, snapshot: named, force }, cx) {
    const row = cx.view.needVm(vm)
    const { uuid, name } = needSnapshot(row, named)
    const domain = await livingDomain(cx, row)
    const gone = collapsedWith(row, uuid)
    const written = [...row.disks.filter((disk) => !disk.readOnly), ...gone.flatMap((layer) => layer.volumes)]
    if (gone.length > 0) await needSoleUse(cx, row, changing(written), { use: 'remove', force })
    const merges = await gatherMerges(row, gone, name, cx)
    const isOpen = domain !== undefined && merges.some((merge) => merge.inUse)
    if (isOpen) {
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
    if (gone.length === 0) cx.notice('more than one layer lies on it: it stays, unlisted, until one is left')
    const removes = gone.flatMap((layer, index) =>
      layer.volumes
        .filter((volume) => volume.owned)
        .map((volume) => ({
          ...{ vdev: volume.vdev, path: volume.path, level: volumeLevel(volume, cx.view) },
          of: wordsFor(name, [index]),
        })),
    )
    const closes = isOpen ? gone.flatMap(({ volumes }) => volumes.map(({ path }) => path)) : []
    return { ...splitSecret(row), uuid, name, merges, collapsed: gone.map((layer) => layer.uuid), closes, removes }
  },
  plan(_params, { vm, uuid, name, merges, collapsed, closes = [], removes }) {
    const bases = Object.fromEntries(merges.flatMap(({ path, template }) => (template ? [[path, template]] : [])))
    return [
      ...merges.map((merge) => mergeStep(merge, vm)),
      layersStep(`forget ${name}`, vm as Vm, (row) => without(row, uuid, collapsed, bases), true),
      ...(closes.length > 0 ? [closeStep(closes, vm)] : []),
      ...removes.map((volume) => removeVolumeStep(volume, vm, volume.of)),
    ]
  },
  effects: (_params, { removes, vm }) => ({
    frees: removes.map(({ vdev, path }) => `${vdev} ${path}`),
    keeps: (vm as Vm).disks.map((disk) => `${disk.vdev} ${disk.path}`),
  }),
})
