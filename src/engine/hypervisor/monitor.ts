import { PengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import type { Host } from '../host/host.ts'
import { parseBlockJobs, type Qmp, withQmp } from '../tools/qmp.ts'

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

/** What streams of pengx's own are called, with a dash behind it. */
export const STREAM_NAME = 'merge'

/**
 * The nodes of QEMU's block layer (the answer to QMP `query-named-block-nodes`). Over that question QEMU (7.2) ends, and the
 * guest with it, for as long as a stream that is over has not been dismissed, however it ended: one of pengx's own, which
 * was cut off then, is dismissed first. `busy` for another's, and where it is only looked.
 */
export async function listNodes(qmp: Qmp, effect: 'read' | 'change'): Promise<Json> {
  const jobs = parseBlockJobs(await qmp.execute('query-jobs'))
  for (const { id } of jobs.filter(({ type, status }) => type === 'stream' && status === 'concluded')) {
    if (effect === 'read' || !id.startsWith(`${STREAM_NAME}-`))
      throw new PengxError('busy', `QEMU has not put away ${id}, which is over, and would end if it were looked at now`)
    await qmp.execute('job-dismiss', { id })
  }
  return await qmp.execute('query-named-block-nodes', { flat: true })
}
