import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import { batch } from '../../host/batch.ts'
import type { Host } from '../../host/host.ts'
import { run, runAll } from '../../host/run.ts'
import { fileExists, removeFile } from '../../tools/files.ts'
import { parseBlockJobs, parseExports, parseNodes, parseVersion, type Qmp } from '../../tools/qmp.ts'
import { blockOf } from '../backup.ts'
import { cancelJobs, followJobs, namedBlocks, type TargetNode } from '../blockJobs.ts'
import { listNodes, withMonitor } from '../monitor.ts'
import { exportMoment, type MomentOptions, withdrawMoment } from './export.ts'
import { createPace, keepPace, writeTimes } from './pace.ts'

/**
 * One moment of all disks of a running guest, held or copied while the guest goes on writing where it writes: nothing of
 * its configuration changes, so whatever ends in between leaves only jobs and scratch volumes behind.
 *
 * Held: what the guest overwrites goes into a scratch volume first (`blockdev-backup sync=none`), which lies on the
 * guest's own node and so reads as the moment did; QEMU shows it, read-only, on a socket (NBD) at a limited rate. A guest
 * write fails where its scratch volume is full (QEMU 7.2 lets it fail rather than the backup), so that must have room for
 * all that the disk holds. Copied: what has changed since an earlier moment, or everything, is written there at once.
 */
export interface MomentDisk {
  readonly vdev: string
  /** What the guest writes to. */
  readonly path: string
  /** An empty qcow2 volume, as large as the disk. */
  readonly scratch: string
}

/** What a moment of those disks can be made with. */
export interface MomentMeans {
  /** QEMU can show it, and shows nothing to anybody else. */
  readonly canHold: boolean
  /** Bitmaps that tell, for every one of the disks, what has been written since, and how much that is for each. */
  readonly bitmaps: readonly { readonly name: string; readonly bytes: readonly number[] }[]
}

const MIB = 1024 * 1024

/**
 * Since then QEMU shows what an iothread serves, as every disk of a running Xen guest is served. One before ends, and takes the
 * guest's disks with it, when a reader leaves (`nbd_blockdev_client_closed: Assertion qemu_in_main_thread`).
 */
const SHOWN_SINCE = 9

/**
 * Whether QEMU can show a moment, and which dirty bitmaps of all those disks can be counted on, in bytes (QMP
 * `query-commands`, `query-block-exports`, `query-iothreads`, `query-version`, `query-named-block-nodes`). Looks only.
 * `unsupported` where QEMU does not have one of the disks open; without a QEMU there are no means.
 */
export async function momentMeans(
  host: Host,
  domid: number,
  disks: readonly Pick<MomentDisk, 'vdev' | 'path'>[],
): Promise<MomentMeans> {
  const means = await withMonitor(host, domid, 'libxenstat', 'read', async (qmp): Promise<MomentMeans> => {
    const commands = (await qmp.execute('query-commands')) as readonly { readonly name: string }[]
    const hasServer = commands.some((command) => command.name === 'nbd-server-start')
    const shown = hasServer ? parseExports(await qmp.execute('query-block-exports')) : []
    const threads = (await qmp.execute('query-iothreads')) as readonly unknown[]
    const isShown = threads.length === 0 || parseVersion(await qmp.execute('query-version')) >= SHOWN_SINCE
    const nodes = await sourcesOf(qmp, disks, `cannot look at the disks of domain ${domid}`)
    const known = parseNodes(await listNodes(qmp, 'read'))
    const each = nodes.map((node) => known.find((one) => one.name === node.name)?.bitmaps ?? [])
    const bitmaps = (each[0] ?? []).flatMap(({ name }) => {
      const noted = each.map((own) => own.find((one) => one.name === name)?.bytes)
      return noted.every((bytes) => bytes !== undefined) ? [{ name, bytes: noted }] : []
    })
    return { canHold: hasServer && shown.length === 0 && isShown, bitmaps }
  })
  return means ?? { canHold: false, bitmaps: [] }
}

/**
 * Begins a moment that is read until it is released (`momentUrl`); all disks at once. `bitmap` notes what is written
 * from then on. QMP: `block-dirty-bitmap-add` and `blockdev-backup sync=none` of all disks in one `transaction`, then
 * `nbd-server-start` and `block-export-add`. What an attempt of that name has left is released first. `unsupported`
 * where a disk does not go through QEMU. A failure may leave half of it: `releaseMoment`.
 */
