import { textOfBytes } from '../../lib/bytes.ts'
import { PengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import type { Host } from '../host/host.ts'
import { run } from '../host/run.ts'
import { parseBase64 } from '../tools/files.ts'
import { type KeptDisk, readKept, withKeptDisks, writeKept } from '../tools/xl/kept.ts'
import { type NamedBlock, namedBlocks } from './blockJobs.ts'
import type { DomainSeen } from './domain.ts'
import { withKeptLock, withQmpLock } from './libxlLock.ts'
import { withMonitor } from './monitor.ts'

const LIMIT_MS = 60_000

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
  domain: Pick<DomainSeen, 'domid' | 'uuid' | 'ownUuid'>,
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

/**
 * Tells libxl what disks lie on from now on, under its own lock: what it keeps of the domain names the images that it was
 * built from, and hears of no live snapshot; `xl save` and `xl restore`, by which xendomains(8) takes guests over a boot of
 * their PM, would bring the guest back on what was frozen. False: it keeps nothing that pengx understands, and is not told.
 */
export async function tellLibxl(
  host: Host,
  domain: Pick<DomainSeen, 'domid' | 'uuid' | 'ownUuid'>,
  disks: readonly KeptDisk[],
  tag: string,
): Promise<boolean> {
  const uuid = domain.ownUuid ?? domain.uuid
  return await withKeptLock(host, domain, tag, async (lock) => {
    const kept = await run(host, { ...readKept(domain.domid, uuid), timeoutMs: LIMIT_MS })
    if (kept.exit !== 0) return false
    const before = textOfBytes(parseBase64(kept.stdout))
    let after: string
    try {
      after = withKeptDisks(before, disks)
    } catch {
      return false
    }
    if (after === before) return true
    await lock.needHeld()
    await run(host, { ...writeKept(domain.domid, uuid, after), tag, timeoutMs: LIMIT_MS })
    return true
  })
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
