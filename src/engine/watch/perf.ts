import type { PerfSample } from '../../model/perf.ts'
import type { DiskCounters, PmLook } from '../hypervisor/domain.ts'

/**
 * Rates from counters: each look's totals against those of the look before. A counter that went back (a new domain under
 * an old UUID) gives no rate until the next look.
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
}

export interface Sampler {
  /** A sample for the PM and one for each of its domains, by UUID. */
  sample(pm: string, look: PmLook, now: number): ReadonlyMap<string, PerfSample>
  /** Disk totals of a domain; its rates go into the samples that follow. */
  disks(uuid: string, domid: number, counters: readonly DiskCounters[], now: number): void
  forget(subject: string): void
}

export function createSampler(): Sampler {
  const before = new Map<string, Totals>()
  const diskBefore = new Map<string, DiskTotals>()
  const diskRates = new Map<string, { readonly readBytes: number; readonly writeBytes: number }>()

  function rate(now: number | undefined, then: number | undefined, seconds: number): number | undefined {
    if (now === undefined || then === undefined || now < then || seconds <= 0) return undefined
    return (now - then) / seconds
  }

  function rates(subject: string, totals: Totals, coreCount: number): Omit<PerfSample, 'at'> {
    const last = before.get(subject)
    before.set(subject, totals)
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
    sample(pm, look, now) {
      const samples = new Map<string, PerfSample>()
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
        samples.set(domain.uuid, {
          at: now,
          memoryMib: domain.memoryMib,
          ...rates(domain.uuid, totals, 1),
          ...diskRates.get(domain.uuid),
        })
      }
      const { rxBytes, txBytes } = look
      const own = rates(pm, { at: now, cpuSeconds, rxBytes, txBytes }, look.cpuCount)
      samples.set(pm, { at: now, memoryMib: look.totalMib - look.freeMib, ...own })
      return samples
    },
    disks(uuid, domid, counters, now) {
      const readBytes = counters.reduce((sum, disk) => sum + disk.readBytes, 0)
      const writeBytes = counters.reduce((sum, disk) => sum + disk.writeBytes, 0)
      const last = diskBefore.get(uuid)
      diskBefore.set(uuid, { at: now, domid, readBytes, writeBytes })
      if (!last || last.domid !== domid) return
      const seconds = (now - last.at) / 1000
      const read = rate(readBytes, last.readBytes, seconds)
      const write = rate(writeBytes, last.writeBytes, seconds)
      if (read === undefined || write === undefined) diskRates.delete(uuid)
      else diskRates.set(uuid, { readBytes: read, writeBytes: write })
    },
    forget(subject) {
      before.delete(subject)
      diskBefore.delete(subject)
      diskRates.delete(subject)
    },
  }
}
