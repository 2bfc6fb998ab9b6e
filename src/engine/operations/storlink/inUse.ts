import { toPengxError } from '../../../model/error.ts'
import type { Context } from '../../jobs/operation.ts'

/**
 * The domid of the VM's domain (the VM by UUID) that has a volume of a PM: as a disk, as what its QEMU writes to, or as an
 * image that one of those lies on. Undefined where the VM has no domain there, or that has nothing of it. Looks only.
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
  for (const top of written.values()) if ((await imagesBelow(cx, pm, top)).includes(path)) return domain.domid
  return undefined
}

/** As its header tells; a raw image lies on nothing. */
async function imagesBelow(cx: Context, pm: string, top: string): Promise<readonly string[]> {
  const level = top.startsWith('/dev/') ? 'BL' : 'FL'
  try {
    return (await cx.volumes(level).chain(cx.host(pm), { path: top, format: 'qcow2' })).map((image) => image.path)
  } catch (error) {
    if (toPengxError(error).code === 'commandFailed') return []
    throw error
  }
}
