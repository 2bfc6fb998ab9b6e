import { z } from 'zod'
import type { Disk } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Level } from '../../../model/storlink.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import { needRoom, refuseGroupChange } from '../storlink/access.ts'
import { livingDomain } from '../vm/domain.ts'
import { vmField, vmOperation } from '../vm/target.ts'
import { changing } from '../volume/asked.ts'
import { forceField } from '../volume/force.ts'
import { needSoleUse } from '../volume/users.ts'
import { diskField, levelOf, locksWith, needDisk, refuseDisks, sizeField } from './target.ts'

/**
 * A disk that becomes larger: under a running guest through its QEMU, else where it lies. What has grown does not shrink
 * again, so there is no way back; doing it once more is done.
 */

const growDiskParams = z.object({
  vm: vmField,
  disk: diskField,
  size: field(sizeField, { title: 'New size', unit: 'MiB', help: 'more than it has now: no disk shrinks' }),
  force: forceField,
})
type GrowParams = z.infer<typeof growDiskParams>
type GrowFacts = {
  readonly disk: Disk & Json
  readonly level: Level
  readonly pm: string
  readonly uuid: string
  readonly domid: number | null
  /** The kernel serves it to the guest, and tells it of a larger device by itself. */
  readonly throughKernel: boolean
}

function growStep(facts: GrowFacts, sizeMib: number): Step {
  const { disk, level, pm, uuid, domid } = facts
  const online = domid !== null && !facts.throughKernel
  return {
    name: `grow disk ${disk.vdev}`,
    pivot: true,
    weight: 2,
    shows: [online ? `QMP block_resize ${disk.vdev} to ${sizeMib} MiB` : `resize ${disk.path} to ${sizeMib} MiB`],
    async do(cx) {
      const host = cx.host(pm)
      const driver = cx.volumes(level)
      const domain = await livingDomain(cx, { uuid, pm })
      if (!domain || facts.throughKernel) await driver.resize(host, disk.path, disk.format, sizeMib, cx.tag)
      else {
        await driver.widen(host, disk.path, disk.format, sizeMib, cx.tag)
        await cx.hypervisor.resizeDisk(host, domain, disk, sizeMib, cx.tag)
      }
      return null
    },
    /** Larger, as its header tells; a QEMU that has it open has written that. */
    async isApplied(cx) {
      const info = await cx.volumes(level).stat(cx.host(pm), disk.path, disk.format)
      return (info?.sizeMib ?? 0) >= sizeMib
    },
  }
}

async function gatherGrow({ vm, disk: named, size, force }: GrowParams, cx: Context): Promise<GrowFacts> {
  const row = cx.view.needVm(vm)
  const disk = needDisk(row, named)
  const host = cx.host(row.pm)
  const level = levelOf(disk, cx.view)
  const domain = await livingDomain(cx, row)
  await needSoleUse(cx, row, changing([disk]), { use: 'write', force })
  const info = await cx.volumes(level).stat(host, disk.path, disk.format)
  if (!info) throw new PengxError('notFound', `${disk.vdev} of ${row.name}: there is no image ${disk.path}`)
  if (info.sizeMib > size)
    throw new PengxError('refused', `${disk.vdev} of ${row.name} has ${info.sizeMib} MiB already, and none shrinks`)
  if (disk.storlink !== undefined) {
    const storlink = cx.view.needStorlink(disk.storlink)
    await needRoom(cx, row.pm, storlink, size - info.sizeMib, cx.volumes(level).traits.sparse)
  }
  const device = domain && (await cx.hypervisor.device(host, domain.domid, disk.vdev, cx.signal))
  if (domain && !device)
    throw new PengxError('refused', `${disk.vdev} is written down for ${row.name}, and its domain does not have it`)
  const throughKernel = device !== undefined && device.backendType === 'phy'
  if (throughKernel && !disk.path.startsWith('/dev/')) {
    const why = 'the kernel serves it through a loop device, which does not tell a guest that it has grown'
    throw new PengxError('refused', `cannot grow ${disk.vdev} of ${row.name} while it runs: ${why}; shut it down first`)
  }
  return {
    disk: disk as Disk & Json,
    level,
    pm: row.pm,
    uuid: vm,
    domid: domain?.domid ?? null,
    throughKernel,
  }
}

export const diskGrow = vmOperation<GrowParams, GrowFacts>({
  name: 'disk.grow',
  title: 'grow a disk of',
  help: 'Makes a disk larger; a running guest sees its new size at once.',
  danger: 'safe',
  params: growDiskParams,
  locks: ({ vm, disk }, view) => locksWith(vm, needDisk(view.needVm(vm), disk).storlink, view),
  refuse({ vm, disk: named, size }, view) {
    const row = view.needVm(vm)
    const disk = needDisk(row, named)
    if (disk.sizeMib !== undefined && size <= disk.sizeMib)
      return `${disk.vdev} has ${disk.sizeMib} MiB, ${size} is not more: no disk shrinks`
    if (disk.readOnly) return `${disk.vdev} is read-only`
    if (disk.storlink === undefined && disk.path.startsWith('/dev/'))
      return `${disk.vdev} is the device ${disk.path}, which pengx did not make: make that larger by its own means`
    const storlink = disk.storlink === undefined ? undefined : view.getStorlink(disk.storlink)
    return refuseDisks(row, view) ?? (storlink && refuseGroupChange(storlink, row.pm, view))
  },
  gather: gatherGrow,
  plan: ({ vm, size }, facts) => [
    growStep(facts, size),
    {
      name: 'record',
      async do(cx) {
        const row = cx.view.needVm(vm)
        const disks = row.disks.map((disk) => (disk.uuid === facts.disk.uuid ? { ...disk, sizeMib: size } : disk))
        await cx.inventory.putVm({ ...row, disks })
        return null
      },
      async isApplied(cx) {
        return cx.view.needVm(vm).disks.some((one) => one.uuid === facts.disk.uuid && one.sizeMib === size) || 'again'
      },
    },
  ],
  result: ({ size }, { disk }) => ({ uuid: disk.uuid, size }),
})
