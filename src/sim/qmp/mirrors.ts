/**
 * Disks under a simulated guest that go over to other volumes: `blockdev-mirror` copies one, with what is written meanwhile,
 * until it is told to hand the disk over.
 */
import { allocatedFor, findNode, freeBytes, mountOf, setAllocated } from '../machine/files.ts'
import { liveFormat } from '../machine/openImages.ts'
import type { SimBlockJob } from '../machine/qemu.ts'
import { chainAllocated, openImage } from '../programs/qemuImg/images.ts'
import { findBlock, noDevice, type QmpCall, type QmpCommand, qmpError } from './blocks.ts'
import { busyWith, durationOf, jobOn } from './busy.ts'

const blockdevMirror: QmpCommand = (call) => {
  const { pm, domain, args, world } = call
  const id = String(args['job-id'])
  const block = findBlock(call, args.device)
  if (block === undefined) return qmpError(noDevice(args.device))
  const target = domain.addedNodes?.find((node) => node.name === args.target)
  if (target === undefined) return qmpError(noDevice(args.target))
  const from = openImage(pm, block.path, liveFormat(block.disk))
  if (typeof from === 'string') return qmpError(from)
  const to = openImage(pm, target.path, target.format)
  if (typeof to === 'string') return qmpError(to)
  // Its filter stands on the disk.
  if (jobOn(call, block.nodeName)?.type === 'mirror') return qmpError('Need a root block node')
  const busy = busyWith(call, block.nodeName) ?? busyWith(call, target.name)
  if (busy !== undefined) return qmpError(busy)
  if (domain.blockJobs?.some((job) => job.id === id)) return qmpError(`Job ID '${id}' already in use`)
  const { virtualSize } = from.header
  const bytes = Math.min(virtualSize, chainAllocated(pm, from))
  const speed = Number(args.speed ?? 0)
  const job: SimBlockJob = {
    id,
    type: 'mirror',
    target: target.name,
    source: block.nodeName,
    nodes: [block.nodeName, target.name],
    speed,
    ...(args['auto-dismiss'] === false ? {} : { dismissed: true as const }),
    ...(args['auto-finalize'] === false ? { held: 'later' as const } : {}),
    bytes,
    virtualSize,
    ...durationOf(world, bytes, speed),
  }
  domain.blockJobs = [...(domain.blockJobs ?? []), job]
  world.save()
  return { return: {} }
}

/** All is copied, or there is no room for it. */
export function readyMirror({ pm, domain }: QmpCall, job: SimBlockJob): void {
  const path = domain.addedNodes?.find((node) => node.name === job.target)?.path ?? ''
  const node = findNode(pm, path)
  if (node?.kind !== 'file' && node?.kind !== 'block') job.error = 'No such file or directory'
  else if (node.kind === 'file' && job.bytes > freeBytes(mountOf(pm, path))) job.error = 'No space left on device'
  else {
    setAllocated(pm, path, node, Math.max(node.allocated, allocatedFor(job.bytes)))
    job.ready = true
  }
}

/** The disk goes over to the target; the node that it was on stays for as long as nobody closes it. */
export function handOver(call: QmpCall, job: SimBlockJob): void {
  const block = findBlock(call, job.source)
  const target = call.domain.addedNodes?.find((node) => node.name === job.target)
  if (block === undefined || target === undefined) return
  block.disk.livePath = target.path
  block.disk.liveFormat = target.format
  block.disk.nodeName = target.name
}

export const QMP_MIRRORS: Record<string, QmpCommand> = {
  'blockdev-mirror': blockdevMirror,
}
