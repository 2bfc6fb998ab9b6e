import type { Clock } from '../../lib/clock.ts'
import type { DiskFormat } from '../../model/disk.ts'
import { PengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import type { Host } from '../host/host.ts'
import { type BlockJob, type OpenBlock, parseBlockJobs, parseBlocks, type Qmp } from '../tools/qmp.ts'
import { vdevOf, withMonitor } from './monitor.ts'

/**
 * What the disks of a running guest hold at one moment, copied while the guest goes on: QEMU keeps what is overwritten
 * meanwhile (blockdev-backup). All disks stand in one transaction, so the moment is the same for each; to the copy it
 * is as if the power had been cut then. The jobs and nodes carry names that follow from `name`, so that what an attempt
 * left behind is found again. The monitor is held for moments only: xl and xentop want it too.
 */
export interface BackupDisk {
  readonly vdev: string
  /** What the guest writes to. */
  readonly path: string
  /** A volume that is there already, empty and as large. */
  readonly target: { readonly path: string; readonly format: DiskFormat }
}

export interface BackupWay {
  /** At most 20 characters: QEMU's names have 31. */
  readonly name: string
  /** 0: as fast as it goes. */
  readonly bytesPerSecond: number
  readonly clock: Clock
  readonly signal?: AbortSignal
  onProgress(done: number): void
}

const POLL_MS = 700
const MIB = 1024 * 1024

export async function backupDisks(
  host: Host,
  domid: number,
  disks: readonly BackupDisk[],
  way: BackupWay,
): Promise<void> {
  await cancelBackup(host, domid, way)
  const doing = `cannot copy the disks of domain ${domid} on ${host.name} while it runs`
  const begun = await withMonitor(host, domid, 'libxenstat', (qmp) => begin(qmp, disks, way, doing), way.signal)
  if (begun === undefined) throw new PengxError('unsupported', `${doing}: it has no QEMU in the way of its disks`)
  for (;;) {
    way.signal?.throwIfAborted()
    const jobs = await withMonitor(host, domid, 'libxenstat', (qmp) => ownJobs(qmp, way.name), way.signal)
    if (jobs === undefined || jobs.length < disks.length) {
      throw new PengxError('commandFailed', `${doing}: its QEMU has ended, or somebody else has ended the copying`)
    }
    if (jobs.every((job) => job.status === 'concluded')) break
    const total = jobs.reduce((sum, job) => sum + job.total, 0)
    way.onProgress(total === 0 ? 0 : jobs.reduce((sum, job) => sum + job.current, 0) / total)
    await way.clock.sleep(POLL_MS, way.signal)
  }
  const failed = await withMonitor(host, domid, 'libxenstat', (qmp) => putAway(qmp, way.name))
  const why = failed?.find((job) => job.error !== undefined)?.error
  if (why === undefined) return
  throw new PengxError(/no space left/i.test(why) ? 'noSpace' : 'commandFailed', `${doing}: ${why}`)
}

/** Ends the jobs of that name and lets go of the volumes that they write to; none there is done. */
export async function cancelBackup(host: Host, domid: number, way: Pick<BackupWay, 'name' | 'clock'>): Promise<void> {
  for (;;) {
    const left = await withMonitor(host, domid, 'libxenstat', async (qmp) => {
      const jobs = await ownJobs(qmp, way.name)
      const running = jobs.filter((job) => job.status !== 'concluded')
      for (const job of running)
        await qmp.execute('block-job-cancel', { device: job.id, force: true }).catch(() => null)
      if (running.length === 0) await putAway(qmp, way.name)
      return running.length
    })
    if (!left) return
    await way.clock.sleep(POLL_MS)
  }
}

/** Why disks cannot be copied while their guest runs, or undefined; looks only. */
export async function refuseBackup(
  host: Host,
  domid: number,
  disks: readonly { readonly vdev: string; readonly path: string }[],
): Promise<string | undefined> {
  const looked = await withMonitor(host, domid, 'libxenstat', async (qmp) => {
    const blocks = await namedBlocks(qmp)
    return { missing: disks.find((disk) => blockOf(blocks, disk) === undefined) }
  })
  const missing = looked ? looked.missing : disks[0]
  if (missing === undefined) return undefined
  return `${missing.vdev} (${missing.path}) goes through the kernel (phy) and not through QEMU, so it cannot be copied while the guest writes to it: shut it down first`
}

async function begin(qmp: Qmp, disks: readonly BackupDisk[], way: BackupWay, doing: string): Promise<true> {
  const blocks = await namedBlocks(qmp)
  const actions: Json[] = []
  for (const [index, disk] of disks.entries()) {
    const source = blockOf(blocks, disk)
    if (source === undefined) throw new PengxError('unsupported', `${doing}: ${disk.vdev} does not go through QEMU`)
    const id = `${way.name}-${index}`
    const { path, format } = disk.target
    await qmp.execute('blockdev-add', {
      'node-name': id,
      driver: format === 'vhd' ? 'vpc' : format,
      // A logical volume is larger than the disk in it: QEMU wants both of one size.
      ...(format === 'raw' ? { size: source.sizeBytes } : {}),
      discard: 'unmap',
      'detect-zeroes': 'unmap',
      file: { driver: path.startsWith('/dev/') ? 'host_device' : 'file', filename: path, discard: 'unmap' },
    })
    // Volumes are made in whole MiB, which an image of somebody else's need not be.
    if (format !== 'raw' && source.sizeBytes % MIB !== 0)
      await qmp.execute('block_resize', { 'node-name': id, size: source.sizeBytes })
    const data = { 'job-id': id, device: source.node || source.device, target: id, sync: 'full', 'auto-dismiss': false }
    actions.push({ type: 'blockdev-backup', data: { ...data, speed: way.bytesPerSecond } })
  }
  await qmp.execute('transaction', { actions, properties: { 'completion-mode': 'grouped' } })
  return true
}

type Named = OpenBlock & { readonly vdev: string | undefined }

async function namedBlocks(qmp: Qmp): Promise<Named[]> {
  const blocks = parseBlocks(await qmp.execute('query-block'))
  const named: Named[] = []
  for (const block of blocks) named.push({ ...block, vdev: await vdevOf(qmp, block) })
  return named
}

/** What the guest writes through: the emulated drive for as long as it is there, since it goes when PV drivers come. */
function blockOf(blocks: readonly Named[], disk: { readonly vdev: string; readonly path: string }): Named | undefined {
  const emulated = blocks.find((block) => /^(ide|sd)\d/.test(block.device) && block.file === disk.path)
  return emulated ?? blocks.find((block) => block.vdev === disk.vdev && block.file === disk.path)
}

async function ownJobs(qmp: Qmp, name: string): Promise<BlockJob[]> {
  return parseBlockJobs(await qmp.execute('query-jobs')).filter((job) => job.id.startsWith(`${name}-`))
}

/** Forgets the jobs that are over and closes their targets; gives the jobs as they ended. */
async function putAway(qmp: Qmp, name: string): Promise<BlockJob[]> {
  const jobs = await ownJobs(qmp, name)
  for (const job of jobs) await qmp.execute('job-dismiss', { id: job.id })
  const nodes = (await qmp.execute('query-named-block-nodes', { flat: true })) as readonly { 'node-name'?: string }[]
  for (const { 'node-name': node } of nodes) {
    if (node?.startsWith(`${name}-`)) await qmp.execute('blockdev-del', { 'node-name': node })
  }
  return jobs
}
