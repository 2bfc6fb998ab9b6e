import { formatTime } from '../../lib/age.ts'
import { PengxError } from '../../model/error.ts'
import type { Inventory } from '../store/inventory.ts'
import { troubleIn } from '../store/sqlite/errors.ts'
import type { EngineDeps } from './context.ts'

/**
 * Jobs at work while the store cannot be written. What a job would write down it goes on trying, and goes no further
 * until that is written: so nothing happens that the journal does not announce, nobody forgets the job, and it goes on as
 * soon as the store does. Who waits for the job is told after a while, and not kept for ever.
 */
export interface Patience {
  /** What a job works with: its journal, and what it does to the inventory, wait for the store. */
  depsFor(jobId: string): EngineDeps
  /**
   * Writes as soon as that can be done; fails as the write does for any other reason, and when pengx closes. `onWait`:
   * called when it has to wait for the first time.
   */
  write<T>(jobId: string, write: () => Promise<T>, onWait?: (error: unknown) => void): Promise<T>
  /** A job that has waited for long: the world has moved on meanwhile, as after a gap between two processes. */
  gapOf(jobId: string): { readonly consents: false } | undefined
  /** The job is at work here no more. */
  forget(jobId: string): void
  /** Does it now; where the store does not let it, fails with that, and does it by itself as soon as the store does. */
  soon(work: () => Promise<void>): Promise<void>
  /** Resolves with the job's end, or fails when it has waited for the store for a while: it goes on all the same. */
  attend(jobId: string, end: Promise<void>): Promise<void>
  /** Fails where the store has not been written for a while: for those who wait for a job of another process. */
  needStore(jobId: string): void
}

/** How long a caller is let wait without a word. */
const PATIENCE_MS = 10_000
const POLL_MS = 250
const LONGEST_MS = 10_000

/** The patience of this process's jobs; `closing` ends all waiting. */
export function createPatience(deps: EngineDeps, closing: AbortSignal): Patience {
  const { store, clock } = deps
  const callers = new Map<string, Set<(error: PengxError) => void>>()
  const longWaits = new Set<string>()

  async function write<T>(
    jobId: string,
    attempt: () => Promise<T>,
    onWait: (error: unknown) => void = () => undefined,
  ): Promise<T> {
    let since: number | undefined
    for (let pauseMs = POLL_MS; ; pauseMs = Math.min(LONGEST_MS, pauseMs * 2)) {
      try {
        return await attempt()
      } catch (error) {
        const trouble = troubleIn(error)
        if (!trouble || closing.aborted) throw error
        if (since === undefined) onWait(error)
        since ??= clock.now()
        await untilBetter(jobId, trouble.why, pauseMs, since)
      }
    }
  }

  /** Until the store says that it can be written, and so long at least; says meanwhile what is waited for. */
  async function untilBetter(jobId: string, why: string, pauseMs: number, since: number): Promise<void> {
    const step = store.view.getJob(jobId)?.step ?? ''
    const until = clock.now() + pauseMs
    try {
      for (;;) {
        store.jobs.tell(jobId, `waits for the store: ${store.view.storeTrouble?.why ?? why}`)
        await clock.sleep(POLL_MS, closing)
        if (!store.view.storeTrouble && clock.now() >= until) return
        if (clock.now() - since < PATIENCE_MS) continue
        longWaits.add(jobId)
        for (const tell of callers.get(jobId) ?? []) tell(word(jobId, why))
      }
    } finally {
      store.jobs.tell(jobId, step)
    }
  }

  function word(jobId: string, why: string): PengxError {
    const job = store.view.getJob(jobId)
    const name = job ? `job ${job.number} (${job.operation} ${job.subject.name})` : `job ${jobId}`
    const { storeTrouble } = store.view
    const since = storeTrouble ? ` since ${formatTime(storeTrouble.since)}` : ''
    const code = storeTrouble?.code === 'internal' ? 'unreachable' : (storeTrouble?.code ?? 'unreachable')
    return new PengxError(
      code,
      `${name} waits for the store, which cannot be written${since}: ${storeTrouble?.why ?? why}. ` +
        'It goes on as soon as that is over, here or at the next start of pengx; `pengx jobs` shows it',
    )
  }

  /**
   * What a job at work writes. Nothing any more once pengx closes: its hosts are let go of, and whatever fails of that says
   * nothing of the job, which is left as one whose process was killed.
   */
  async function writeAtWork<T>(jobId: string, attempt: () => Promise<T>): Promise<T> {
    if (closing.aborted) throw closing.reason
    return await write(jobId, attempt)
  }

  function waiting<K extends keyof Inventory>(jobId: string, name: K): Inventory[K] {
    const call = store.inventory[name] as (...given: unknown[]) => Promise<unknown>
    return ((...given: unknown[]) => writeAtWork(jobId, () => call(...given))) as unknown as Inventory[K]
  }

  return {
    write,
    depsFor(jobId) {
      const { jobs, inventory, locks } = store
      const names = Object.keys(inventory) as (keyof Inventory)[]
      const patientInventory = Object.fromEntries(names.map((name) => [name, waiting(jobId, name)]))
      return {
        ...deps,
        store: {
          ...store,
          inventory: patientInventory as unknown as Inventory,
          locks: {
            acquire: (id, requests) => writeAtWork(id, () => locks.acquire(id, requests)),
            release: (id) => writeAtWork(id, () => locks.release(id)),
          },
          jobs: {
            ...jobs,
            recordPlan: (id, plan) => writeAtWork(id, () => jobs.recordPlan(id, plan)),
            update: (id, patch, onlyFrom) => writeAtWork(id, () => jobs.update(id, patch, onlyFrom)),
            appendEvent: (id, event) => writeAtWork(id, () => jobs.appendEvent(id, event)),
            load: (id) => write(id, () => jobs.load(id)),
            secrets: (id) => write(id, () => jobs.secrets(id)),
          },
        },
      }
    },
    gapOf: (jobId) => (longWaits.has(jobId) ? { consents: false } : undefined),
    forget: (jobId) => void longWaits.delete(jobId),
    async soon(work) {
      try {
        await work()
      } catch (error) {
        if (troubleIn(error)) void write('', work).catch(() => undefined)
        throw error
      }
    },
    async attend(jobId, end) {
      const told = Promise.withResolvers<never>()
      const own = callers.get(jobId) ?? new Set()
      callers.set(jobId, own.add(told.reject))
      try {
        await Promise.race([end, told.promise])
      } finally {
        own.delete(told.reject)
        if (own.size === 0) callers.delete(jobId)
      }
    },
    needStore(jobId) {
      const { storeTrouble } = store.view
      if (storeTrouble && clock.now() - storeTrouble.since >= PATIENCE_MS) throw word(jobId, storeTrouble.why)
    },
  }
}
