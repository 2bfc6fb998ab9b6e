import { newUuid } from '../../../lib/ids.ts'
import type { Disk } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import { type LayerVolume, layersOf } from '../../../model/layer.ts'
import { canonicalPath } from '../../../model/storage/volumePath.ts'
import type { Level } from '../../../model/storlink.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Context, Lock, Step } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'
import { type Image, VOLUME_BACKEND } from '../../volumes/volumeDriver.ts'
import { needRoom } from '../storlink/access.ts'
import { needLetGo } from '../storlink/asideVolume.ts'
import { isThere, madeVolume } from '../storlink/madeVolume.ts'
import { isSameRow } from '../vm/change.ts'
import { refuseManyConfigs } from '../vm/configNow.ts'
import { refuseDisks } from './target.ts'

/** The layers of a VM's disks: the overlays that they go on in, what those below hold, why nothing can be done to them. */

/** Why nothing can be done to a VM's layers, or undefined: its disks cannot be changed, or another VM has one too. */
export function refuseLayers(vm: Vm, view: View): string | undefined {
  const reason = refuseDisks(vm, view) ?? refuseManyConfigs(vm, view)
  if (reason) return reason
  const shared = view.vms().find((one) => one.uuid !== vm.uuid && one.disks.some((disk) => isDiskOf(vm, disk, one)))
  return shared ? `${shared.name} has one of its disks too: a layer of one would hide what the other writes` : undefined
}

function isDiskOf(vm: Vm, disk: Disk, other: Vm): boolean {
  return vm.disks.some(
    (own) =>
      canonicalPath(own.path) === canonicalPath(disk.path) &&
      !own.readOnly &&
      (other.pm === vm.pm || own.storlink !== undefined),
  )
}

/** The disk of a VM that goes on in a new, empty volume on top of what shall not be written any more. */
export type Overlay = {
  /** The disk's UUID. */
  readonly disk: string
  readonly vdev: string
  readonly path: string
  readonly level: Level
  readonly storlink: number
  readonly backing: { readonly path: string; readonly format: Image['format'] }
}

interface OverlayRequest {
  readonly disk: string
  readonly vdev: string
  readonly sizeMib?: number
  readonly storlink?: number
  readonly backing: Image
}

/**
 * Picks where the new volumes of disks shall lie: on the storlink named, else each where its disk lies now. Looks at the
 * space of each storlink from the VM's PM, and makes nothing. Throws `invalid` for a disk on no storlink where none is
 * named, `noSpace`. Sizes in MiB.
 */
export async function gatherOverlays(
  vm: Vm,
  requests: readonly OverlayRequest[],
  named: number | undefined,
  cx: Context,
): Promise<Overlay[]> {
  const overlays: Overlay[] = []
  for (const { disk, vdev, backing, sizeMib, storlink: own } of requests) {
    const id = named ?? own
    if (id === undefined)
      throw new PengxError(
        'invalid',
        `storlink: ${vdev} (${backing.path}) lies on no storlink: name one for its new layer`,
      )
    const storlink = cx.view.needStorlink(id)
    const driver = cx.volumes(storlink.level)
    await needRoom(cx, vm.pm, storlink, sizeMib ?? 0, driver.traits.sparse)
    const path = driver.locate({ storlink, uuid: newUuid(), format: 'qcow2' })
    const { level } = storlink
    overlays.push({ disk, vdev, path, level, storlink: id, backing: { ...backing } })
  }
  return overlays
}

/**
 * Locks of what is done to the layers of a VM: it is its own; its PM, the storlinks of its disks and the one named have
 * to stay.
 */
export function locksOfLayers(vm: string, storlink: number | undefined, view: View): Lock[] {
  const row = view.needVm(vm)
  const own = row.disks.flatMap((disk) => disk.storlink ?? [])
  const storlinks = [...new Set(storlink === undefined ? own : [...own, storlink])]
  return [
    { key: `vm:${vm}`, mode: 'exclusive' },
    { key: `pm:${row.pm}`, mode: 'shared' },
    ...storlinks.map((id): Lock => ({ key: `storlink:${id}`, mode: 'shared' })),
  ]
}

/**
 * Makes an overlay (`qemu-img create -f qcow2 -b`, or a logical volume with one on it). The undo removes it, and throws
 * `refused` where the running guest writes to it already: then it holds what is nowhere else.
 */
