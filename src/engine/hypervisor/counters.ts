import { PengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'
import type { Host } from '../host/host.ts'
import { type BlockCounters, parseBlockCounters, type Qmp, withQmp } from '../tools/qmp.ts'
import type { DiskCounters } from './hypervisor.ts'

/**
 * Disk bytes from a domain's QEMU. libxl gives each one two monitors: one for itself, on which xl waits when somebody
 * holds it, and this one for statistics.
 */
const TIMEOUT_MS = 5_000

export async function diskCounters(host: Host, domid: number, signal?: AbortSignal): Promise<DiskCounters[]> {
  const socket = await host.connect(`/var/run/xen/qmp-libxenstat-${domid}`, signal).catch((error) => {
    // a domain whose disks all go through blkback has no QEMU
    if (error instanceof PengxError && error.code === 'notFound') return undefined
    throw error
  })
  if (socket === undefined) return []
  const peer = `qemu of domain ${domid} on ${host.name}`
  return await withQmp(socket, { peer, timeoutMs: TIMEOUT_MS }, async (qmp) => {
    const rows = parseBlockCounters(await qmp.execute('query-blockstats'))
    const named = []
    for (const row of rows) named.push({ ...row, vdev: await vdevOf(qmp, row) })
    return addUp(named)
  })
}

type Named = BlockCounters & { readonly vdev: string | undefined }

/** The node is `VDEV-DRIVER` until a live snapshot puts another in its place; the device itself knows its vdev always. */
async function vdevOf(qmp: Qmp, row: BlockCounters): Promise<string | undefined> {
  const byNode = /^((?:xvd|hd|sd)[a-z]+\d*)-/.exec(row.node)?.[1]
  if (byNode !== undefined || row.device !== '' || row.qdev === '') return byNode
  const answer: Json = await qmp.execute('qom-get', { path: row.qdev, property: 'vdev' }).catch(() => null)
  return typeof answer === 'string' ? answer : undefined
}

/** An HVM guest reads through its emulated drive until its PV drivers take over: both are the same disk. */
function addUp(rows: readonly Named[]): DiskCounters[] {
  const totals = new Map<string, DiskCounters>()
  const add = (vdev: string, row: BlockCounters) => {
    const sofar = totals.get(vdev)
    totals.set(vdev, {
      vdev,
      readBytes: (sofar?.readBytes ?? 0) + row.readBytes,
      writeBytes: (sofar?.writeBytes ?? 0) + row.writeBytes,
    })
  }
  for (const row of rows) if (row.vdev !== undefined) add(row.vdev, row)
  for (const row of rows) {
    const drive = /^ide(\d)-(?:hd|cd)(\d)$/.exec(row.device)
    if (row.vdev !== undefined || !drive) continue
    const letter = 'abcdefgh'[Number(drive[1]) * 2 + Number(drive[2])]!
    const known = [...totals.keys()].find((vdev) => vdev.replace(/^(xv|h|s)d/, '') === letter)
    add(known ?? `hd${letter}`, row)
  }
  return [...totals.values()]
}
