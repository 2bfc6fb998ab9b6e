import { shortUuid } from '../../../lib/ids.ts'
import { type Backup, isGood, MAX_INCREMENTS } from '../../../model/backup.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Level } from '../../../model/storlink.ts'
import type { Vm } from '../../../model/vm.ts'
import type { MomentMeans } from '../../hypervisor/moment/moment.ts'
import type { Context } from '../../jobs/operation.ts'
import type { Image } from '../../volumes/volumeDriver.ts'
import { gatherScratch, type ScratchVolume } from '../disk/scratch.ts'
import { isReached } from '../storlink/access.ts'

/**
 * How a VM that runs is backed up, which its QEMU decides. It holds the moment while that is read, if it can show it; else
 * it copies the moment aside. An increment is always copied aside: only QEMU knows what it has noted as changed.
 */
export type LiveBackup = {
  readonly domid: number
  readonly way: 'held' | 'copied'
  /** By disk, in their order. */
  readonly scratch: readonly ScratchVolume[]
}

export type BackupDisk = {
  /** The disk's UUID. */
  readonly disk: string
  readonly vdev: string
  readonly source: Image & Json
  readonly level: Level
  readonly sizeMib: number
  readonly volume: { readonly uuid: string; readonly path: string }
}

export interface BackupRequest {
  readonly vm: string
  readonly storlink: number
  readonly backup: string
  readonly incremental: 'auto' | 'no'
  readonly scratch?: number | undefined
}

interface RunningVm {
  readonly vm: Vm
  readonly domid: number
  readonly disks: readonly BackupDisk[]
  readonly request: BackupRequest
}

/** Under which QEMU notes what is written from a backup's moment on; at most 31 characters are allowed. */
export function bitmapOf(backup: string): string {
  return `pengx-${shortUuid(backup)}`
}

export async function gatherLive(running: RunningVm, cx: Context) {
  const { vm, domid, disks, request } = running
  const host = cx.host(vm.pm)
  const sources = disks.map(({ vdev, source }) => ({ vdev, path: source.path }))
  const why = await cx.hypervisor.refuseBackup(host, domid, sources)
  if (why) throw new PengxError('refused', `cannot back up ${vm.name} while it runs: ${why}`)
  const means = await cx.hypervisor.momentMeans(host, domid, sources)
  const found = request.incremental === 'no' ? 'not asked for' : findParent(running, means, cx)
  const parent = typeof found === 'string' ? undefined : found
  const dirtyBytes = parent && means.bitmaps.find((bitmap) => bitmap.name === bitmapOf(parent.uuid))?.bytes
  // What QEMU shows is read on its own PM alone.
  const isNear = isReached(cx.view.needStorlink(request.storlink), vm.pm)
  const way = !parent && means.canHold && isNear ? ('held' as const) : ('copied' as const)
  if (!parent && !means.canHold)
    cx.notice('its QEMU cannot show a moment, so all of it is copied beside the disks first')
  const requests = disks.map(({ disk, vdev, source }, index) => {
    const own = vm.disks.find((one) => one.uuid === disk)?.storlink
    const storlink = request.scratch ?? own ?? (isNear ? request.storlink : undefined)
    if (storlink !== undefined) return { source, storlink, dirtyBytes: dirtyBytes?.[index] }
    const text = `scratch is missing: ${vdev} (${source.path}) lies on no storlink, and what the guest overwrites meanwhile is kept on one of its PM`
    throw new PengxError('invalid', text)
  })
  const scratch = await gatherScratch(vm, requests, `cannot back up ${vm.name} while it runs`, cx)
  const live: LiveBackup = { domid, way, scratch }
  return { live, parent, fullBecause: typeof found === 'string' ? found : null }
}

/** The newest backup that the next one can lie on, or why there is none. */
function findParent({ vm, disks, request }: RunningVm, { bitmaps }: MomentMeans, cx: Context): Backup | string {
  const all = cx.view.backupsOf(vm.uuid)
  const good = all.filter((backup) => backup.storlink === request.storlink && isGood(backup, all))
  if (good.length === 0) return 'there is no good backup on that storlink yet'
  const parent = good.find((backup) => bitmaps.some((bitmap) => bitmap.name === bitmapOf(backup.uuid)))
  if (!parent)
    return 'nobody has noted what was written since the last good one: the VM has been off, moved or snapshotted'
  const same = disks.every(({ disk, sizeMib }) =>
    parent.volumes.some((volume) => volume.disk === disk && volume.sizeMib === sizeMib),
  )
  if (!same || disks.length !== parent.volumes.length) return 'its disks are others since, or of another size'
  if (parent.depth >= MAX_INCREMENTS) return `the last one lies on ${parent.depth} others already`
  return parent
}
