/**
 * Layers under a simulated guest: `blockdev-snapshot-sync` moves its disk onto an overlay, `block-stream` copies into an
 * image what it reads from those between it and another, and at its end changes the image's header.
 */
import { allocatedFor, freeBytes, mountOf, setAllocated } from '../machine/files.ts'
import { liveFormat } from '../machine/openImages.ts'
import type { SimBlockJob } from '../machine/qemu.ts'
import { type Image, imagesBelow, METADATA, openImage } from '../programs/qemuImg/images.ts'
import { findBlock, noDevice, noNode, openBlocks, type QmpCall, type QmpCommand, qmpError } from './blocks.ts'
import { busyWith, durationOf } from './busy.ts'
import { anonymous, innerName } from './nodes.ts'

interface SnapshotSync {
  readonly 'node-name'?: string
  readonly 'snapshot-file'?: string
  readonly 'snapshot-node-name'?: string
  readonly format?: string
}

/** What it would do, or why it cannot: a transaction asks all before it does any. */
export function snapshotSync(
  call: QmpCall,
  data: SnapshotSync,
  isTaken: (name: string) => boolean,
): { readonly apply: () => void } | { error: string } {
  const name = data['node-name']
  const block = findBlock(call, name)
  if (block === undefined) return { error: noNode(name) }
  const busy = busyWith(call, String(name))
  if (busy !== undefined) return { error: busy }
  if (isTaken(data['snapshot-node-name'] ?? '')) return { error: 'New overlay node-name already in use' }
  const path = data['snapshot-file'] ?? ''
  const overlay = openImage(call.pm, path, data.format)
  if (typeof overlay === 'string') return { error: `Could not open '${path}': ${overlay}` }
  return {
    apply: () => {
      // A domain's configuration as libxl has it keeps the old path.
      block.disk.livePath = overlay.path
      block.disk.liveFormat = undefined
      block.disk.nodeName = data['snapshot-node-name'] ?? anonymous(`${overlay.path}/format`)
    },
  }
}

/** An image that QEMU has open under that name, at the top of a chain or within. */
export function imageNamed(call: QmpCall, name: unknown): Image | undefined {
  for (const { disk, nodeName, path } of openBlocks(call)) {
    const top = openImage(call.pm, path, liveFormat(disk))
    if (typeof top === 'string') continue
    if (nodeName === name) return top
    const inner = imagesBelow(call.pm, top).below.find((image) => innerName(disk, image.path) === name)
    if (inner) return inner
  }
  return undefined
}

/** What QEMU calls images that it has open. */
function namesOf(call: QmpCall, images: readonly Image[]): string[] {
  return openBlocks(call).flatMap(({ disk }) => images.map(({ path }) => innerName(disk, path)))
}

const blockStream: QmpCommand = (call) => {
  const { pm, domain, args, world } = call
  const id = String(args['job-id'])
  const top = imageNamed(call, args.device)
  if (top === undefined) return qmpError(noDevice(args.device))
  const baseNode = args['base-node']
  const base = baseNode === undefined ? undefined : imageNamed(call, baseNode)
  if (baseNode !== undefined && base === undefined) return qmpError(noNode(baseNode))
  const { below } = imagesBelow(pm, top)
  const end = below.findIndex((image) => image.path === base?.path)
  if (base !== undefined && end < 0)
    return qmpError(`Node '${String(baseNode)}' is not a backing image of '${String(args.device)}'`)
  const busy = busyWith(call, String(args.device))
  if (busy !== undefined) return qmpError(busy)
  if (domain.blockJobs?.some((job) => job.id === id)) return qmpError(`Job ID '${id}' already in use`)
  const between = end < 0 ? below : below.slice(0, end)
  const bytes = between.reduce((sum, image) => sum + Math.max(0, image.node.allocated - METADATA), 0)
  const speed = Number(args.speed ?? 0)
  const job: SimBlockJob = {
    id,
    type: 'stream',
    nodes: [String(args.device), ...namesOf(call, between)],
    speed,
    ...(args['auto-dismiss'] === false ? {} : { dismissed: true as const }),
    ...(args['auto-finalize'] === false ? { held: 'later' as const } : {}),
    target: top.path,
    ...(base === undefined ? {} : { base: { path: base.path, format: base.header.format } }),
    bytes,
    virtualSize: top.header.virtualSize,
    ...durationOf(world, bytes, speed),
  }
  domain.blockJobs = [...(domain.blockJobs ?? []), job]
  world.save()
  return { return: {} }
}

/** The bytes are there, or there is no room for them. */
export function endStream({ pm }: QmpCall, job: SimBlockJob): void {
  const image = openImage(pm, job.target)
  if (typeof image === 'string') job.error = image
  else if (image.node.kind === 'file' && job.bytes > freeBytes(mountOf(pm, image.path)))
    job.error = 'No space left on device'
}

/** They take their room, and the header says what the image lies on. */
export function concludeStream({ pm }: QmpCall, job: SimBlockJob): void {
  const image = openImage(pm, job.target)
  if (typeof image === 'string' || job.error !== undefined) return
  const { node, header, path } = image
  if (node.kind === 'file') setAllocated(pm, path, node, node.allocated + allocatedFor(job.bytes))
  const { backing: _backing, backingFormat: _format, ...rest } = header
  node.image = job.base === undefined ? rest : { ...rest, backing: job.base.path, backingFormat: job.base.format }
}

/** `qemu-io WHOM flush`; nothing else is simulated, and what it says tells nothing either way. */
const qemuIo = (call: QmpCall, line: string): string => {
  const [, whom, does] = /^qemu-io (?:-d )?(\S+) (.*)$/.exec(line) ?? []
  const path = findBlock(call, whom)?.path ?? imageNamed(call, whom)?.path
  if (does !== 'flush' || path === undefined) return `Error: Cannot find device='' nor node-name='${String(whom)}'\r\n`
  for (const job of call.domain.blockJobs ?? []) if (job.target === path && job.held === 'now') job.flushed = true
  call.world.save()
  return ''
}

const humanMonitor: QmpCommand = (call) => {
  const line = String(call.args['command-line'])
  if (line.startsWith('info status')) return { return: 'VM status: running\r\n' }
  return { return: line.startsWith('qemu-io ') ? qemuIo(call, line) : '' }
}

export const QMP_LAYERS: Record<string, QmpCommand> = {
  'block-stream': blockStream,
  'human-monitor-command': humanMonitor,
}
