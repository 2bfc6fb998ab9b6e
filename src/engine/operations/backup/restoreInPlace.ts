import { newUuid } from '../../../lib/ids.ts'
import type { Backup, BackupVolume } from '../../../model/backup.ts'
import type { Disk } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import { childrenOf, getLayer, type Layer, type LayerVolume, layersOf } from '../../../model/layer.ts'
import type { Level } from '../../../model/storlink.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import { frozenVolumes, nextLayerNumber, removeVolumeStep, volumeLevel } from '../disk/layers.ts'
import { isReached } from '../storlink/access.ts'
import { type Change, type ChangeFacts, configStep, gatherChange, recordStep } from '../vm/change.ts'
import { needOneConfig } from '../vm/configNow.ts'
import { needNoDomain } from '../vm/domain.ts'
import { whileOff } from '../vm/domainSteps.ts'
import { changing, usedBy } from '../volume/asked.ts'
import { diskOn } from '../volume/copies.ts'
import { needSoleUse } from '../volume/users.ts'
import { locateRestored, needRoomFor, type Restored, type RestoreFacts, restoreSteps } from './restoreSteps.ts'
import { locationOf, nameOf } from './target.ts'

/**
 * A backup onto its VM: the disks get new volumes, and when those have been read back the VM goes over to them in one
 * write. What it held is kept as a snapshot of its own, or goes last.
 */
type Removal = { readonly vdev: string; readonly path: string; readonly level: Level }

export type InPlaceFacts = ChangeFacts &
  RestoreFacts & {
    readonly kind: 'inPlace'
    readonly kept: string
    readonly at: number
    /** Of the volumes that are kept, by disk. */
    readonly ids: Readonly<Record<string, string>>
    readonly doomed: readonly Removal[]
    /** Layers that nobody lists and nothing lies on any more. */
    readonly abandoned: readonly string[]
  }

interface InPlaceOptions {
  readonly keep: boolean
  /** What comes back of the backup. */
  readonly volumes: readonly BackupVolume[]
  readonly force?: boolean | undefined
  readonly storlink?: number | undefined
}

export async function gatherInPlace(
  { keep, volumes: wanted, storlink, force }: InPlaceOptions,
  backup: Backup,
  cx: Context,
): Promise<InPlaceFacts> {
  await needNoDomain(cx, cx.view.needVm(backup.vm))
  const change = await gatherChange(backup.vm, cx)
  await needOneConfig(cx, change.base as Vm)
  const base = change.base as Vm
  await needSoleUse(cx, base, usedBy(base, cx.view), { use: 'write', force })
  const restored = wanted.map((volume) => {
    const own = base.disks.find((disk) => disk.uuid === volume.disk)
    const then = backup.spec.disks.find((disk) => disk.uuid === volume.disk)
    const id = storlink ?? own?.storlink ?? knownStorlink(then?.storlink, base.pm, cx)
    if (id === undefined) {
      const where = own ? `lies on no storlink (${own.path})` : 'is not among its disks any more'
      throw new PengxError('invalid', `storlink: ${volume.vdev} of ${base.name} ${where}: name one for it`)
    }
    return locateRestored(volume, id, cx)
  })
  await needRoomFor(restored, backup, base.pm, cx)
  const replaced = base.disks.filter((disk) => restored.some((one) => one.disk === disk.uuid))
  const stay = base.disks.filter((disk) => !disk.readOnly && !replaced.includes(disk))
  for (const disk of stay) cx.notice(staysText(disk, backup))
  const gone = keep ? [] : replaced.filter((disk) => disk.owned)
  const abandoned = keep ? [] : abandonedLayers(base)
  const volumes: (Disk | LayerVolume)[] = [...gone, ...abandoned.flatMap((layer) => layer.volumes)]
  await needSoleUse(cx, base, changing(volumes.filter((volume) => volume.owned)), { use: 'remove', force })
  return {
    ...change,
    kind: 'inPlace',
    backup: backup as Backup & Json,
    location: locationOf(backup, cx.view),
    pm: base.pm,
    restored,
    kept: newUuid(),
    at: cx.clock.now(),
    ids: Object.fromEntries(replaced.map((disk) => [disk.uuid, newUuid()])),
    doomed: volumes
      .filter((volume) => volume.owned)
      .map((volume) => ({ vdev: volume.vdev, path: volume.path, level: volumeLevel(volume, cx.view) })),
    abandoned: abandoned.map((layer) => layer.uuid),
  }
}

/** Of a disk that is not touched. */
function staysText({ uuid, vdev }: Disk, backup: Backup): string {
  return backup.volumes.some((volume) => volume.disk === uuid)
    ? `${vdev} stays as it is, and is of another moment than what is restored`
    : `${vdev} is not in the backup and stays as it is`
}

function knownStorlink(id: number | undefined, pm: string, cx: Context): number | undefined {
  const row = id === undefined ? undefined : cx.view.getStorlink(id)
  return row && isReached(row, pm) ? row.id : undefined
}

/** Below the VM's own disks, those that nobody lists and nothing else lies on, when these go. */
function abandonedLayers(vm: Vm): readonly Layer[] {
  const gone: Layer[] = []
  let layer = getLayer(vm, vm.layer)
  while (layer && layer.name === undefined) {
    const { layers } = childrenOf(vm, layer.uuid)
    if (layers.some((child) => !gone.includes(child))) break
    gone.push(layer)
    layer = getLayer(vm, layer.parent)
  }
  return gone
}

function changeOf({ keep }: Pick<InPlaceOptions, 'keep'>, facts: InPlaceFacts): Change {
  const { backup, restored, kept, at, ids, abandoned } = facts
  return (vm) => {
    if (vm.disks.some((disk) => restored.some((one) => one.path === disk.path))) return vm
    const frozen: Layer = {
      uuid: kept,
      number: nextLayerNumber(vm),
      ...(vm.layer === undefined ? {} : { parent: vm.layer }),
      name: `before restore of ${backup.name}`.slice(0, 100),
      note: '',
      type: 'OFFLINE',
      createdAt: at,
      volumes: frozenVolumes(vm.disks, ids),
    }
    const { layer: _left, ...rest } = vm
    const layers = layersOf(vm).filter((layer) => !abandoned.includes(layer.uuid))
    return { ...rest, disks: disksAfter(vm, facts), layers: keep ? [...layers, frozen] : layers }
  }
}

/** In the order of the VM's, those that it has no more behind them. */
function disksAfter(vm: Vm, { backup, restored, at }: InPlaceFacts): readonly Disk[] {
  const byDisk = new Map(restored.map((one): [string, Restored] => [one.disk, one]))
  const own = vm.disks.map((disk) => {
    const one = byDisk.get(disk.uuid)
    return one ? diskOn(disk, one) : disk
  })
  const back = restored
    .filter((one) => !vm.disks.some((disk) => disk.uuid === one.disk))
    .map((one) => {
      const then = backup.spec.disks.find((disk) => disk.uuid === one.disk)!
      return { ...diskOn(then, one), createdAt: at }
    })
  return [...own, ...back]
}

export function planInPlace(options: Pick<InPlaceOptions, 'keep'>, facts: InPlaceFacts): Step[] {
  const change = changeOf(options, facts)
  const { before, doomed, backup } = facts
  return [
    ...restoreSteps(facts, before),
    whileOff(configStep(facts, change), before),
    whileOff(recordStep(facts, change, { name: `go over to ${nameOf(backup)}`, pivot: true }), before),
    ...doomed.map((volume) => removeVolumeStep(volume, before, 'what it held')),
  ]
}
