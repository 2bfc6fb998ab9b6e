import type { Clock } from '../../lib/clock.ts'
import { PengxError, toPengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import { batch } from '../host/batch.ts'
import type { Host } from '../host/host.ts'
import { runBatch } from '../host/run.ts'
import { endable } from '../tools/program.ts'
import { type BlockJob, isUnknownCommand, type OpenBlock, parseBlockJobs, parseBlocks, type Qmp } from '../tools/qmp.ts'
import { listNodes, vdevOf, withMonitor } from './monitor.ts'

/**
 * What QEMU does for long with the disks of a running guest. Jobs and nodes carry names that follow from `name`, so that
 * what an attempt left behind is found again. The monitor is held for moments only: xl and xentop want it too.
 */
export interface BlockJobOptions {
  /** At most 20 characters: QEMU's names have 31. */
  readonly name: string
  readonly clock: Clock
  readonly signal?: AbortSignal
  /** 0 to 1. */
  onProgress(done: number): void
  /** Done with each look at the jobs, while the monitor is held. */
  readonly atEach?: (qmp: Qmp) => Promise<void>
}

const POLL_MS = 700

/** A volume that jobs write to: its node's options, and those of the node for the file that it lies in. */
export interface TargetNode {
  readonly node: { readonly 'node-name': string; readonly [option: string]: Json }
  readonly file: { readonly 'node-name': string; readonly filename: string; readonly [option: string]: Json }
}

/**
 * Waits until so many jobs of that name are over, and puts them away (QMP `query-jobs`, `job-dismiss`, `blockdev-del`
 * of their targets); tells 0 to 1 of all bytes meanwhile. Fails with what one of them failed of, as `noSpace` or
 * `commandFailed`; so too where one is gone, as with a QEMU that has ended, and where a target could not be written down
 * to its last table. An abort leaves them at work.
 */
export async function followJobs(
  host: Host,
  domid: number,
  count: number,
  options: BlockJobOptions,
  doing: string,
  targets: readonly TargetNode[] = [],
): Promise<void> {
  await untilJobs(host, domid, count, options, doing, (jobs) => jobs.every(({ status }) => status === 'concluded'))
  // The bulk is on the disk before QEMU is asked for the rest: while it flushes it answers nobody.
  const files = targets.map(({ file }) => endable('sync', file.filename))
  const synced = files.length === 0 ? [] : await runBatch(host, batch(files), options.signal)
  const why = await withMonitor(host, domid, 'libxenstat', 'change', async (qmp) => {
    const jobs = await dismiss(qmp, options.name)
    const errors = jobs.flatMap((job) => job.error ?? [])
    errors.push(...synced.flatMap(({ exit, stderr }) => (exit === 0 ? [] : stderr.trim())))
    if (errors.length === 0) errors.push(...(await unwritten(qmp, targets)))
    await closeTargets(qmp, options.name)
    // Where one of a group fails the others are cancelled, which tells nothing.
    return errors.find((error) => !/^operation cancell?ed$/i.test(error)) ?? errors[0]
  })
  if (why !== undefined) throw jobFailure(doing, why)
}

/** What a job has failed of, as QEMU says it. */
export function jobFailure(doing: string, why: string): PengxError {
  return new PengxError(/no space left/i.test(why) ? 'noSpace' : 'commandFailed', `${doing}: ${why}`)
}

/**
 * Has QEMU write down what it knows of these volumes, and gives why that did not go well. A job's end does not, and what
 * cannot be written when the node is closed QEMU (7.2) tells nobody: the copy lacks then what those tables name. Of all that
 * QMP has only `blockdev-reopen`, with the same options, writes it and says how that ended; one before 6.1 is not asked.
 */
export async function unwritten(qmp: Qmp, targets: readonly TargetNode[]): Promise<string[]> {
  const failures: string[] = []
  for (const { node, file } of targets) {
    await qmp
      .execute('blockdev-reopen', { options: [{ ...node, file: file['node-name'] }] })
      .catch((error: unknown) => {
        if (!isUnknownCommand(error)) failures.push(toPengxError(error).message)
      })
  }
  return failures
}

/**
 * Waits until so many jobs of that name, begun with `auto-finalize: false`, have done all but their last change; gives
 * whether they wait for that (`finishJobs`), and have not failed. Else as `followJobs`, which tells why.
 */
export async function holdJobs(
  host: Host,
  domid: number,
  count: number,
  options: BlockJobOptions,
  doing: string,
): Promise<boolean> {
  const isThere = ({ status }: BlockJob) => status === 'pending' || status === 'concluded'
  const jobs = await untilJobs(host, domid, count, options, doing, (all) => all.every(isThere))
  return jobs.every((job) => job.status === 'pending')
}

/**
 * Waits until so many jobs of that name are `ready`: all is copied, and what the guest writes from then on comes there too.
 * Fails as soon as one is over, as `followJobs` does, and leaves the others at work.
 */
export async function readyJobs(
  host: Host,
  domid: number,
  count: number,
  options: BlockJobOptions,
  doing: string,
): Promise<void> {
  const jobs = await untilJobs(
    host,
    domid,
    count,
    options,
    doing,
    (all) => all.every(({ status }) => status === 'ready') || all.some(({ status }) => status === 'concluded'),
  )
  const over = jobs.find(({ status }) => status === 'concluded')
  if (over) throw jobFailure(doing, over.error ?? 'QEMU has ended the copy')
}

/** Their last change is done (QMP `job-finalize`). */
export async function finishJobs(host: Host, domid: number, { name }: Pick<BlockJobOptions, 'name'>): Promise<void> {
  await withMonitor(host, domid, 'libxenstat', 'change', async (qmp) => {
    for (const { id } of await ownJobs(qmp, name)) await qmp.execute('job-finalize', { id })
  })
}

async function untilJobs(
  host: Host,
  domid: number,
  count: number,
  options: BlockJobOptions,
  doing: string,
  areThere: (jobs: readonly BlockJob[]) => boolean,
): Promise<readonly BlockJob[]> {
  for (;;) {
    options.signal?.throwIfAborted()
    const jobs = await withMonitor(
      host,
      domid,
      'libxenstat',
      options.atEach ? 'change' : 'read',
      async (qmp) => {
        await options.atEach?.(qmp)
        return await ownJobs(qmp, options.name)
      },
      options.signal,
    )
    if (jobs === undefined || jobs.length < count)
      throw new PengxError('commandFailed', `${doing}: its QEMU has ended, or somebody else has ended what it did`)
    if (areThere(jobs)) return jobs
    const total = jobs.reduce((sum, job) => sum + job.total, 0)
    options.onProgress(total === 0 ? 0 : jobs.reduce((sum, job) => sum + job.current, 0) / total)
    await options.clock.sleep(POLL_MS, options.signal)
  }
}

/**
 * Ends the jobs of that name (QMP `block-job-cancel`, forced), waits until none runs, and lets go of the volumes that
 * they write to. Done where there is none, or no QEMU; what they have written stays.
 */
export async function cancelJobs(
  host: Host,
  domid: number,
  options: Pick<BlockJobOptions, 'name' | 'clock'>,
): Promise<void> {
  for (;;) {
    const left = await withMonitor(host, domid, 'libxenstat', 'change', async (qmp) => {
      const jobs = await ownJobs(qmp, options.name)
      const running = jobs.filter((job) => job.status !== 'concluded')
      for (const job of running)
        await qmp.execute('block-job-cancel', { device: job.id, force: true }).catch(() => null)
      if (running.length === 0) {
        await dismiss(qmp, options.name)
        await closeTargets(qmp, options.name)
      }
      return running.length
    })
    if (!left) return
    await options.clock.sleep(POLL_MS)
  }
}

export type NamedBlock = OpenBlock & { readonly vdev: string | undefined }

/**
 * The disks that QEMU has open (QMP `query-block`), each with its name in the guest; that is undefined where neither
 * node nor device tells it, as for an emulated drive. Looks only.
 */
export async function namedBlocks(qmp: Qmp): Promise<NamedBlock[]> {
  const blocks = parseBlocks(await qmp.execute('query-block'))
  const named: NamedBlock[] = []
  for (const block of blocks) named.push({ ...block, vdev: await vdevOf(qmp, block) })
  return named
}

/** Those of that name, as they are now. */
export async function ownJobs(qmp: Qmp, name: string): Promise<BlockJob[]> {
  return parseBlockJobs(await qmp.execute('query-jobs')).filter((job) => job.id.startsWith(`${name}-`))
}

/** Forgets the jobs that are over; gives them as they ended. */
async function dismiss(qmp: Qmp, name: string): Promise<BlockJob[]> {
  const jobs = await ownJobs(qmp, name)
  for (const job of jobs) await qmp.execute('job-dismiss', { id: job.id })
  return jobs
}

async function closeTargets(qmp: Qmp, name: string): Promise<void> {
  const nodes = (await listNodes(qmp, 'change')) as readonly { 'node-name'?: string }[]
  for (const { 'node-name': node } of nodes) {
    if (node?.startsWith(`${name}-`)) await qmp.execute('blockdev-del', { 'node-name': node })
  }
}
