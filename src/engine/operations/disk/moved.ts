import { newUuid } from '../../../lib/ids.ts'
import type { Disk, DiskFormat } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import type { Level, Storlink } from '../../../model/storlink.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Context } from '../../jobs/operation.ts'
import { keptFormat, VOLUME_BACKEND } from '../../volumes/volumeDriver.ts'
import { needGroupChange } from '../storlink/access.ts'
import type { Change } from '../vm/change.ts'
import { volumeLevel } from './layers.ts'

type Place = { readonly path: string; readonly format: DiskFormat; readonly level: Level }

/** A disk that goes over to another volume. */
export type Move = {
  /** The disk's UUID, which stays. */
  readonly disk: string
  readonly vdev: string
  readonly sizeMib: number
  readonly from: Place & { readonly owned: boolean }
  readonly to: Place
}

/**
 * Picks where disks shall lie on a storlink, and looks whether that has room for what they hold, from the VM's PM. Makes nothing.
 * Throws `refused` for a disk that is not there, `noSpace`. A disk on a template's holds all of its bytes itself then, which is
 * told.
 */
export async function gatherMoves(
  vm: Vm,
  disks: readonly Disk[],
  storlink: Storlink,
  cx: Context,
): Promise<readonly Move[]> {
  needGroupChange(storlink, vm.pm, cx.view)
  const host = cx.host(vm.pm)
  const driver = cx.volumes(storlink.level)
  const { freeMib, refusal } = await driver.inspect(host, storlink.link)
  if (refusal !== undefined) throw new PengxError('refused', refusal)
  const moves: Move[] = []
  let neededMib = 0
  for (const disk of disks) {
    const { uuid, vdev, path, format, owned } = disk
    const level = volumeLevel(disk, cx.view)
    const own = cx.volumes(level)
    const info = await own.stat(host, path, format)
    if (!info) throw new PengxError('refused', `${vm.name}: its disk ${vdev} (${path}) is not there`)
    const chain = await own.chain(host, { path, format })
    const usedMib = chain.reduce((sum, image) => sum + (image.usedMib || image.sizeMib), 0)
    neededMib += driver.traits.sparse ? Math.min(usedMib, info.sizeMib) : info.sizeMib
    if (chain.length > 1)
      cx.notice(`${vdev} lies on ${chain[1]!.path} and is a whole disk of its own then, which takes its room`)
    if (!owned) cx.notice(`${path} is not pengx’s: it stays where it is, and ${vm.name} has it no more`)
    const kept = keptFormat(format)
    const to = { path: driver.locate({ storlink, uuid: newUuid(), format: kept }), format: kept, level: storlink.level }
    moves.push({ disk: uuid, vdev, sizeMib: info.sizeMib, from: { path, format, level, owned }, to })
  }
  if (freeMib >= neededMib) return moves
  const where = `${storlink.name} (${storlink.link} on ${cx.view.needPm(vm.pm).name})`
  throw new PengxError(
    'noSpace',
    `cannot move the disks of ${vm.name} to ${where}: ${freeMib} MiB free, about ${neededMib} needed`,
  )
}

/** The row with its disks where they have come to; the document counts that as its creation. */
export function movedTo(moves: readonly Move[], storlink: number, at: number): Change {
  return (vm) => ({
    ...vm,
    createdAt: at,
    disks: vm.disks.map((disk) => {
      const move = moves.find((one) => one.disk === disk.uuid)
      if (!move) return disk
      const { base: _base, ...rest } = disk
      const { path, format } = move.to
      return { ...rest, path, format, storlink, owned: true, backend: VOLUME_BACKEND }
    }),
  })
}
