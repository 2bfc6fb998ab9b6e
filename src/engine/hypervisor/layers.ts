import { PengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import type { Host } from '../host/host.ts'
import type { Qmp } from '../tools/qmp.ts'
import { type BlockJobOptions, cancelJobs, followJobs, type NamedBlock, namedBlocks } from './blockJobs.ts'
import { withMonitor } from './monitor.ts'
import { withQmpLock } from './qmpLock.ts'

/**
 * The layers under a running guest. libxl knows nothing of what is changed here: the domain's configuration must name
 * the overlay before QEMU writes to it, or a reboot comes back on what lies below and ruins it.
 */
export interface LayerSwitch {
  readonly vdev: string
  /** What the guest writes to now. */
  readonly from: string
  /** A qcow2 image that lies on it, still empty. */
  readonly to: string
}

export interface LayerStream {
  /** The image that the bytes come into; QEMU has it open, at the top of a disk's chain or within. */
  readonly path: string
  /** What it shall lie on, an image further down its chain; absent: on none. */
  readonly base?: string
}

/**
 * The image at the top of each disk's chain, by the disk's name in the guest (QMP `query-block`). Looks only. Disks
 * that go through the kernel are not in it, and without a QEMU there is none: an absent disk says nothing of where it
 * is written.
 */
export async function writtenImages(host: Host, domid: number): Promise<ReadonlyMap<string, string>> {
  const images = await withMonitor(host, domid, 'libxenstat', 'read', async (qmp) => {
    const blocks = await namedBlocks(qmp)
    return blocks.flatMap(({ vdev, file }) => (vdev === undefined ? [] : [[vdev, file] as const]))
  })
  return new Map(images ?? [])
}

/**
 * From here on the guest writes to the overlays: `blockdev-snapshot-sync` (mode `existing`) of all disks in one QMP
 * `transaction`, under libxl's own lock, then looks whether it is so. A disk that is on its overlay already stays.
 * QEMU does not check what the overlay's header names: that must be `from`. `unsupported` where a disk does not go
 * through QEMU or is an emulated drive, `refused` where it is written to a third image, `busy` where an xl or QEMU
 * keeps it waiting. Nothing takes it back, and after a failure only `writtenImages` tells whether it has happened.
 */
export async function switchDisks(
  host: Host,
  domain: { readonly domid: number; readonly uuid: string },
  switches: readonly LayerSwitch[],
  tag: string,
): Promise<void> {
  const doing = `cannot freeze the disks of domain ${domain.domid} on ${host.name}`
  const done = await withQmpLock(host, domain, tag, (lock) =>
    withMonitor(host, domain.domid, 'libxl', 'change', async (qmp) => {
      const before = await namedBlocks(qmp)
      const pending = switches.filter((one) => blockOf(before, one, doing).file !== one.to)
      const actions: Json[] = pending.map((one) => ({
        type: 'blockdev-snapshot-sync',
        data: {
          'node-name': blockOf(before, one, doing).node,
          'snapshot-file': one.to,
          'snapshot-node-name': `${one.vdev}-${crypto.randomUUID().slice(0, 13)}`,
          format: 'qcow2',
          mode: 'existing',
        },
      }))
      if (actions.length > 0) {
        await lock.needHeld()
        await qmp.execute('transaction', { actions })
      }
      const after = await namedBlocks(qmp)
      const left = switches.find((one) => blockOf(after, one, doing).file !== one.to)
      if (left) throw new PengxError('commandFailed', `${doing}: QEMU said yes, and ${left.vdev} is not on ${left.to}`)
      return true
    }),
  )
  if (!done) throw new PengxError('unsupported', `${doing}: the domain has no QEMU in the way of its disks`)
}

/** The node that the guest writes through. An emulated drive is a second one on the same image, which nothing here moves. */
function blockOf(blocks: readonly NamedBlock[], { vdev, from, to }: LayerSwitch, doing: string): NamedBlock {
  if (blocks.some((block) => /^(ide|sd)\d/.test(block.device) && (block.file === from || block.file === to))) {
    const text = 'the guest uses the emulated drive: shut it down first, or give it PV drivers'
    throw new PengxError('unsupported', `${doing}: ${vdev}: ${text}`)
  }
  const block = blocks.find((one) => one.vdev === vdev)
  if (!block) throw new PengxError('unsupported', `${doing}: ${vdev} goes through the kernel (phy), not through QEMU`)
  if (block.file === from || block.file === to) return block
  throw new PengxError('refused', `${doing}: ${vdev} is written to ${block.file}, not to ${from}, as is written down`)
}

/**
 * Copies into `path` what it reads from the images between it and `base`, and writes `base` (or none) into its header
 * when all is there (QMP `block-stream`). Returns then; those between are not changed, nor in use any more. Cut short
 * or aborted it reads as before, and doing it again finishes it; an abort leaves the job at work (`cancelJobs`).
 * `refused` where QEMU does not have `path` or `base` open, `unsupported` without a QEMU, `noSpace`, `commandFailed`.
 */
export async function streamLayer(
  host: Host,
  domid: number,
  { path, base }: LayerStream,
  options: BlockJobOptions,
): Promise<void> {
  await cancelJobs(host, domid, options)
  const doing = `cannot merge what ${path} lies on, on ${host.name}, into it`
  const begun = await withMonitor(
    host,
    domid,
    'libxenstat',
    'change',
    async (qmp) => {
      const nodes = await chainNodes(qmp)
      const top = nodes.find((node) => node.file === path)
      const below = nodes.find((node) => node.file === base)
      if (!top) throw new PengxError('refused', `${doing}: the QEMU of domain ${domid} does not have it open`)
      if (base !== undefined && !below) throw new PengxError('refused', `${doing}: it does not lie on ${base}`)
      const bottom = below === undefined ? {} : { 'base-node': below.name }
      await qmp.execute('block-stream', {
        'job-id': `${options.name}-0`,
        device: top.name,
        ...bottom,
        'auto-dismiss': false,
      })
      return true
    },
    options.signal,
  )
  if (begun === undefined) throw new PengxError('unsupported', `${doing}: domain ${domid} has no QEMU`)
  await followJobs(host, domid, 1, options, doing)
}

/** The image nodes, each of which stands on a node for the file that it lies in. */
async function chainNodes(qmp: Qmp): Promise<{ readonly name: string; readonly file: string }[]> {
  const nodes = (await qmp.execute('query-named-block-nodes', { flat: true })) as readonly {
    readonly 'node-name'?: string
    readonly drv?: string
    readonly file?: string
  }[]
  const images = nodes.filter(({ drv }) => drv === 'qcow2' || drv === 'raw' || drv === 'vpc')
  return images.map((node) => ({ name: node['node-name'] ?? '', file: node.file ?? '' }))
}
