import { PengxError } from '../../../model/error.ts'
import type { Host } from '../../host/host.ts'
import { parseVersion, type Qmp } from '../../tools/qmp.ts'
import {
  type BlockJobOptions,
  cancelJobs,
  jobFailure,
  type NamedBlock,
  namedBlocks,
  ownJobs,
  readyJobs,
} from '../blockJobs.ts'
import type { DomainSeen } from '../domain.ts'
import { withQmpLock } from '../libxlLock.ts'
import { withMonitor } from '../monitor.ts'
import { closeImages } from '../stream.ts'
import { flushPairs, type MirrorDisk, openTarget } from './targets.ts'

/**
 * The disks of a running guest go over to other volumes while it writes (`blockdev-mirror`): QEMU copies them, and time and
 * again what the guest has written meanwhile. For the change-over the guest is paused: then the last of it is copied, and
 * both volumes are the same. Up to there it is given up by ending the jobs, and the guest has never been elsewhere.
 *
 * `copy-mode: write-blocking`, by which a write ends only when it is on both, would need no pause; with it QEMU (7.2) loses writes when a
 * target is flushed meanwhile, and ends when the copy is given up.
 */
export interface MirrorOptions extends BlockJobOptions {
  /** 0: as fast as it goes. Of each disk. */
  readonly bytesPerSecond: number
}

/** Since then what QEMU knows of a volume can be written down so that it says how that ended (`blockdev-reopen`). */
const SINCE = 6.01

/**
 * Why disks cannot go over to other volumes while their guest runs, as a sentence, or undefined. Looks only (QMP
 * `query-version`, `query-block`).
 */
export async function refuseMirror(
  host: Host,
  domid: number,
  disks: readonly Pick<MirrorDisk, 'vdev' | 'path'>[],
): Promise<string | undefined> {
  const looked = await withMonitor(host, domid, 'libxenstat', 'read', async (qmp) => {
    const version = parseVersion(await qmp.execute('query-version'))
    if (version < SINCE)
      return {
        why: `its QEMU is older than 6.1, and does not say whether it has written all of a disk down: shut it down first`,
      }
    const blocks = await namedBlocks(qmp)
    return { why: disks.map((disk) => refuseBlock(blocks, disk)).find((why) => why !== undefined) }
  })
  if (looked) return looked.why
  return disks[0] && throughKernel(disks[0])
}

function refuseBlock(blocks: readonly NamedBlock[], disk: Pick<MirrorDisk, 'vdev' | 'path'>): string | undefined {
  const { vdev, path } = disk
  if (blocks.some(({ device, file }) => /^(ide|sd)\d/.test(device) && file === path))
    return `the guest uses the emulated drive of ${vdev}: shut it down first, or give it PV drivers`
  const block = blocks.find((one) => one.vdev === vdev)
  if (!block) return throughKernel(disk)
  if (block.file === path) return undefined
  return `${vdev} is written to ${block.file}, and not to ${path}, as is written down: pengx verify says what differs`
}

function throughKernel({ vdev, path }: Pick<MirrorDisk, 'vdev' | 'path'>): string {
  return `${vdev} (${path}) goes through the kernel (phy) and not through QEMU, which alone can copy it while the guest writes: shut it down first`
}

/**
 * Copies the disks into their targets and returns when all is there; what the guest writes from then on comes there too, a little
 * later (QMP `blockdev-add`, `blockdev-mirror`), until `completeMirrors` or `endMirrors`. What an attempt of that name has left is ended
 * first. `unsupported` where a disk does not go through QEMU, `noSpace`, `commandFailed`. An abort leaves the jobs at work.
 */
export async function mirrorDisks(
  host: Host,
  domid: number,
  disks: readonly MirrorDisk[],
  options: MirrorOptions,
): Promise<void> {
  await endMirrors(host, domid, disks, options)
  const doing = `cannot move the disks of domain ${domid} on ${host.name} while it runs`
  const begin = async (qmp: Qmp) => {
    const blocks = await namedBlocks(qmp)
    for (const [index, { vdev, path, target }] of disks.entries()) {
      const block = blocks.find((one) => one.vdev === vdev && one.file === path)
      if (!block) throw new PengxError('unsupported', `${doing}: ${vdev} (${path}) does not go through QEMU`)
      const node = await openTarget(qmp, vdev, target, block.sizeBytes)
      await qmp.execute('blockdev-mirror', {
        'job-id': `${options.name}-${index}`,
        device: block.node,
        target: node,
        sync: 'full',
        'copy-mode': 'background',
        speed: options.bytesPerSecond,
        'auto-finalize': false,
        'auto-dismiss': false,
      })
    }
    return true
  }
  const begun = await withMonitor(host, domid, 'libxenstat', 'change', begin, options.signal)
  if (!begun) throw new PengxError('unsupported', `${doing}: it has no QEMU in the way of its disks`)
  await readyJobs(host, domid, disks.length, options, doing)
}

/**
 * Ends what `mirrorDisks` has begun, or what is over of it, and has QEMU close the targets that no guest writes to. None there is
 * done; what was copied stays in the targets.
 */
export async function endMirrors(
  host: Host,
  domid: number,
  disks: readonly Pick<MirrorDisk, 'target'>[],
  options: Pick<BlockJobOptions, 'name' | 'clock'>,
): Promise<void> {
  await cancelJobs(host, domid, options)
  const blocks = await withMonitor(host, domid, 'libxenstat', 'read', (qmp) => namedBlocks(qmp))
  const unused = disks.map(({ target }) => target.path).filter((path) => !blocks?.some(({ file }) => file === path))
  await closeImages(host, domid, unused)
}