export async function holdMoment(
  host: Host,
  domid: number,
  disks: readonly MomentDisk[],
  options: MomentOptions,
  bitmap: string | undefined,
): Promise<void> {
  await releaseMoment(host, domid, options, bitmap)
  const doing = `cannot hold a moment of domain ${domid} on ${host.name}`
  const held = await withMonitor(
    host,
    domid,
    'libxenstat',
    'change',
    async (qmp) => {
      const sources = await sourcesOf(qmp, disks, doing)
      for (const [index, disk] of disks.entries()) await addScratch(qmp, disk, index, sources[index]!, options, 'on it')
      const jobs = sources.map(({ name }, index) => backupAction(options, index, name, { sync: 'none' }))
      await qmp.execute('transaction', { actions: [...noteActions(sources, bitmap), ...jobs] })
      await exportMoment(qmp, disks, options)
      return true
    },
    options.signal,
  )
  if (!held) throw new PengxError('unsupported', `${doing}: it has no QEMU in the way of its disks`)
}

/**
 * Fails with `commandFailed` where a moment that was begun is not held any more for every disk, or is not that of
 * what the guest writes to (`unsupported` where QEMU no longer has that open). Looks only; ask it after reading as
 * well.
 */
export async function needMoment(
  host: Host,
  domid: number,
  disks: readonly MomentDisk[],
  options: Pick<MomentOptions, 'name'>,
): Promise<void> {
  const doing = `the moment of domain ${domid} on ${host.name} is lost`
  const held = await withMonitor(host, domid, 'libxenstat', 'read', async (qmp) => {
    const sources = await sourcesOf(qmp, disks, doing)
    const jobs = parseBlockJobs(await qmp.execute('query-jobs')).filter((job) => job.id.startsWith(`${options.name}-`))
    const nodes = parseNodes(await listNodes(qmp, 'read'))
    const isOn = (index: number) => nodes.some((node) => node.name === `${options.name}-${index}`)
    return sources.every(
      (_source, index) =>
        jobs.some(({ id, status }) => id === `${options.name}-${index}` && status === 'running') && isOn(index),
    )
  })
  if (!held) throw new PengxError('commandFailed', `${doing}: its guest was rebooted or shut down, or its QEMU gave up`)
}

/**
 * Copies what the disks hold at one moment into the scratch volumes and returns when that is done (QMP
 * `blockdev-backup`): with `since`, what was written after the moment at which that bitmap was begun. That bitmap
 * stays as it is: only who knows that the copy is good may let it go. What was copied is written down by then. `bitmap` notes what is written from this moment
 * on. The rate is the most: less is copied where the guest's writes take too long for it (pace.ts); gives how much longer one has taken than
 * before, where that can be told. `unsupported`, `noSpace`, `commandFailed`; an abort leaves the jobs at work, `releaseMoment` ends them.
 */
export async function copyMoment(
  host: Host,
  domid: number,
  disks: readonly MomentDisk[],
  options: MomentOptions,
  bitmap: string | undefined,
  since: string | undefined,
): Promise<number | undefined> {
  await releaseMoment(host, domid, options, bitmap)
  const doing = `cannot copy a moment of domain ${domid} on ${host.name}`
  const what: { readonly [key: string]: Json } =
    since === undefined ? { sync: 'full' } : { sync: 'bitmap', bitmap: since, 'bitmap-mode': 'never' }
  const begun = await withMonitor(
    host,
    domid,
    'libxenstat',
    'change',
    async (qmp) => {
      const sources = await sourcesOf(qmp, disks, doing)
      const targets: TargetNode[] = []
      for (const [index, disk] of disks.entries())
        targets.push(await addScratch(qmp, disk, index, sources[index]!, options, 'apart'))
      const more = { ...what, speed: options.bytesPerSecond }
      const jobs = sources.map(({ name }, index) => backupAction(options, index, name, more))
      // Not grouped: QEMU 7.2 cannot begin a bitmap in such a transaction. Each is waited for to its end.
      const pace = options.bytesPerSecond > 0 ? createPace(options.bytesPerSecond, await writeTimes(qmp)) : undefined
      await qmp.execute('transaction', { actions: [...noteActions(sources, bitmap), ...jobs] })
      return { targets, pace }
    },
    options.signal,
  )
  if (!begun) throw new PengxError('unsupported', `${doing}: it has no QEMU in the way of its disks`)
  const { targets, pace } = begun
  const paced = pace ? { ...options, atEach: (qmp: Qmp) => keepPace(qmp, options.name, pace) } : options
  await followJobs(host, domid, disks.length, paced, doing, targets)
  return pace?.slowdown()
}

