import { volumesOf } from '../../../model/layer.ts'
import type { Context } from '../../jobs/operation.ts'

/**
 * The domid of the VM's domain (the VM by UUID) that has a volume of a PM: as a disk, as what its QEMU writes to, or as an
 * image that one of those lies on. Undefined where the VM has no domain there, or that has nothing of it. Looks only; fails
 * where that cannot be told.
 */
export async function domainWith(cx: Context, pm: string, path: string, vm: string): Promise<number | undefined> {
  const domain = (await cx.look(pm)).find((one) => one.uuid === vm)
  if (!domain) return undefined
  const host = cx.host(pm)
  const { disks } = await cx.hypervisor.devices(host, domain.domid)
  const written = await cx.hypervisor.writtenImages(host, domain.domid)
  // XenStore has the path that a disk was attached with; where QEMU serves it, that may have gone over to another since.
  const served = disks.map((disk) => written.get(disk.vdev) ?? disk.path)
  if (served.includes(path)) return domain.domid
  const row = cx.view.getVm(vm)
  const known = new Map(row ? volumesOf(row).map((volume) => [volume.path, volume.format]) : [])
  for (const top of written.values()) {
    // What is not known is asked, and where it does not answer nobody can tell: a raw image lies on nothing.
    const format = known.get(top) ?? 'qcow2'
    if (format === 'raw') continue
    const level = top.startsWith('/dev/') ? 'BL' : 'FL'
    const chain = await cx.volumes(level).chain(host, { path: top, format })
    if (chain.some((image) => image.path === path)) return domain.domid
  }
  return undefined
}
