import type { DiskFormat } from '../../model/disk.ts'
import { PengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import type { Host } from '../host/host.ts'
import type { Qmp } from '../tools/qmp.ts'
import {
  type BlockJobOptions,
  cancelJobs,
  followJobs,
  type NamedBlock,
  namedBlocks,
  type TargetNode,
} from './blockJobs.ts'
import { withMonitor } from './monitor.ts'

/**
 * What the disks of a running guest hold at one moment, copied while the guest goes on: QEMU keeps what is overwritten
 * meanwhile (blockdev-backup). All disks stand in one transaction, so the moment is the same for each; to the copy it
 * is as if the power had been cut then. A guest's write over what is not copied yet fails where the target is full (QEMU 7.2
 * lets it fail rather than the copy), until that ends for the same reason.
 */
export interface BackupDisk {
  readonly vdev: string
  /** What the guest writes to. */
  readonly path: string
  /** A volume that is there already, empty and as large. */
  readonly target: { readonly path: string; readonly format: DiskFormat }
}

export interface LiveCopyOptions extends BlockJobOptions {
  /** 0: as fast as it goes. */
  readonly bytesPerSecond: number
}

const MIB = 1024 * 1024

/**
 * Copies all disks as they are at one moment and returns when that is done; the targets are let go of by then. QMP:
 * `blockdev-add` of each target, `blockdev-backup sync=full` of all in one `transaction`, grouped: where one fails
 * all end; `blockdev-reopen` of each target, which writes it down. `unsupported` where a disk does not go through QEMU, `noSpace` where a target is full, else
 * `commandFailed`. An abort leaves the jobs at work: `cancelJobs` by the same name ends them. The rate is each disk's
 * own.
 */
export async function backupDisks(
  host: Host,
  domid: number,
  disks: readonly BackupDisk[],
  options: LiveCopyOptions,
): Promise<void> {
  await cancelJobs(host, domid, options)
  const doing = `cannot copy the disks of domain ${domid} on ${host.name} while it runs`
  const begun = await withMonitor(
    host,
    domid,
    'libxenstat',
    'change',
    (qmp) => begin(qmp, disks, options, doing),
    options.signal,
  )
  if (begun === undefined) throw new PengxError('unsupported', `${doing}: it has no QEMU in the way of its disks`)
  await followJobs(host, domid, disks.length, options, doing, begun)
}

/**
 * Why disks cannot be copied while their guest runs, as a sentence, or undefined. Looks only (QMP `query-block`):
 * QEMU must have each of them open.
 */
export async function refuseBackup(
  host: Host,
  domid: number,
  disks: readonly { readonly vdev: string; readonly path: string }[],
): Promise<string | undefined> {
  const looked = await withMonitor(host, domid, 'libxenstat', 'read', async (qmp) => {
    const blocks = await namedBlocks(qmp)
    return { missing: disks.find((disk) => blockOf(blocks, disk) === undefined) }
  })
  const missing = looked ? looked.missing : disks[0]
  if (missing === undefined) return undefined
  return `${missing.vdev} (${missing.path}) goes through the kernel (phy) and not through QEMU, so it cannot be copied while the guest writes to it: shut it down first`
}

async function begin(
  qmp: Qmp,
  disks: readonly BackupDisk[],
  options: LiveCopyOptions,
  doing: string,
): Promise<readonly TargetNode[]> {
  const blocks = await namedBlocks(qmp)
  const targets: TargetNode[] = []
  const actions: Json[] = []
  for (const [index, disk] of disks.entries()) {
    const source = blockOf(blocks, disk)
    if (source === undefined) throw new PengxError('unsupported', `${doing}: ${disk.vdev} does not go through QEMU`)
    const id = `${options.name}-${index}`
    const { path, format } = disk.target
    const driver = path.startsWith('/dev/') ? 'host_device' : 'file'
    const target: TargetNode = {
      node: {
        'node-name': id,
        driver: format === 'vhd' ? 'vpc' : format,
        // A logical volume is larger than the disk in it: QEMU wants both of one size.
        ...(format === 'raw' ? { size: source.sizeBytes } : {}),
        discard: 'unmap',
        'detect-zeroes': 'unmap',
      },
      file: { 'node-name': `f-${id}`, driver, filename: path, discard: 'unmap' },
    }
    await qmp.execute('blockdev-add', { ...target.node, file: target.file })
    targets.push(target)
    // Volumes are made in whole MiB, which an image of somebody else's need not be.
    if (format !== 'raw' && source.sizeBytes % MIB !== 0)
      await qmp.execute('block_resize', { 'node-name': id, size: source.sizeBytes })
    const data = { 'job-id': id, device: source.node || source.device, target: id, sync: 'full', 'auto-dismiss': false }
    actions.push({ type: 'blockdev-backup', data: { ...data, speed: options.bytesPerSecond } })
  }
  await qmp.execute('transaction', { actions, properties: { 'completion-mode': 'grouped' } })
  return targets
}

/** What the guest writes through: the emulated drive for as long as it is there, since it goes when PV drivers come. */
export function blockOf(
  blocks: readonly NamedBlock[],
  disk: { readonly vdev: string; readonly path: string },
): NamedBlock | undefined {
  const emulated = blocks.find((block) => /^(ide|sd)\d/.test(block.device) && block.file === disk.path)
  return emulated ?? blocks.find((block) => block.vdev === disk.vdev && block.file === disk.path)
}