/**
 * Lets go of all that an attempt of that name left in the domain's QEMU, exports, server, jobs and nodes; with
 * `bitmap` of that too. The guest's disks are not touched, the scratch volumes stay. None there is done.
 */
export async function releaseMoment(
  host: Host,
  domid: number,
  options: Pick<MomentOptions, 'name' | 'clock' | 'socket'>,
  bitmap?: string,
): Promise<void> {
  const ours = (await run(host, { ...fileExists(options.socket), timeoutMs: 60_000 })).exit === 0
  for (;;) {
    const left = await withMonitor(host, domid, 'libxenstat', 'change', (qmp) => withdrawMoment(qmp, options.name))
    if (!left) break
    await options.clock.sleep(200)
  }
  await withMonitor(host, domid, 'libxenstat', 'change', async (qmp) => {
    // The socket tells that the server is this attempt's: it serves nothing else then.
    if (ours) await qmp.execute('nbd-server-stop').catch(() => null)
  })
  await cancelJobs(host, domid, options)
  if (bitmap !== undefined) await forgetBitmaps(host, domid, (name) => name === bitmap)
  if (ours) await runAll(host, { ...batch([removeFile(options.socket)]) })
}

/**
 * Removes dirty bitmaps that are meant, of those that pengx began (`pengx-…`) on any disk of the domain (QMP
 * `block-dirty-bitmap-remove`): what is written next can then not be told from them. Without a QEMU there are none.
 */
export async function forgetBitmaps(host: Host, domid: number, isMeant: (name: string) => boolean): Promise<void> {
  await withMonitor(host, domid, 'libxenstat', 'change', async (qmp) => {
    const nodes = parseNodes(await listNodes(qmp, 'change'))
    for (const { name: node, allBitmaps } of nodes) {
      for (const name of allBitmaps.filter((one) => one.startsWith('pengx-') && isMeant(one)))
        await qmp.execute('block-dirty-bitmap-remove', { node, name })
    }
  })
}

interface Source {
  readonly name: string
  readonly sizeBytes: number
}

/** The nodes that the guest writes through, in the order of the disks. */
async function sourcesOf(
  qmp: Qmp,
  disks: readonly Pick<MomentDisk, 'vdev' | 'path'>[],
  doing: string,
): Promise<Source[]> {
  const blocks = await namedBlocks(qmp)
  return disks.map((disk) => {
    const block = blockOf(blocks, disk)
    if (block) return { name: block.node, sizeBytes: block.sizeBytes }
    throw new PengxError('unsupported', `${doing}: ${disk.vdev} (${disk.path}) does not go through QEMU`)
  })
}

/** What is there for a while needs no flushes: after a crash nobody reads it again. */
async function addScratch(
  qmp: Qmp,
  disk: MomentDisk,
  index: number,
  source: Source,
  options: MomentOptions,
  lies: 'on it' | 'apart',
): Promise<TargetNode> {
  const name = `${options.name}-${index}`
  const cache = { 'no-flush': lies === 'on it' }
  const driver = disk.scratch.startsWith('/dev/') ? 'host_device' : 'file'
  const scratch: TargetNode = {
    node: { 'node-name': name, driver: 'qcow2', backing: lies === 'on it' ? source.name : null, cache },
    file: { 'node-name': `f-${name}`, driver, filename: disk.scratch, cache },
  }
  await qmp.execute('blockdev-add', { ...scratch.node, file: scratch.file })
  // Volumes are made in whole MiB, which an image of somebody else's need not be.
  if (source.sizeBytes % MIB !== 0) await qmp.execute('block_resize', { 'node-name': name, size: source.sizeBytes })
  return scratch
}

function noteActions(sources: readonly Source[], bitmap: string | undefined): Json[] {
  if (bitmap === undefined) return []
  return sources.map(({ name }) => ({ type: 'block-dirty-bitmap-add', data: { node: name, name: bitmap } }))
}

function backupAction(
  options: MomentOptions,
  index: number,
  device: string,
  more: { readonly [key: string]: Json },
): Json {
  const id = `${options.name}-${index}`
  return { type: 'blockdev-backup', data: { 'job-id': id, device, target: id, 'auto-dismiss': false, ...more } }
}
