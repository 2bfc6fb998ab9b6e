/**
 * QEMU's copies of what a guest's disks hold at one moment: nodes added by hand, `blockdev-backup` in a transaction,
 * and the jobs that it makes. Images are headers here, so a copy is the target's size at the end, or its refusal.
 */
import { allocatedFor, findNode, freeBytes, mountOf, setAllocated } from '../machine/files.ts'
import { keptOf } from '../machine/openImages.ts'
import type { SimBlockJob } from '../machine/state.ts'
import { chainAllocated, openImage } from '../programs/qemuImg/images.ts'
import { findBlock, type QmpAnswer, type QmpCall, type QmpCommand, qmpError } from './blocks.ts'
import { concludeStream, endStream, imageNamed, snapshotSync } from './layers.ts'
import { addBitmap, lacksBitmap, QMP_MOMENTS } from './moments.ts'
import { ownName } from './nodes.ts'

const MS_PER_GIB = 400
/** Survives JSON, which Infinity does not. */
const NEVER = 8.64e15

const blockdevAdd: QmpCommand = ({ pm, domain, args, world }) => {
  const name = String(args['node-name'] ?? '')
  const file = args.file as { filename?: string } | string | undefined
  // A filter stands on a node that is there.
  const below = domain.addedNodes?.find((node) => node.name === file)
  const path = below?.path ?? (typeof file === 'object' ? file.filename : undefined) ?? ''
  if (domain.addedNodes?.some((node) => node.name === name)) return qmpError(`Duplicate nodes with node-name='${name}'`)
  const node = findNode(pm, path)
  if (node?.kind !== 'file' && node?.kind !== 'block')
    return qmpError(`Could not open '${path}': No such file or directory`)
  const format = below?.format ?? String(args.driver)
  const backing = typeof args.backing === 'string' ? { backing: args.backing } : {}
  domain.addedNodes = [
    ...(domain.addedNodes ?? []),
    { name, path, format, ...below, ...backing, ...(below ? { on: below.name, name } : {}) },
  ]
  world.save()
  return { return: {} }
}

const blockdevDel: QmpCommand = (call) => {
  const { domain, args, world } = call
  const name = String(args['node-name'] ?? '')
  if (!domain.addedNodes?.some((node) => node.name === name)) return closeOwn(call, name)
  const used = domain.blockJobs?.some((job) => job.target === name && !job.concluded)
  if (
    used ||
    domain.addedNodes.some((node) => node.on === name) ||
    domain.nbd?.exports.some((one) => one.node === name)
  )
    return qmpError(`Node ${name} is in use`)
  domain.addedNodes = domain.addedNodes.filter((node) => node.name !== name)
  world.save()
  return { return: {} }
}

/** Of the nodes that nobody has added by hand only a device's own can be closed, once no disk reads it. */
function closeOwn(call: QmpCall, name: string): QmpAnswer {
  const { domain, pm, world } = call
  const disk = domain.config.disks.find((one) => ownName(one) === name)
  if (disk && keptOf(pm, disk) !== undefined) {
    disk.ownClosed = true
    world.save()
    return { return: {} }
  }
  if (imageNamed(call, name) === undefined) return qmpError(`Failed to find node with node-name='${name}'`)
  if (disk === undefined) return qmpError(`Node ${name} is not owned by the monitor`)
  return qmpError(`Node '${name}' is busy: node is used as backing hd of '${disk.nodeName}'`)
}

const transaction: QmpCommand = (call) => {
  const actions = call.args.actions as readonly { type: string; data: Record<string, unknown> }[]
  const made: SimBlockJob[] = []
  const switches: (() => void)[] = []
  for (const { type, data } of actions) {
    if (type === 'blockdev-snapshot-sync') {
      const moved = snapshotSync(call, data)
      if ('error' in moved) return qmpError(moved.error)
      switches.push(moved.apply)
      continue
    }
    if (type === 'block-dirty-bitmap-add') {
      const added = addBitmap(call, data)
      if ('error' in added) return qmpError(added.error)
      switches.push(added.apply)
      continue
    }
    if (type !== 'blockdev-backup') return qmpError(`transaction: ${type} is not simulated`)
    const job = backupJob(call, data)
    if ('error' in job) return { error: { class: 'GenericError', desc: job.error } }
    made.push(job.job)
  }
  // All of a transaction ends with its slowest; what only keeps what is overwritten ends when it is told to.
  const endsAt = Math.max(...made.map((job) => job.endsAt))
  call.domain.blockJobs = [...(call.domain.blockJobs ?? []), ...made.map((job) => ({ ...job, endsAt }))]
  for (const move of switches) move()
  call.world.save()
  return { return: {} }
}

