import { parseExports, parseNodes, type Qmp } from '../tools/qmp.ts'
import type { BlockJobOptions } from './blockJobs.ts'
import { listNodes } from './monitor.ts'

/** A held moment as it is read: an NBD server of QEMU's own on a Unix socket, with an export a disk. */
export interface MomentOptions extends BlockJobOptions {
  /** Where QEMU shows the moment. */
  readonly socket: string
  /** 0: as fast as it goes. */
  readonly bytesPerSecond: number
}

/** Where a held moment of a disk is read. */
export function momentUrl(socket: string, vdev: string): string {
  return `nbd+unix:///${vdev}?socket=${socket}`
}

/**
 * Shows the scratch volumes of a held moment, read-only (QMP `nbd-server-start`, `block-export-add`). A limit of QEMU's
 * own (`throttle`) holds for whoever reads: qemu-img compare has none.
 */
export async function exportMoment(
  qmp: Qmp,
  disks: readonly { readonly vdev: string }[],
  options: MomentOptions,
): Promise<void> {
  const group = `${options.name}-g`
  if (options.bytesPerSecond > 0) {
    const limits = { 'bps-read': options.bytesPerSecond }
    await qmp.execute('object-add', { 'qom-type': 'throttle-group', id: group, limits })
  }
  await qmp.execute('nbd-server-start', { addr: { type: 'unix', data: { path: options.socket } } })
  for (const [index, disk] of disks.entries()) {
    const scratch = `${options.name}-${index}`
    const limited = `${options.name}-t${index}`
    if (options.bytesPerSecond > 0)
      await qmp.execute('blockdev-add', {
        'node-name': limited,
        driver: 'throttle',
        'throttle-group': group,
        file: scratch,
      })
    const node = options.bytesPerSecond > 0 ? limited : scratch
    const id = `${options.name}-e${index}`
    await qmp.execute('block-export-add', { type: 'nbd', id, 'node-name': node, name: disk.vdev, writable: false })
  }
}

/**
 * Takes the exports back (QMP `block-export-del`) and, when the last is gone, their limits. Gives how many are still
 * there: they go when their last reader does.
 */
export async function withdrawMoment(qmp: Qmp, name: string): Promise<number> {
  const shown = parseExports(await qmp.execute('query-block-exports').catch(() => [])).filter((id) =>
    id.startsWith(`${name}-`),
  )
  for (const id of shown) await qmp.execute('block-export-del', { id, mode: 'hard' }).catch(() => null)
  if (shown.length > 0) return shown.length
  const nodes = parseNodes(await listNodes(qmp, 'change'))
  for (const node of nodes.filter((one) => one.name.startsWith(`${name}-t`)))
    await qmp.execute('blockdev-del', { 'node-name': node.name })
  await qmp.execute('object-del', { id: `${name}-g` }).catch(() => null)
  return 0
}
