import type { Clock } from '../../lib/clock.ts'
import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Host } from '../host/host.ts'
import { run, runBatch } from '../host/run.ts'
import { firstByte } from '../tools/files.ts'
import { parseBlocks } from '../tools/qmp.ts'
import { qemuAtWork } from '../tools/xl/migrate.ts'
import { withMonitor } from './monitor.ts'

/**
 * Disks that two QEMUs have open, one after the other. The QEMU over there opens an image while the one here may still have
 * writes under way and tables of qcow2 that it has not written; libxl tells only those of HVM guests to write and to
 * let go. What the new one has read by then may be old, so before its guest goes on it is made to forget it all.
 */
const SHORT_MS = 60_000
const POLL_MS = 300

/** The images that a domain's QEMU writes to (QMP `query-block`); undefined where it has none. Looks only. */
export async function openImages(host: Host, domid: number): Promise<readonly string[] | undefined> {
  return await withMonitor(host, domid, 'libxenstat', 'read', async (qmp) =>
    parseBlocks(await qmp.execute('query-block')).map((block) => block.file),
  )
}

/**
 * Waits until the QEMU of a domain that is gone has ended, which closes its images; looks only (pgrep(1)).
 * `commandFailed` after `timeoutMs`. Where there is no pgrep it counts as ended.
 */
export async function waitForQemu(
  host: Host,
  domid: number,
  timeouts: { readonly clock: Clock; readonly timeoutMs: number },
): Promise<void> {
  const { clock, timeoutMs } = timeouts
  const until = clock.now() + timeoutMs
  while ((await run(host, { ...qemuAtWork(domid), timeoutMs: SHORT_MS })).exit === 0) {
    if (clock.now() >= until) {
      throw new PengxError(
        'commandFailed',
        `domain ${domid} has left ${host.name}, and its QEMU still has its disks open: look at its storage`,
      )
    }
    await clock.sleep(POLL_MS)
  }
}

/**
 * QEMU's own handing over, from itself to itself: `xen-save-devices-state` writes out and lets go of all images (as before a
 * migration), `cont` takes them again and reads their tables anew (as after one), with what the kernel had cached thrown
 * away. Opening the files in between makes a network file system ask its server how they are now. Letting go twice
 * would end QEMU (7.2: an assertion), so each attempt begins with taking.
 */
export async function rereadImages(host: Host, domid: number, paths: readonly string[]): Promise<void> {
  const letGo = await withMonitor(host, domid, 'libxenstat', 'change', async (qmp) => {
    await qmp.execute('cont')
    await qmp.execute('stop')
    await qmp.execute('xen-save-devices-state', { filename: '/dev/null', live: true })
    return true
  })
  if (!letGo) return
  await runBatch(host, batch(paths.map(firstByte), { timeoutMs: SHORT_MS }))
  await withMonitor(host, domid, 'libxenstat', 'change', (qmp) => qmp.execute('cont'))
}
