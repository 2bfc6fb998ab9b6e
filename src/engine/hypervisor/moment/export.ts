import { parseExports, type Qmp } from '../../tools/qmp.ts'
import type { BlockJobOptions } from '../blockJobs.ts'

/** A held moment as it is read: an NBD server of QEMU's own on a Unix socket, with an export a disk. */
export interface MomentOptions extends BlockJobOptions {
  /** Where QEMU shows the moment. */
  readonly socket: string
  /** Of one that is copied; 0: as fast as it goes. */
  readonly bytesPerSecond: number
}

/** Where a held moment of a disk is read. */
export function momentUrl(socket: string, vdev: string): string {
  return `nbd+unix:///${vdev}?socket=${socket}`
}

/**
 * Shows the scratch volumes of a held moment, read-only (QMP `nbd-server-start`, `block-export-add`). How fast they are read is
 * the reader's to say (tools/qemuImg.ts): QEMU (7.2) ends, and the guest loses its disks, when a `throttle` node is laid on
 * one that an iothread serves, as it does every Xen disk whose guest has connected.
 */
export async function exportMoment(
  qmp: Qmp,
  disks: readonly { readonly vdev: string }[],
  { name, socket }: Pick<MomentOptions, 'name' | 'socket'>,
): Promise<void> {
  await qmp.execute('nbd-server-start', { addr: { type: 'unix', data: { path: socket } } })
  for (const [index, disk] of disks.entries()) {
    const shown = { 'node-name': `${name}-${index}`, name: disk.vdev, writable: false }
    await qmp.execute('block-export-add', { type: 'nbd', id: `${name}-e${index}`, ...shown })
  }
}

/** Takes the exports back (QMP `block-export-del`). Gives how many are still there: they go when their last reader does. */
export async function withdrawMoment(qmp: Qmp, name: string): Promise<number> {
  const shown = parseExports(await qmp.execute('query-block-exports').catch(() => [])).filter((id) =>
    id.startsWith(`${name}-`),
  )
  for (const id of shown) await qmp.execute('block-export-del', { id, mode: 'hard' }).catch(() => null)
  return shown.length
}