function backupJob(call: QmpCall, data: Record<string, unknown>): { job: SimBlockJob } | { error: string } {
  const { pm, domain, world } = call
  const id = String(data['job-id'])
  const source = findBlock(call, data.device)
  if (source === undefined) return { error: `Cannot find device='' nor node-name='${String(data.device)}'` }
  const target = domain.addedNodes?.find((node) => node.name === data.target)
  if (target === undefined) return { error: `Cannot find device='' nor node-name='${String(data.target)}'` }
  if (domain.blockJobs?.some((job) => job.id === id)) return { error: `Job ID '${id}' already in use` }
  const from = openImage(pm, source.path, source.disk.format)
  if (typeof from === 'string') return { error: from }
  const to = openImage(pm, target.path, target.format)
  if (typeof to === 'string') return { error: to }
  const { virtualSize } = from.header
  if (virtualSize !== to.header.virtualSize) return { error: 'Source and target image have different sizes' }
  const lacking = lacksBitmap(call, data)
  if (lacking !== undefined) return { error: lacking }
  const now = world.clock.now()
  const bytes = data.sync === 'full' ? Math.min(virtualSize, chainAllocated(pm, from)) : Math.min(virtualSize, 65_536)
  const takes = (bytes / 1073741824) * MS_PER_GIB * world.pace
  const job: SimBlockJob = {
    id,
    type: 'backup',
    target: target.name,
    bytes,
    virtualSize,
    startedAt: now,
    endsAt: data.sync === 'none' ? NEVER : now + takes,
  }
  return { job }
}

/** What was due is written, or refused by a full disk. */
function conclude(call: QmpCall): void {
  const { pm, domain, world } = call
  for (const job of domain.blockJobs ?? []) {
    if (job.concluded || job.held === 'now' || world.clock.now() < job.endsAt) continue
    if (job.type === 'stream') {
      endStream(call, job)
      if (job.held === 'later' && job.error === undefined) job.held = 'now'
      else {
        concludeStream(call, job)
        job.concluded = true
      }
      world.save()
      continue
    }
    job.concluded = true
    const path = domain.addedNodes?.find((node) => node.name === job.target)?.path ?? ''
    const node = findNode(pm, path)
    if (node?.kind !== 'file' && node?.kind !== 'block') job.error = 'No such file or directory'
    else if (node.kind === 'file' && job.bytes > freeBytes(mountOf(pm, path))) job.error = 'No space left on device'
    else setAllocated(pm, path, node, Math.max(node.allocated, allocatedFor(job.bytes)))
    world.save()
  }
}

const queryJobs: QmpCommand = (call): QmpAnswer => {
  conclude(call)
  const now = call.world.clock.now()
  return {
    return: (call.domain.blockJobs ?? []).map((job) => {
      const share =
        job.concluded || job.held === 'now'
          ? 1
          : Math.min(1, (now - job.startedAt) / Math.max(1, job.endsAt - job.startedAt))
      return {
        'current-progress': Math.floor(job.virtualSize * share),
        status: job.concluded ? 'concluded' : job.held === 'now' ? 'pending' : 'running',
        'total-progress': job.virtualSize,
        type: job.type,
        id: job.id,
        ...(job.error === undefined ? {} : { error: job.error }),
      }
    }),
  }
}

const cancelJob: QmpCommand = ({ domain, args, world }) => {
  const id = String(args.device ?? args.id ?? '')
  const job = domain.blockJobs?.find((one) => one.id === id)
  if (job === undefined || job.concluded) return qmpError(`Block job '${id}' not found`, 'DeviceNotActive')
  job.concluded = true
  job.error = 'Operation canceled'
  world.save()
  return { return: {} }
}

const finalizeJob: QmpCommand = (call) => {
  const id = String(call.args.id ?? '')
  const job = call.domain.blockJobs?.find((one) => one.id === id)
  if (job === undefined) return qmpError('Job not found')
  if (job.concluded || job.held !== 'now')
    return qmpError(`Job '${id}' in state 'running' cannot accept command verb 'finalize'`)
  concludeStream(call, job)
  job.concluded = true
  call.world.save()
  return { return: {} }
}

const dismissJob: QmpCommand = ({ domain, args, world }) => {
  const id = String(args.id ?? '')
  const job = domain.blockJobs?.find((one) => one.id === id)
  if (job === undefined) return qmpError('Job not found')
  if (!job.concluded) return qmpError(`Job '${id}' in state 'running' cannot accept command verb 'dismiss'`)
  domain.blockJobs = domain.blockJobs?.filter((one) => one !== job)
  world.save()
  return { return: {} }
}

export const QMP_JOBS: Record<string, QmpCommand> = {
  'blockdev-add': blockdevAdd,
  'blockdev-del': blockdevDel,
  transaction,
  'query-jobs': queryJobs,
  'job-finalize': finalizeJob,
  'job-dismiss': dismissJob,
  'job-cancel': cancelJob,
  'block-job-cancel': cancelJob,
  ...QMP_MOMENTS,
}
