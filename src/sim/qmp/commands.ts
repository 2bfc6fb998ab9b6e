/**
 * What a simulated QEMU answers: a table, to which live snapshots and block jobs are added as rows. The blocks are
 * those of the domain's disks that go through QEMU.
 */
import { findNode, splitPath } from '../machine/files.ts'
import { countersOf, remove, startCounting, stopCounting } from '../machine/guests.ts'
import { keptOf } from '../machine/openImages.ts'
import type { BlockNode, FileNode, ImageHeader, PmState, SimDisk } from '../machine/state.ts'
import { findBlock, noNode, openBlocks, type QmpCall, type QmpCommand, qmpError } from './blocks.ts'
import { jobOn } from './busy.ts'
import { QMP_JOBS } from './jobs.ts'
import { QMP_LAYERS } from './layers.ts'
import { bitmapsOn } from './moments.ts'
import { anonymous, innerName, ownName } from './nodes.ts'

function nodeAt(pm: PmState, path: string): FileNode | BlockNode | undefined {
  const node = findNode(pm, path)
  return node?.kind === 'file' || node?.kind === 'block' ? node : undefined
}

function imageOf(pm: PmState, path: string, depth = 0): Record<string, unknown> {
  const node = nodeAt(pm, path)
  const header: ImageHeader = node?.image ?? { format: 'raw', virtualSize: node?.size ?? 0 }
  const { backing } = header
  const full =
    backing === undefined || backing.startsWith('/') ? backing : `/${splitPath(path).slice(0, -1).join('/')}/${backing}`
  return {
    ...(full !== undefined && depth < 50 ? { 'backing-image': imageOf(pm, full, depth + 1) } : {}),
    ...(header.backingFormat ? { 'backing-filename-format': header.backingFormat } : {}),
    'virtual-size': header.virtualSize,
    filename: path,
    ...(header.format === 'qcow2' ? { 'cluster-size': 65536 } : {}),
    format: header.format,
    'actual-size': node?.kind === 'file' ? node.allocated : 0,
    ...(header.format === 'qcow2' ? { 'format-specific': QCOW2 } : {}),
    ...(full === undefined ? {} : { 'full-backing-filename': full, 'backing-filename': backing }),
    'dirty-flag': false,
  }
}

const QCOW2 = {
  type: 'qcow2',
  data: {
    compat: '1.1',
    'compression-type': 'zlib',
    'lazy-refcounts': false,
    'refcount-bits': 16,
    corrupt: false,
    'extended-l2': false,
  },
}

function depthOf(image: Record<string, unknown>): number {
  const below = image['backing-image'] as Record<string, unknown> | undefined
  return below === undefined ? 0 : 1 + depthOf(below)
}

function inserted(image: Record<string, unknown>, nodeName: string, readOnly: boolean): Record<string, unknown> {
  return {
    iops_rd: 0,
    detect_zeroes: 'off',
    image,
    iops_wr: 0,
    ro: readOnly,
    'node-name': nodeName,
    backing_file_depth: depthOf(image),
    drv: image.format,
    iops: 0,
    bps_wr: 0,
    write_threshold: 0,
    ...(image['full-backing-filename'] ? { backing_file: image['full-backing-filename'] } : {}),
    encrypted: false,
    bps: 0,
    bps_rd: 0,
    cache: { 'no-flush': false, direct: false, writeback: true },
    file: image.filename,
  }
}

const queryBlock: QmpCommand = (call) => ({
  return: openBlocks(call).map(({ disk, nodeName, qdev, path }) => ({
    device: '',
    locked: false,
    removable: disk.cdrom,
    inserted: inserted(imageOf(call.pm, path), nodeName, disk.readOnly),
    qdev,
    type: 'unknown',
  })),
})

/** An HVM guest does not outlive its QEMU; what becomes of a PV guest's disks is not simulated. */
function endQemu({ world, pm, domain }: QmpCall): void {
  if (domain.config.type === 'hvm') remove(pm, domain)
  else domain.qemuKilled = true
  world.save()
}

