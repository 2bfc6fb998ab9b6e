import { PengxError } from '../../../model/error.ts'
import type { WriteTimes } from '../../tools/qmp.ts'
import { parseWriteTimes, type Qmp } from '../../tools/qmp.ts'
import { ownJobs } from '../blockJobs.ts'

/**
 * How fast a running guest's disks may be copied so that the guest keeps four fifths of its write rate, found while they are
 * copied: who writes one after the other writes the less the longer a write takes. What one took before is QEMU's to tell.
 */
export interface Pace {
  /** Tells what all writes took until now, and gives how many bytes a second may be copied from now on. */
  next(now: WriteTimes): number
  /** How much longer a write has taken since than before; undefined where there was too little to tell. */
  slowdown(): number | undefined
}

/** A write may take so much longer. */
const LONGER = 1 / 0.8
/** Fewer in a look tell nothing. */
const ENOUGH = 5

/**
 * Pure but for what it remembers. Halves the rate where writes take too long, and lets it grow by a tenth where they do not: it
 * stays near what they bear. It never falls below a sixteenth of the most, or nothing would ever be done beside a guest
 * that is slow by itself.
 */
export function createPace(most: number, before: WriteTimes): Pace {
  const alone = before.operations >= ENOUGH ? before.ns / before.operations : undefined
  let [last, latest, rate] = [before, before, most]
  return {
    next(now) {
      latest = now
      const operations = now.operations - last.operations
      if (operations < ENOUGH) return rate
      const took = (now.ns - last.ns) / operations
      last = now
      const isSlow = alone !== undefined && took > alone * LONGER
      rate = Math.ceil(isSlow ? Math.max(most / 16, rate / 2) : Math.min(most, rate * 1.1))
      return rate
    },
    slowdown() {
      const operations = latest.operations - before.operations
      if (alone === undefined || alone === 0 || operations < ENOUGH) return undefined
      return (latest.ns - before.ns) / operations / alone
    },
  }
}

/** What a guest's writes have taken since its QEMU began (QMP `query-blockstats`). Looks only. */
export async function writeTimes(qmp: Qmp): Promise<WriteTimes> {
  return parseWriteTimes(await qmp.execute('query-blockstats'))
}

/** Gives the jobs of that name the rate that the guest's writes allow by now (QMP `block-job-set-speed`). */
export async function keepPace(qmp: Qmp, name: string, pace: Pace): Promise<void> {
  const speed = pace.next(await writeTimes(qmp))
  for (const { id, status } of await ownJobs(qmp, name)) {
    if (status !== 'running') continue
    // One that has just ended needs no rate.
    await qmp.execute('block-job-set-speed', { device: id, speed }).catch((error: unknown) => {
      if (!(error instanceof PengxError)) throw error
    })
  }
}
