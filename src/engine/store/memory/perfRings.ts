import type { PerfSample } from '../../../model/perf.ts'
import { chunks } from '../sqlite/counters.ts'
import type { Database } from '../sqlite/database.ts'
import type { Samples } from './liveView.ts'
import type { Memory } from './memory.ts'
import { fromBytes, newPage, PAGE_SAMPLES, readSample, toBytes, writeSample } from './perfPages.ts'

/** How many samples of a PM or VM are kept. */
const RING_SIZE = 360

/** Samples of PMs and VMs: the newest exactly, older ones to about 0.03 percent. */
export interface PerfRings {
  add(subject: string, sample: PerfSample): void
  /** Brings back what was saved; before what has been added since. */
  load(): Promise<void>
  /** Writes what has changed since the last time; done by itself at most once a minute, and on close. */
  save(): Promise<void>
}

const SAVED_EVERY_MS = 60_000
/** Subjects a transaction: a screen is drawn between two of them. */
const SUBJECTS_AT_ONCE = 500

interface Ring {
  readonly pages: (Uint16Array | undefined)[]
  /** Where the next sample goes. */
  next: number
  newest?: PerfSample
  /** Bits of pages that are not on disk. */
  unsaved: number
  history?: readonly PerfSample[]
}

export interface PerfDeps {
  readonly database: Database
  readonly memory: Memory
}

/** Rings that are empty until `load`; `stop` ends the timer that saves them. */
export function createPerfRings({ database, memory }: PerfDeps): { rings: PerfRings; samples: Samples; stop(): void } {
  const rings = new Map<string, Ring>()
  let timer: ReturnType<typeof setTimeout> | undefined

  function ringOf(subject: string): Ring {
    let ring = rings.get(subject)
    if (!ring) {
      ring = { pages: [], next: 0, unsaved: 0 }
      rings.set(subject, ring)
    }
    return ring
  }

  function push(ring: Ring, sample: PerfSample): void {
    const index = Math.floor(ring.next / PAGE_SAMPLES)
    ring.pages[index] ??= newPage()
    writeSample(ring.pages[index], ring.next % PAGE_SAMPLES, sample)
    ring.next = (ring.next + 1) % RING_SIZE
    ring.newest = sample
    ring.unsaved |= 1 << index
    ring.history = undefined
  }

  async function save(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    for (const [subject] of rings) if (!isKnown(subject)) rings.delete(subject)
    const unsaved = [...rings].filter(([, ring]) => ring.unsaved !== 0)
    for (const some of chunks(unsaved, SUBJECTS_AT_ONCE)) {
      await saveSome(some)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async function saveSome(some: readonly [string, Ring][]): Promise<void> {
    await database.write('relaxed', async ({ sql, afterCommit }) => {
      const rows = some.flatMap(([subject, ring]) =>
        ring.pages.flatMap((page, index) =>
          page && ring.unsaved & (1 << index) ? [{ subject, page: index, samples: toBytes(page) }] : [],
        ),
      )
      for (const values of chunks(rows)) {
        await sql
          .insertInto('perf')
          .values(values)
          .onConflict((conflict) =>
            conflict.columns(['subject', 'page']).doUpdateSet((eb) => ({ samples: eb.ref('excluded.samples') })),
          )
          .execute()
      }
      afterCommit(() => {
        for (const [, ring] of some) ring.unsaved = 0
      })
    })
  }

  /** What was dropped leaves no samples behind. */
  function isKnown(subject: string): boolean {
    return memory.revOf('vm', subject) > 0 || memory.revOf('pm', subject) > 0
  }

  async function load(): Promise<void> {
    let after = ''
    for (;;) {
      const rows = await database.read(async (sql) => {
        const subjects = await sql
          .selectFrom('perf')
          .select('subject')
          .distinct()
          .where('subject', '>', after)
          .orderBy('subject')
          .limit(SUBJECTS_AT_ONCE)
          .execute()
        const last = subjects.at(-1)?.subject
        if (last === undefined) return []
        return sql
          .selectFrom('perf')
          .selectAll()
          .where('subject', '>', after)
          .where('subject', '<=', last)
          .orderBy('subject')
          .execute()
      })
      if (rows.length === 0) return
      for (const [subject, some] of Map.groupBy(rows, (row) => row.subject)) {
        if (isKnown(subject)) restore(subject, some)
      }
      after = rows.at(-1)!.subject
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  function restore(subject: string, rows: readonly { page: number; samples: Uint8Array }[]): void {
    const ring = ringOf(subject)
    const added = historyOf(ring)
    ring.pages.length = 0
    ring.unsaved = 0
    for (const row of rows) if (row.page < RING_SIZE / PAGE_SAMPLES) ring.pages[row.page] = fromBytes(row.samples)
    ring.next = slotAfterNewest(ring.pages)
    ring.newest = samplesOf(ring.pages).at(-1)
    ring.history = undefined
    for (const sample of added) push(ring, sample)
    memory.noticePerf(subject)
  }

  return {
    rings: {
      add(subject, sample) {
        push(ringOf(subject), sample)
        memory.noticePerf(subject)
        // A failure to save loses a curve; what matters is written by others, who tell.
        timer ??= setTimeout(() => void save().catch(() => undefined), SAVED_EVERY_MS)
        timer.unref?.()
      },
      load,
      save,
    },
    samples: {
      rates: (subject) => rings.get(subject)?.newest,
      history(subject) {
        const ring = rings.get(subject)
        return ring ? historyOf(ring) : []
      },
    },
    stop: () => clearTimeout(timer),
  }
}

/** Oldest first. */
function historyOf(ring: Ring): readonly PerfSample[] {
  ring.history ??= withNewest(samplesOf(ring.pages), ring.newest)
  return ring.history
}

function withNewest(samples: PerfSample[], newest: PerfSample | undefined): PerfSample[] {
  if (samples.length > 0 && newest) samples[samples.length - 1] = newest
  return samples
}

/** Pages of a ring begin anywhere, and two processes may have written them: time says the order. */
function samplesOf(pages: readonly (Uint16Array | undefined)[]): PerfSample[] {
  const samples: PerfSample[] = []
  for (const page of pages) {
    if (!page) continue
    for (let slot = 0; slot < PAGE_SAMPLES; slot++) {
      const sample = readSample(page, slot)
      if (sample) samples.push(sample)
    }
  }
  return samples.sort((a, b) => a.at - b.at)
}

function slotAfterNewest(pages: readonly (Uint16Array | undefined)[]): number {
  let newestAt = 0
  let next = 0
  pages.forEach((page, index) => {
    if (!page) return
    for (let slot = 0; slot < PAGE_SAMPLES; slot++) {
      const at = readSample(page, slot)?.at ?? 0
      if (at <= newestAt) continue
      newestAt = at
      next = (index * PAGE_SAMPLES + slot + 1) % RING_SIZE
    }
  })
  return next
}