const queryNamedBlockNodes: QmpCommand = (call) => {
  // QEMU 7.2 finds a filter that stands on nothing any more, and ends.
  if (call.domain.blockJobs?.some((job) => job.type === 'stream' && job.concluded)) {
    endQemu(call)
    return { return: [], hangUp: 'unanswered' }
  }
  const nodes: Record<string, unknown>[] = []
  const depthIn = (image: Record<string, unknown>) => (call.args.flat === true ? 0 : depthOf(image))
  const fileNodeOf = (name: string, path: string) =>
    call.domain.addedNodes?.find((one) => one.name === name)?.fileName ?? anonymous(path)
  const addFile = (name: string, path: string, readOnly: boolean) => {
    const size = nodeAt(call.pm, path)
    const file = {
      'virtual-size': size?.size ?? 0,
      filename: path,
      format: 'file',
      'actual-size': size?.allocated ?? 0,
      'dirty-flag': false,
    }
    nodes.push(inserted(file, name, readOnly))
  }
  const addChain = (name: string, path: string, disk: SimDisk, isKept: boolean) => {
    let image: Record<string, unknown> | undefined = imageOf(call.pm, path)
    for (let depth = 0; image !== undefined; depth++) {
      const flat: Record<string, unknown> = { ...image }
      if (call.args.flat === true) delete flat['backing-image']
      const readOnly: boolean = disk.readOnly || depth > 0 || isKept
      const at = String(image.filename)
      const own = depth === 0 ? name : innerName(disk, at)
      nodes.push({ ...inserted(flat, own, readOnly), backing_file_depth: depthIn(image), ...bitmapsOn(call, own) })
      addFile(fileNodeOf(own, at), at, readOnly)
      image = image['backing-image'] as Record<string, unknown> | undefined
    }
  }
  for (const { disk, nodeName, path } of openBlocks(call)) {
    addChain(nodeName, path, disk, false)
    const kept = keptOf(call.pm, disk)
    if (kept !== undefined) addChain(ownName(disk), kept, disk, true)
  }
  for (const { name, path, on, fileName } of call.domain.addedNodes ?? []) {
    // A disk has gone over to it, and is told of with it.
    if (findBlock(call, name)) continue
    const { 'backing-image': _backing, ...flat } = imageOf(call.pm, path)
    nodes.push({ ...inserted(flat, name, false), ...bitmapsOn(call, name) })
    if (on === undefined) addFile(fileName ?? anonymous(`${path}/added`), path, false)
  }
  return { return: nodes }
}

function stats(read: number, written: number): Record<string, unknown> {
  return {
    unmap_operations: 0,
    unmap_merged: 0,
    flush_total_time_ns: 0,
    wr_highest_offset: written,
    wr_total_time_ns: written * 5,
    failed_wr_operations: 0,
    failed_rd_operations: 0,
    wr_merged: 0,
    wr_bytes: written,
    timed_stats: [],
    failed_unmap_operations: 0,
    failed_flush_operations: 0,
    account_invalid: true,
    rd_total_time_ns: read * 5,
    invalid_unmap_operations: 0,
    flush_operations: Math.floor(written / 65536),
    wr_operations: Math.floor(written / 16384),
    unmap_bytes: 0,
    rd_merged: 0,
    rd_bytes: read,
    unmap_total_time_ns: 0,
    invalid_flush_operations: 0,
    account_failed: true,
    rd_operations: Math.floor(read / 16384),
    invalid_wr_operations: 0,
    invalid_rd_operations: 0,
  }
}

/** What a guest has moved is split over its disks, most of it on the first. */
const queryBlockstats: QmpCommand = (call) => {
  const counters = countersOf(call.domain, call.world.clock.now())
  const blocks = openBlocks(call)
  return {
    return: blocks.map(({ disk, nodeName, qdev, path }, index) => {
      const share = disk.cdrom ? 0 : index === 0 ? 0.7 : 0.3 / Math.max(1, blocks.length - 1)
      const read = Math.floor(counters.read * share)
      const written = disk.readOnly ? 0 : Math.floor(counters.written * share)
      return {
        device: '',
        parent: { stats: stats(0, 0), 'node-name': anonymous(path) },
        stats: stats(read, written),
        'node-name': nodeName,
        qdev,
      }
    }),
  }
}

