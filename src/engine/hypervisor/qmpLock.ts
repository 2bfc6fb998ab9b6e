import { PengxError, toPengxError } from '../../model/error.ts'
import type { Host, Process } from '../host/host.ts'
import { run } from '../host/run.ts'
import { fileExists } from '../tools/files.ts'

/**
 * libxl speaks with a domain's QEMU under a lock of its own, since a monitor serves one client at a time: the same lock
 * is taken here with flock(1), whose `cat` holds it for as long as its input is open. It repeats what it is told when
 * the lock is held, and ends by itself when the connection is lost.
 */
const WAIT_SECONDS = 10

function lockPath(domain: { readonly domid: number; readonly uuid: string }): string {
  return `/var/lib/xen/userdata-l.${domain.domid}.${domain.uuid}.qmp-socket-lock`
}

/**
 * Does `work` while no xl speaks with the domain's QEMU; fails with `busy` where one does not end within 10 s. A
 * machine without flock(1) does it without the lock.
 */
export async function withQmpLock<T>(
  host: Host,
  domain: { readonly domid: number; readonly uuid: string },
  tag: string,
  work: () => Promise<T>,
): Promise<T> {
  const release = await take(host, domain, tag)
  try {
    return await work()
  } finally {
    await release()
  }
}

async function take(
  host: Host,
  domain: { readonly domid: number; readonly uuid: string },
  tag: string,
): Promise<() => Promise<void>> {
  const path = lockPath(domain)
  for (let attempt = 0; ; attempt++) {
    const argv = ['flock', '-w', String(WAIT_SECONDS), path, 'cat'] as const
    const holder = await host.open({ argv: [...argv], effect: 'change', tag, timeoutMs: 120_000 }).catch((error) => {
      // a machine without flock(1): QEMU's own queue is then what keeps two clients apart
      if (toPengxError(error).code === 'notFound') return undefined
      throw error
    })
    if (holder === undefined) return async () => undefined
    const { held, release } = await hold(holder)
    if (!held) {
      const exit = await release()
      if (exit === 127) return async () => undefined
      throw new PengxError('busy', `xl is talking with the QEMU of domain ${domain.domid} on ${host.name}: try again`)
    }
    // libxl removes the file when it gives the lock back: then this is the lock of a file that is gone
    const there = await run(host, { ...fileExists(path), timeoutMs: 60_000 })
    if (there.exit === 0 || attempt === 3) return async () => void (await release())
    await release()
  }
}

/** Resolves when `cat` has repeated the word, or has ended without. */
async function hold(process: Process): Promise<{ held: boolean; release(): Promise<number> }> {
  const writer = process.stdin.getWriter()
  const reader = process.stdout.getReader()
  void new Response(process.stderr).text().catch(() => undefined)
  await writer.write(new TextEncoder().encode('held\n')).catch(() => undefined)
  const first = await reader.read()
  return {
    held: !first.done,
    async release() {
      await writer.close().catch(() => undefined)
      while (!(await reader.read()).done);
      return await process.exited
    },
  }
}
