import type { PerfSample } from '../../model/perf.ts'
import type { DiskCounters, PmLook } from '../hypervisor/domain.ts'

/**
 * Rates from counters: each look's totals against those of the look before. A counter that went back (a new domain under
 * an old UUID) gives no rate until the next look. What a look does not show is forgotten.
 */
interface Totals {
  readonly at: number
  readonly cpuSeconds?: number
  readonly rxBytes?: number
  readonly txBytes?: number
}

interface DiskTotals {
  readonly at: number
  readonly domid: number
  readonly readBytes: number
  readonly writeBytes: number
  readonly rates?: { readonly readBytes: number; readonly writeBytes: number }
}

/** One PM's. */
export interface Sampler {
  /** A sample for the PM and one for each of its domains, by UUID. */
  sample(look: PmLook, now: number): ReadonlyMap<string, PerfSample>
  /** Disk totals of a domain; its rates go into the samples that follow. */
  disks(uuid: string, domid: number, counters: readonly DiskCounters[], now: number): void
}

export function createSampler(pm: string): Sampler {
  let before = new Map<string, Totals>()
  const diskTotals = new Map<string, DiskTotals>()

  function rate(now: number | undefined, then: number | undefined, seconds: number): number | undefined {
    if (now === undefined || then === undefined || now < then || seconds <= 0) return undefined
    return (now - then) / seconds
  }

  function rates(subject: string, totals: Totals, coreCount: number): Omit<PerfSample, 'at'> {
    const last = before.get(subject)
    if (!last) return {}
    const seconds = (totals.at - last.at) / 1000
    const cores = rate(totals.cpuSeconds, last.cpuSeconds, seconds)
    const rxBytes = rate(totals.rxBytes, last.rxBytes, seconds)
    const txBytes = rate(totals.txBytes, last.txBytes, seconds)
    return {
      ...(cores === undefined ? {} : { cpuPercent: (cores * 100) / coreCount }),
      ...(rxBytes === undefined ? {} : { rxBytes }),
      ...(txBytes === undefined ? {} : { txBytes }),
    }
  }

  return {
    sample(look, now) {
      const samples = new Map<string, PerfSample>()
      const seen = new Map<string, Totals>()
      let cpuSeconds = 0
      for (const domain of look.domains) {
        cpuSeconds += domain.cpuSeconds
        if (domain.domid === 0) continue
        const { rxBytes, txBytes } = domain
        const totals = {
          at: now,
          cpuSeconds: domain.cpuSeconds,
          ...(rxBytes === undefined ? {} : { rxBytes }),
          ...(txBytes === undefined ? {} : { txBytes }),
        }
        seen.set(domain.uuid, totals)
        samples.set(domain.uuid, {
          at: now,
          memoryMib: domain.memoryMib,
          ...rates(domain.uuid, totals, 1),
          ...diskTotals.get(domain.uuid)?.rates,
        })
      }
      const { rxBytes, txBytes } = look
      const own = { at: now, cpuSeconds, rxBytes, txBytes }
      seen.set(pm, own)
      samples.set(pm, { at: now, memoryMib: look.totalMib - look.freeMib, ...rates(pm, own, look.cpuCount) })
      before = seen
      for (const uuid of diskTotals.keys()) if (!seen.has(uuid)) diskTotals.delete(uuid)
      return samples
    },
    disks(uuid, domid, counters, now) {
      const readBytes = counters.reduce((sum, disk) => sum + disk.readBytes, 0)
      const writeBytes = counters.reduce((sum, disk) => sum + disk.writeBytes, 0)
      const last = diskTotals.get(uuid)
      const seconds = last?.domid === domid ? (now - last.at) / 1000 : 0
      const read = rate(readBytes, last?.readBytes, seconds)
      const write = rate(writeBytes, last?.writeBytes, seconds)
      const known = read === undefined || write === undefined ? {} : { rates: { readBytes: read, writeBytes: write } }
      diskTotals.set(uuid, { at: now, domid, readBytes, writeBytes, ...known })
    },
  }
}