const blockResize: QmpCommand = (call) => {
  const name = call.args['node-name'] ?? call.args.device
  const added = call.domain.addedNodes?.find((one) => one.name === name)
  const block = findBlock(call, name)
  const path = added?.path ?? block?.path
  if (path === undefined) return qmpError(noNode(name))
  const node = nodeAt(call.pm, path)
  const size = Number(call.args.size)
  if (node === undefined || !Number.isFinite(size) || size < 0) return qmpError("Parameter 'size' expects a >0 size")
  if (jobOn(call, String(name))) return qmpError("Device '(null)' is in use")
  if (size % 512 !== 0) return qmpError('The new size must be a multiple of 512')
  const format = added?.format ?? block?.disk.format ?? 'raw'
  node.image = { ...(node.image ?? { format, virtualSize: node.size }), virtualSize: size }
  if (node.image.format === 'raw' && node.kind === 'file') node.size = size
  call.world.save()
  return { return: {} }
}

export const QMP_COMMANDS: Record<string, QmpCommand> = {
  qmp_capabilities: () => qmpError('Capabilities negotiation is already complete, command ignored', 'CommandNotFound'),
  'query-version': ({ pm }) => {
    const [major, minor, micro] = pm.qemuVersion ?? [7, 2, 22]
    return { return: { qemu: { micro, minor, major }, package: 'Debian 1:7.2+dfsg-7+deb12u18+b3' } }
  },
  'query-iothreads': (call) => ({
    return: openBlocks(call).map(({ disk }, index) => ({
      'poll-shrink': 0,
      'poll-grow': 0,
      'thread-id': 4000 + index,
      'aio-max-batch': 0,
      'poll-max-ns': 32768,
      id: disk.vdev,
    })),
  }),
  'query-status': ({ domain }) => {
    const running = domain.qemuStopped === undefined
    return { return: { status: running ? 'running' : 'paused', singlestep: false, running } }
  },
  'query-name': ({ domain }) => ({ return: { name: domain.name ?? '' } }),
  'query-block': queryBlock,
  'query-blockstats': queryBlockstats,
  'query-named-block-nodes': queryNamedBlockNodes,
  'query-commands': () => ({ return: Object.keys(QMP_COMMANDS).map((name) => ({ name })) }),
  'query-vnc': ({ domain }) => ({
    return:
      domain.vncPort === undefined
        ? { enabled: false }
        : {
            enabled: true,
            auth: domain.config.vnc?.password === undefined ? 'none' : 'vnc',
            family: 'ipv4',
            clients: [],
            service: String(domain.vncPort),
            host: domain.config.vnc?.listen ?? '127.0.0.1',
          },
  }),
  'qom-get': (call) => {
    const block = findBlock(call, call.args.path)
    if (block === undefined) return qmpError(`Device '${String(call.args.path)}' not found`, 'DeviceNotFound')
    if (call.args.property === 'vdev') return { return: block.disk.vdev }
    return qmpError(`Property 'xen-disk.${String(call.args.property)}' not found`)
  },
  block_resize: blockResize,
  ...QMP_JOBS,
  ...QMP_LAYERS,
  stop: ({ world, domain }) => {
    domain.qemuStopped = true
    if (domain.config.type === 'hvm') stopCounting(domain, world.clock.now())
    world.save()
    return { return: {}, events: [{ event: 'STOP' }] }
  },
  cont: ({ world, domain }) => {
    domain.qemuStopped = undefined
    if (domain.imagesGiven) domain.imagesStale = undefined
    domain.imagesGiven = undefined
    if (domain.phase === 'up' && !domain.paused) startCounting(domain, world.clock.now())
    world.save()
    return { return: {}, events: [{ event: 'RESUME' }] }
  },
  'xen-save-devices-state': ({ world, pm, domain, args }) => {
    if (args.live !== true || !domain.qemuStopped) return { return: {} }
    // QEMU 7.2 ends with an assertion where its images are given away already.
    if (domain.imagesGiven) {
      remove(pm, domain)
      world.save()
      return { return: {}, hangUp: 'answered' }
    }
    domain.imagesGiven = true
    world.save()
    return { return: {} }
  },
  quit: (call) => {
    endQemu(call)
    return { return: {}, hangUp: 'answered' }
  },
}
