import type { Host } from '../host/host.ts'
import { type BlockCounters, parseBlockCounters } from '../tools/qmp.ts'
import type { DiskCounters } from './domain.ts'
import { vdevOf, withMonitor } from './monitor.ts'

/**
 * Bytes read and written by a domain's disks since its QEMU began (QMP `query-blockstats`, through the monitor for
 * statistics); nothing for disks that go through the kernel. `busy` where another program holds the monitor.
 */
export async function diskCounters(host: Host, domid: number, signal?: AbortSignal): Promise<DiskCounters[]> {
  const read = withMonitor(
    host,
    domid,
    'libxenstat',
    'read',
    async (qmp) => {
      const named: Named[] = []
      for (const row of parseBlockCounters(await qmp.execute('query-blockstats')))
        named.push({ ...row, vdev: await vdevOf(qmp, row) })
      return addUp(named)
    },
    signal,
  )
  return (await read) ?? []
}

type Named = BlockCounters & { readonly vdev: string | undefined }

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
