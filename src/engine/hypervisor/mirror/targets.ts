import type { DiskFormat } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import { qemuFormat } from '../../tools/qemuImg.ts'
import type { Qmp } from '../../tools/qmp.ts'
import { jobFailure, type TargetNode, unwritten } from '../blockJobs.ts'
import { listNodes } from '../monitor.ts'

/** A disk of a running guest that goes over to another volume. */
export interface MirrorDisk {
  readonly vdev: string
  /** What the guest writes to. */
  readonly path: string
  readonly format: DiskFormat
  /** A volume that is there already, empty and as large. */
  readonly target: { readonly path: string; readonly format: DiskFormat }
}

/**
 * The volumes that disks go over to, as QEMU has them open. Such a node stays the disk's own when its guest writes to it, so it
 * is opened as libxl opens a disk: past the page cache where the file system can, and without QEMU's locks, by which others
 * could not read it.
 */
interface NodeRow {
  readonly 'node-name'?: string
  readonly drv?: string
  readonly file?: string
  readonly cache?: { readonly direct?: boolean }
  readonly image?: { readonly 'virtual-size'?: number }
}

type Target = MirrorDisk['target']

interface Shape {
  readonly name: string
  readonly direct: boolean
  /** Bytes; of a raw image that does not fill its volume. */
  readonly size?: number
}

function nodeOf({ path, format }: Target, { name, direct, size }: Shape): TargetNode {
  const cache = { direct, 'no-flush': false }
  return {
    node: {
      'node-name': name,
      driver: qemuFormat(format),
      ...(size === undefined ? {} : { size }),
      discard: 'unmap',
      cache,
    },
    file: {
      'node-name': `f-${name}`,
      driver: path.startsWith('/dev/') ? 'host_device' : 'file',
      filename: path,
      discard: 'unmap',
      locking: 'off',
      cache,
    },
  }
}

/** Opens a volume for a disk of that name and size (QMP `blockdev-add`); gives the node's name. */
export async function openTarget(qmp: Qmp, vdev: string, target: Target, sizeBytes: number): Promise<string> {
  const name = `${vdev}-${crypto.randomUUID().slice(0, 13)}`
  const add = async (shape: Shape) => {
    const { node, file } = nodeOf(target, shape)
    await qmp.execute('blockdev-add', { ...node, file })
  }
  const direct = await add({ name, direct: true }).then(
    () => true,
    async () => {
      await add({ name, direct: false })
      return false
    },
  )
  const has = sizeOf((await rowsOf(qmp)).find((row) => row['node-name'] === name))
  if (has === sizeBytes) return name
  if (target.format !== 'raw') await qmp.execute('block_resize', { 'node-name': name, size: sizeBytes })
  else {
    // A logical volume is larger than the disk in it: QEMU wants both of one size.
    await qmp.execute('blockdev-del', { 'node-name': name })
    await add({ name, direct, size: sizeBytes })
  }
  return name
}

/** Those that QEMU has open of these disks' targets, with the options that they have. */
async function openTargets(qmp: Qmp, disks: readonly MirrorDisk[]): Promise<TargetNode[]> {
  const rows = await rowsOf(qmp)
  return disks.flatMap(({ target }) => {
    const node = rows.find(({ file, drv }) => file === target.path && drv === qemuFormat(target.format))
    const name = node?.['node-name']
    const below = rows.find((row) => row['node-name'] === `f-${name}`)
    if (node === undefined || name === undefined || below === undefined) return []
    const isCut = target.format === 'raw' && sizeOf(below) !== sizeOf(node)
    return [nodeOf(target, { name, direct: node.cache?.direct === true, ...(isCut ? { size: sizeOf(node) } : {}) })]
  })
}

async function rowsOf(qmp: Qmp): Promise<readonly NodeRow[]> {
  return (await listNodes(qmp, 'change')) as Json as readonly NodeRow[]
}

const sizeOf = (row: NodeRow | undefined): number => row?.image?.['virtual-size'] ?? 0

/**
 * QEMU closes a volume that a disk had gone over to, now that the disk is gone (QMP `blockdev-del`): nobody else tells it to. One
 * that it does not have open so, or cannot close yet, stays as it is.
 */
export async function closeTarget(qmp: Qmp, path: string): Promise<void> {
  for (const { 'node-name': name, file } of await rowsOf(qmp))
    if (file === path && name !== undefined && TARGET.test(name))
      await qmp.execute('blockdev-del', { 'node-name': name }).catch(() => null)
}

/** As `openTarget` calls them; a live snapshot's node is called alike, and is not QEMU's to be told to close. */
const TARGET = /^[a-z]+-[0-9a-f]{8}-[0-9a-f]{4}$/

/**
 * Has QEMU write down all that it knows of the disks' volumes: of the new ones by `blockdev-reopen`, which says how that ended,
 * of the old ones as their guest would (HMP `qemu-io`). Fails as jobs do where a new one cannot be written down, and where
 * it is not open any more.
 */
export async function flushPairs(
  qmp: Qmp,
  disks: readonly MirrorDisk[],
  devices: readonly string[],
  doing: string,
): Promise<void> {
  const targets = await openTargets(qmp, disks)
  if (targets.length < disks.length)
    throw new PengxError('commandFailed', `${doing}: its QEMU does not have all of the new volumes open any more`)
  const [why] = await unwritten(qmp, targets)
  if (why !== undefined) throw jobFailure(doing, why)
  for (const device of devices)
    await qmp.execute('human-monitor-command', { 'command-line': `qemu-io -d ${device} flush` })
}