export function overlayStep(
  { vdev, path, level, backing }: Overlay,
  { uuid, pm, name }: Pick<Vm, 'uuid' | 'pm' | 'name'>,
): Step {
  const made = madeVolume(pm, { path, level, format: 'qcow2' }, { uuid, name })
  return {
    name: `overlay ${vdev}`,
    shows: [`qemu-img create -f qcow2 -b ${backing.path} -F ${backing.format} ${path}`],
    async do(cx) {
      await cx.volumes(level).overlay(cx.host(pm), path, backing, undefined, cx.tag)
      return null
    },
    ...made,
    async undo(cx) {
      const domain = (await cx.look(pm)).find((one) => one.uuid === uuid)
      const written = domain && (await cx.hypervisor.writtenImages(cx.host(pm), domain.domid))
      if (written && [...written.values()].includes(path))
        throw new PengxError('refused', `${path} is not removed: the guest has gone over to it and writes to it`)
      await made.undo(cx, undefined)
    },
  }
}

/** The disk as it goes on in its overlay, which pengx made: qcow2, which the kernel (`phy`) cannot serve. */
export function diskOnOverlay(disk: Disk, { path, storlink }: Overlay): Disk {
  const { base: _base, ...rest } = disk
  return { ...rest, path, format: 'qcow2', storlink, owned: true, backend: VOLUME_BACKEND }
}

/**
 * What the disks that go on elsewhere hold, as a layer's volumes; `ids` are the volumes' UUIDs, by the disk's: a disk
 * that has none there is not part of the layer.
 */
export function frozenVolumes(disks: readonly Disk[], ids: Readonly<Record<string, string>>): LayerVolume[] {
  return disks.flatMap(({ uuid: disk, vdev, format, sizeMib, path, storlink, base, owned }) => {
    const uuid = ids[disk]
    return uuid === undefined ? [] : [{ uuid, disk, vdev, format, sizeMib, path, storlink, base, owned }]
  })
}

/** The number of a VM's next layer: one more than the highest that it has. */
export function nextLayerNumber(vm: Pick<Vm, 'layers'>): number {
  return Math.max(0, ...layersOf(vm).map((layer) => layer.number)) + 1
}

/**
 * How a volume lies: as its storlink says, and as a file where it lies on none or on one that is not known any more.
 * For what the VM has to have, `levelOf` fails instead.
 */
export function volumeLevel(volume: { readonly storlink?: number }, view: View): Level {
  return volume.storlink === undefined ? 'FL' : (view.getStorlink(volume.storlink)?.level ?? 'FL')
}

/**
 * A change of the row's layers and disks, which must come to the same when it is done twice; the store alone is written
 * to. The undo puts back what `before` says of them, and leaves the rest of the row as it is by then.
 */
export function layersStep(name: string, before: Vm, change: (vm: Vm) => Vm, pivot?: true): Step {
  const put = async (cx: Context, make: (vm: Vm) => Vm) => {
    const now = cx.view.needVm(before.uuid)
    await cx.inventory.putVm(make(now))
  }
  return {
    name,
    ...(pivot ? { pivot } : {}),
    async do(cx) {
      await put(cx, change)
      return null
    },
    async isApplied(cx) {
      const row = cx.view.needVm(before.uuid)
      return isSameRow(change(row), row) || 'again'
    },
    undo: (cx) => put(cx, (now) => ({ ...now, layer: before.layer, layers: before.layers, disks: before.disks })),
  }
}

/**
 * Removes a volume for good, so it stands behind the pivot: it has no undo. One that is gone already is removed; one that
 * the VM's domain has stays (`conflict`).
 */
export function removeVolumeStep(
  volume: Pick<LayerVolume, 'vdev' | 'path'> & { level: Level },
  { uuid, pm }: Pick<Vm, 'uuid' | 'pm'>,
  of: string,
): Step {
  return {
    name: `remove ${volume.vdev} of ${of}`,
    shows: [`remove ${volume.path}`],
    async do(cx) {
      await needLetGo(cx, pm, volume.path, uuid)
      await cx.volumes(volume.level).remove(cx.host(pm), volume.path, cx.tag)
      return null
    },
    isApplied: async (cx) => !(await isThere(cx, pm, volume)) || 'again',
  }
}
