import { PengxError, toPengxError } from '../../model/error.ts'
import type { Command, Host, Process } from '../host/host.ts'
import { run } from '../host/run.ts'
import { fileExists } from '../tools/files.ts'

/**
 * libxl speaks with a domain's QEMU under a lock of its own, since a monitor serves one client at a time, and changes what
 * it keeps of a domain under another: the same locks are taken here with flock(1), whose `cat` holds one for as long as its
 * input is open. It repeats what it is told for as long as the lock is held, and ends by itself when the connection is lost.
 */
const WAIT_SECONDS = 10
const ANSWER_MS = 5_000

export interface LibxlLock {
  /**
   * Asks who holds the lock whether it is still held, before each effect: `unreachable` where it was lost, or where
   * there is no answer within 5 s.
   */
  needHeld(): Promise<void>
}

interface Domain {
  readonly domid: number
  readonly uuid: string
  readonly ownUuid?: string
}

interface Lock {
  readonly name: 'qmp-socket-lock' | 'domain-userdata-lock'
  readonly busy: string
  readonly lost: string
}

const QMP: Lock = { name: 'qmp-socket-lock', busy: 'xl is talking with the QEMU of', lost: 'the lock on the QEMU of' }
const KEPT: Lock = { name: 'domain-userdata-lock', busy: 'xl is changing', lost: 'the lock on what libxl keeps of' }

function lockPath(domain: Domain, { name }: Lock): string {
  return `/var/lib/xen/userdata-l.${domain.domid}.${domain.ownUuid ?? domain.uuid}.${name}`
}

/**
 * Does `work` while no xl speaks with the domain's QEMU; fails with `busy` where one does not end within 10 s. A
 * machine without flock(1) does it without the lock. Work asks the lock before each of its effects: it can be lost at
 * any moment. The holder waits among its like only, so that work under other locks never takes its place.
 */
export async function withQmpLock<T>(
  host: Host,
  domain: Domain,
  tag: string,
  work: (lock: LibxlLock) => Promise<T>,
): Promise<T> {
  return await withLock(host, domain, QMP, tag, work)
}

/** As `withQmpLock`, while no xl changes what libxl keeps of the domain. */
export async function withKeptLock<T>(
  host: Host,
  domain: Domain,
  tag: string,
  work: (lock: LibxlLock) => Promise<T>,
): Promise<T> {
  return await withLock(host, domain, KEPT, tag, work)
}

async function withLock<T>(
  host: Host,
  domain: Domain,
  lock: Lock,
  tag: string,
  work: (lock: LibxlLock) => Promise<T>,
): Promise<T> {
  const holder = await take(host, domain, lock, tag)
  try {
    return await work({
      async needHeld() {
        if ((await holder?.answers()) === false)
          throw new PengxError(
            'unreachable',
            `${lock.lost} domain ${domain.domid} on ${host.name} was lost: nothing more is changed there`,
          )
      },
    })
  } finally {
    await holder?.release()
  }
}

/** The holder of the lock; undefined on a machine without flock(1): QEMU's own queue is then what keeps two clients apart. */
async function take(host: Host, domain: Domain, lock: Lock, tag: string): Promise<Holder | undefined> {
  const path = lockPath(domain, lock)
  const argv = ['flock', '-w', String(WAIT_SECONDS), path, 'cat'] as const
  const command: Command = { argv, effect: 'change', endable: true, queue: 'locks', tag }
  for (let attempt = 0; ; attempt++) {
    const process = await host.open(command).catch((error) => {
      if (toPengxError(error).code === 'notFound') return undefined
      throw error
    })
    if (process === undefined) return undefined
    const holder = hold(process)
    // flock itself waits for the lock, so the first answer takes as long as it takes
    if (!(await holder.answers('whenever'))) {
      const exit = await holder.release()
      if (exit === 127) return undefined
      throw new PengxError('busy', `${lock.busy} domain ${domain.domid} on ${host.name}: try again`)
    }
    // libxl removes the file when it gives the lock back: then this is the lock of a file that is gone
    const there = await run(host, { ...fileExists(path), timeoutMs: 60_000 })
    if (there.exit === 0 || attempt === 3) return holder
    await holder.release()
  }
}

interface Holder {
  /** Whether `cat` repeats a word: then the lock is held. */
  answers(when?: 'soon' | 'whenever'): Promise<boolean>
  release(): Promise<number>
}

function hold(process: Process): Holder {
  const writer = process.stdin.getWriter()
  const reader = process.stdout.getReader()
  void new Response(process.stderr).text().catch(() => undefined)
  process.exited.catch(() => undefined)
  const word = new TextEncoder().encode('held\n')
  /** How much of what was said has not come back yet: an answer to an earlier question is none to this one. */
  let outstanding = 0

  async function ask(): Promise<boolean> {
    outstanding += word.byteLength
    await writer.write(word)
    while (outstanding > 0) {
      const { value, done } = await reader.read()
      if (done) return false
      outstanding -= value.byteLength
    }
    return true
  }

  return {
    async answers(when = 'soon') {
      const asked = ask().catch(() => false)
      if (when === 'whenever') return await asked
      const late = Promise.withResolvers<boolean>()
      const timer = setTimeout(() => late.resolve(false), ANSWER_MS)
      return await Promise.race([asked, late.promise]).finally(() => clearTimeout(timer))
    },
    async release() {
      await writer.close().catch(() => undefined)
      while (!(await reader.read().catch(() => ({ done: true }))).done);
      return await process.exited.catch(() => -1)
    },
  }
}
