/** One sample of a PM or a VM. Rates are per second over the time since the sample before; absent: not known. */
export interface PerfSample {
  readonly at: number
  /** Percent of one core for a VM (8 busy vcpus: 800), of the whole machine for a PM. */
  readonly cpuPercent?: number
  readonly memoryMib?: number
  readonly rxBytes?: number
  readonly txBytes?: number
  readonly readBytes?: number
  readonly writeBytes?: number
}

export const PERF_FIELDS = ['cpuPercent', 'memoryMib', 'rxBytes', 'txBytes', 'readBytes', 'writeBytes'] as const
export type PerfField = (typeof PERF_FIELDS)[number]