/**
 * Has QEMU write down all that it knows of both volumes of each disk. Fails, as the copy would, where one of its jobs is not
 * `ready` any more or a target cannot be written down.
 */
export async function flushMirrors(
  host: Host,
  domid: number,
  disks: readonly MirrorDisk[],
  options: Pick<BlockJobOptions, 'name'>,
): Promise<void> {
  const doing = `cannot move the disks of domain ${domid} on ${host.name} while it runs`
  const done = await withMonitor(host, domid, 'libxenstat', 'change', async (qmp) => {
    await needReady(qmp, disks, options, doing)
    const blocks = await namedBlocks(qmp)
    const devices = disks.flatMap(({ vdev, path }) => {
      const qdev = blocks.find((block) => block.vdev === vdev && block.file === path)?.qdev
      return qdev ? [qdev] : []
    })
    await flushPairs(qmp, disks, devices, doing)
    return true
  })
  if (!done) throw new PengxError('commandFailed', `${doing}: its QEMU has ended`)
}

/** Of a mirror that waits for nobody, the state may be `standby` for a moment while its target is opened anew. */
const MIRRORS = ['ready', 'standby', 'pending']

async function needReady(
  qmp: Qmp,
  disks: readonly MirrorDisk[],
  { name }: Pick<BlockJobOptions, 'name'>,
  doing: string,
): Promise<void> {
  const jobs = await ownJobs(qmp, name)
  const over = jobs.find(({ status }) => status === 'concluded')
  if (over) throw jobFailure(doing, over.error ?? 'QEMU has ended the copy')
  if (jobs.length === disks.length && jobs.every(({ status }) => MIRRORS.includes(status))) return
  throw new PengxError('commandFailed', `${doing}: its QEMU has ended, or somebody else has ended what it did`)
}

/** How long QEMU may take to come to an end with it; the guest is paused meanwhile. */
const HAND_OVER_MS = 30_000

type Domain = Pick<DomainSeen, 'domid' | 'uuid' | 'ownUuid'>

const handingOver = (host: Host, { domid }: Domain) => `cannot hand the disks of domain ${domid} on ${host.name} over`

/**
 * Of a guest that is paused: QEMU copies what is left, lets no write come any more, and has all of it written down in the
 * targets (QMP `job-complete` of jobs that do not finalize by themselves): both volumes of each disk are the same from here on,
 * until `completeMirrors`, or until `endMirrors` gives it up. Those that the guest writes to already stay. Fails as the copy
 * would where it cannot, and after half a minute.
 */
export async function holdMirrors(
  host: Host,
  domain: Domain,
  disks: readonly MirrorDisk[],
  options: Pick<BlockJobOptions, 'name' | 'clock'>,
  tag: string,
): Promise<void> {
  const doing = handingOver(host, domain)
  const done = await withQmpLock(host, domain, tag, (lock) =>
    withMonitor(host, domain.domid, 'libxl', 'change', async (qmp) => {
      if (await areOver(qmp, disks)) return true
      await needReady(qmp, disks, options, doing)
      await untilState(qmp, ['ready', 'pending'], options, doing)
      await lock.needHeld()
      for (const { id, status } of await ownJobs(qmp, options.name))
        if (status === 'ready') await qmp.execute('job-complete', { id })
      await untilState(qmp, ['pending'], options, doing)
      return true
    }),
  )
  if (!done) throw new PengxError('commandFailed', `${doing}: its QEMU has ended`)
}

/**
 * From here on the guest writes to the targets alone: QMP `job-finalize` of all that `holdMirrors` holds, under libxl's own lock,
 * then looks whether it is so. Those that are there already stay. `commandFailed` where QEMU does not do it: nothing takes
 * back what it has done, and only `writtenImages` tells.
 */
export async function completeMirrors(
  host: Host,
  domain: Domain,
  disks: readonly MirrorDisk[],
  options: Pick<BlockJobOptions, 'name' | 'clock'>,
  tag: string,
): Promise<void> {
  const doing = handingOver(host, domain)
  const done = await withQmpLock(host, domain, tag, (lock) =>
    withMonitor(host, domain.domid, 'libxl', 'change', async (qmp) => {
      if (await areOver(qmp, disks)) return true
      const jobs = await ownJobs(qmp, options.name)
      if (jobs.length < disks.length || jobs.some(({ status }) => status !== 'pending'))
        throw new PengxError('commandFailed', `${doing}: QEMU does not hold all of them for that`)
      await lock.needHeld()
      for (const { id } of jobs) await qmp.execute('job-finalize', { id })
      await untilState(qmp, ['concluded'], options, doing)
      if (await areOver(qmp, disks)) return true
      throw new PengxError('commandFailed', `${doing}: QEMU said yes, and they are where they were`)
    }),
  )
  if (!done) throw new PengxError('commandFailed', `${doing}: its QEMU has ended`)
}

async function areOver(qmp: Qmp, disks: readonly MirrorDisk[]): Promise<boolean> {
  const blocks = await namedBlocks(qmp)
  return disks.every(({ vdev, target }) => blocks.some((one) => one.vdev === vdev && one.file === target.path))
}

async function untilState(
  qmp: Qmp,
  states: readonly string[],
  { name, clock }: Pick<BlockJobOptions, 'name' | 'clock'>,
  doing: string,
): Promise<void> {
  for (const until = clock.now() + HAND_OVER_MS; ; await clock.sleep(50)) {
    const jobs = await ownJobs(qmp, name)
    const failed = jobs.find(({ error }) => error !== undefined)
    if (failed) throw jobFailure(doing, failed.error!)
    if (jobs.every(({ status }) => states.includes(status))) return
    if (clock.now() >= until) throw new PengxError('commandFailed', `${doing}: QEMU does not come to an end with it`)
  }
}
