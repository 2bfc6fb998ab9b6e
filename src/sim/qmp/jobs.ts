/**
 * What a simulated QEMU does for long: `blockdev-backup` copies what a guest's disks hold at one moment, `block-stream` what
 * lies below an image into it. Images are headers here, so a copy is the target's size at the end, or its refusal.
 */
import { allocatedFor, findNode, freeBytes, mountOf, setAllocated } from '../machine/files.ts'
import type { SimBlockJob } from '../machine/qemu.ts'
import { QMP_ADDED } from './added.ts'
import { type QmpAnswer, type QmpCall, type QmpCommand, qmpError } from './blocks.ts'
import { stateOf } from './busy.ts'
import { concludeStream, endStream } from './layers.ts'
import { handOver, QMP_MIRRORS, readyMirror } from './mirrors.ts'
import { QMP_MOMENTS } from './moments.ts'
import { transaction } from './transaction.ts'

const CANCELLED = 'Operation canceled'

/** What was due is written, or refused by a full disk. */
export function concludeJobs(call: QmpCall): void {
  const { domain, world } = call
  for (const job of domain.blockJobs ?? []) {
    if (job.concluded || job.held === 'now' || job.ready || world.clock.now() < job.endsAt) continue
    if (job.type === 'stream') {
      endStream(call, job)
      if (job.held === 'later' && job.error === undefined) job.held = 'now'
      else {
        concludeStream(call, job)
        over(call, job)
      }
    } else if (job.type === 'mirror') {
      readyMirror(call, job)
      if (job.error !== undefined) over(call, job)
    } else if (!endBackup(call, job)) continue
    else over(call, job)
    world.save()
  }
}

/** Whether it is over: what has gone well waits for the others of its group. */
function endBackup({ pm, domain, world }: QmpCall, job: SimBlockJob): boolean {
  const path = domain.addedNodes?.find((node) => node.name === job.target)?.path ?? ''
  const node = findNode(pm, path)
  if (node?.kind !== 'file' && node?.kind !== 'block') job.error = 'No such file or directory'
  else if (node.kind === 'file' && job.bytes > freeBytes(mountOf(pm, path))) job.error = 'No space left on device'
  else {
    const group = domain.blockJobs?.filter((one) => one.group !== undefined && one.group === job.group) ?? []
    if (group.some((one) => world.clock.now() < one.endsAt)) return false
    setAllocated(pm, path, node, Math.max(node.allocated, allocatedFor(job.bytes)))
  }
  return true
}

/** A job has ended, and with one that did not end well those of its group; who need not be put away is gone. */
function over({ domain }: QmpCall, job: SimBlockJob): void {
  job.concluded = true
  for (const other of domain.blockJobs ?? []) {
    if (job.error === undefined || job.group === undefined || other.group !== job.group || other.concluded) continue
    other.concluded = true
    other.error = CANCELLED
  }
  domain.blockJobs = domain.blockJobs?.filter((one) => !(one.concluded && one.dismissed))
}

function currentOf(job: SimBlockJob, now: number): number {
  if (stateOf(job) !== 'running') return job.virtualSize
  return Math.floor(job.virtualSize * Math.min(1, (now - job.startedAt) / Math.max(1, job.endsAt - job.startedAt)))
}

const queryJobs: QmpCommand = ({ domain, world }): QmpAnswer => ({
  return: (domain.blockJobs ?? []).map((job) => ({
    'current-progress': currentOf(job, world.clock.now()),
    status: stateOf(job),
    'total-progress': job.virtualSize,
    type: job.type,
    id: job.id,
    ...(job.error === undefined ? {} : { error: job.error }),
  })),
})

const queryBlockJobs: QmpCommand = ({ domain, world }): QmpAnswer => ({
  return: (domain.blockJobs ?? []).map((job) => ({
    'auto-finalize': job.held === undefined,
    'io-status': 'ok',
    device: job.id,
    'auto-dismiss': job.dismissed === true,
    busy: stateOf(job) === 'running',
    len: job.virtualSize,
    offset: currentOf(job, world.clock.now()),
    status: stateOf(job),
    paused: false,
    speed: job.speed,
    ready: job.ready === true && !job.concluded,
    type: job.type,
    ...(job.error === undefined ? {} : { error: job.error }),
  })),
})

const refuseVerb = (job: SimBlockJob, verb: string) =>
  qmpError(`Job '${job.id}' in state '${stateOf(job)}' cannot accept command verb '${verb}'`)

const jobNamed = ({ domain }: QmpCall, id: unknown) => domain.blockJobs?.find((one) => one.id === id)

function cancel(call: QmpCall, job: SimBlockJob): QmpAnswer {
  if (job.concluded) return refuseVerb(job, 'cancel')
  job.error = CANCELLED
  over(call, job)
  call.world.save()
  return { return: {} }
}

const cancelJob: QmpCommand = (call) => {
  const job = jobNamed(call, call.args.id)
  return job === undefined ? qmpError('Job not found') : cancel(call, job)
}

const setSpeed: QmpCommand = (call) => {
  const job = jobNamed(call, call.args.device)
  if (job === undefined) return qmpError(`Block job '${String(call.args.device)}' not found`, 'DeviceNotActive')
  if (job.concluded) return refuseVerb(job, 'set-speed')
  job.speed = Number(call.args.speed)
  call.world.save()
  return { return: {} }
}

const cancelBlockJob: QmpCommand = (call) => {
  const job = jobNamed(call, call.args.device)
  if (job !== undefined) return cancel(call, job)
  return qmpError(`Block job '${String(call.args.device)}' not found`, 'DeviceNotActive')
}

const finalizeJob: QmpCommand = (call) => {
  const job = jobNamed(call, call.args.id)
  if (job === undefined) return qmpError('Job not found')
  if (job.concluded || job.held !== 'now') return refuseVerb(job, 'finalize')
  if (job.type === 'mirror') handOver(call, job)
  else concludeStream(call, job)
  over(call, job)
  call.world.save()
  return { return: {} }
}

const dismissJob: QmpCommand = (call) => {
  const job = jobNamed(call, call.args.id)
  if (job === undefined) return qmpError('Job not found')
  if (!job.concluded) return refuseVerb(job, 'dismiss')
  call.domain.blockJobs = call.domain.blockJobs?.filter((one) => one !== job)
  call.world.save()
  return { return: {} }
}

const completeJob: QmpCommand = (call) => {
  const job = jobNamed(call, call.args.id)
  if (job === undefined) return qmpError('Job not found')
  if (stateOf(job) !== 'ready') return refuseVerb(job, 'complete')
  job.held = 'now'
  call.world.save()
  return { return: {} }
}

export const QMP_JOBS: Record<string, QmpCommand> = {
  ...QMP_ADDED,
  ...QMP_MIRRORS,
  'job-complete': completeJob,
  transaction,
  'query-jobs': queryJobs,
  'query-block-jobs': queryBlockJobs,
  'job-finalize': finalizeJob,
  'job-dismiss': dismissJob,
  'job-cancel': cancelJob,
  'block-job-cancel': cancelBlockJob,
  'block-job-set-speed': setSpeed,
  ...QMP_MOMENTS,
}
