import { PengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import type { Host } from '../host/host.ts'
import { type Qmp, withQmp } from '../tools/qmp.ts'

/** libxl gives each QEMU two monitors: one for itself, on which xl waits when somebody holds it, and one for statistics. */
export type Monitor = 'libxl' | 'libxenstat'

const TIMEOUT_MS = 5_000

/**
 * Talks with a domain's QEMU (/var/run/xen/qmp-MONITOR-DOMID) and hangs up when `work` ends; undefined where it has
 * none, as one whose disks all go through the kernel. `busy` where it does not answer within 5 s: a monitor serves
 * one at a time. Who only reads may only ask (`query-…`, `qom-get`); anything else of it is a defect.
 */
export async function withMonitor<T>(
  host: Host,
  domid: number,
  monitor: Monitor,
  effect: 'read' | 'change',
  work: (qmp: Qmp) => Promise<T>,
  signal?: AbortSignal,
): Promise<T | undefined> {
  const socket = await host.connect(`/var/run/xen/qmp-${monitor}-${domid}`, effect, signal).catch((error) => {
    if (error instanceof PengxError && error.code === 'notFound') return undefined
    throw error
  })
  if (socket === undefined) return undefined
  return await withQmp(socket, { peer: `qemu of domain ${domid} on ${host.name}`, timeoutMs: TIMEOUT_MS }, (qmp) =>
    work(effect === 'read' ? asking(qmp) : qmp),
  )
}

function asking(qmp: Qmp): Qmp {
  return {
    async execute(command, args) {
      if (!/^query-|^qom-get$/.test(command)) throw new PengxError('internal', `${command} is no question`)
      return await qmp.execute(command, args)
    },
  }
}

/** The node is `VDEV-DRIVER` until a live change puts another in its place; the device itself knows its vdev always. */
export async function vdevOf(
  qmp: Qmp,
  block: { readonly node: string; readonly device: string; readonly qdev: string },
): Promise<string | undefined> {
  const byNode = /^((?:xvd|hd|sd)[a-z]+\d*)-/.exec(block.node)?.[1]
  if (byNode !== undefined || block.device !== '' || block.qdev === '') return byNode
  const answer: Json = await qmp.execute('qom-get', { path: block.qdev, property: 'vdev' }).catch(() => null)
  return typeof answer === 'string' ? answer : undefined
}
