import { PengxError } from '../../model/error.ts'
import type { Host } from '../host/host.ts'
import { type OpenBlock, parseBlocks, type Qmp } from '../tools/qmp.ts'
import type { DomainSeen } from './domain.ts'
import { withQmpLock } from './libxlLock.ts'
import { vdevOf, withMonitor } from './monitor.ts'

const MIB = 1024 * 1024

/**
 * Makes a disk larger under a running guest, through its QEMU, which tells the guest (QMP `block_resize`); a logical
 * volume must have been widened before. Only the node that the guest really writes through is touched: an emulated
 * drive in use is a second one on the same image, and is `unsupported`, like a disk that does not go through QEMU.
 * `refused` where it is larger already or is written elsewhere, `busy` where an xl holds QEMU; of that size already
 * is done.
 */
export async function resizeDisk(
  host: Host,
  domain: Pick<DomainSeen, 'domid' | 'uuid' | 'ownUuid'>,
  disk: { readonly vdev: string; readonly path: string },
  sizeMib: number,
  tag: string,
): Promise<void> {
  const doing = `cannot make ${disk.vdev} of domain ${domain.domid} on ${host.name} larger`
  const done = await withQmpLock(host, domain, tag, (lock) =>
    withMonitor(host, domain.domid, 'libxl', 'change', async (qmp) => {
      const before = await findBlock(qmp, disk, doing)
      if (before.sizeBytes > sizeMib * MIB)
        throw new PengxError('refused', `${doing}: it has ${before.sizeBytes / MIB} MiB already, and none shrinks`)
      await lock.needHeld()
      await qmp.execute('block_resize', { 'node-name': before.node, size: sizeMib * MIB })
      const after = await findBlock(qmp, disk, doing)
      if (after.sizeBytes !== sizeMib * MIB)
        throw new PengxError('commandFailed', `${doing}: QEMU said yes, and it has ${after.sizeBytes / MIB} MiB`)
      return true
    }),
  )
  if (!done) throw new PengxError('unsupported', `${doing}: the domain has no QEMU in the way of its disks`)
}

async function findBlock(
  qmp: Qmp,
  disk: { readonly vdev: string; readonly path: string },
  doing: string,
): Promise<OpenBlock> {
  const blocks = parseBlocks(await qmp.execute('query-block'))
  if (blocks.some((block) => /^ide\d/.test(block.device) && block.file === disk.path)) {
    throw new PengxError(
      'unsupported',
      `${doing}: the guest uses the emulated drive and would not see it; shut it down first, or give it PV drivers`,
    )
  }
  for (const block of blocks) {
    if ((await vdevOf(qmp, block)) !== disk.vdev) continue
    if (block.file === disk.path) return block
    throw new PengxError(
      'refused',
      `${doing}: it is written to ${block.file}, not to ${disk.path}, which is written down`,
    )
  }
  throw new PengxError('unsupported', `${doing}: it does not go through QEMU`)
}
