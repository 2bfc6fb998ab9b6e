import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Engine } from '../engine/engine.ts'
import { JOB_STATE } from './views/job.ts'
import { STATUS } from './views/vm.ts'

/** The site and this server in numbers for Prometheus; counted when asked for, from memory. */
export interface Metrics {
  readonly contentType: string
  text(): Promise<string>
  /** One request, under its row's path: names and ids are no labels. */
  count(method: string, path: string, status: number, seconds: number): void
}

export function createMetrics({ view }: Engine): Metrics {
  const registers = [new Registry()]
  const registry = registers[0]!
  gauge('pengx_vms', 'VMs by status', ['status'], (set) => {
    const counts = countBy(view.vms(), (vm) => STATUS[vm.seen.state])
    for (const status of new Set(Object.values(STATUS))) set({ status }, counts.get(status) ?? 0)
  })
  gauge(
    'pengx_vm_wrong_volumes',
    'volumes that a VM writes to and must not, and its own that others write to',
    ['vm', 'uuid', 'kind'],
    (set) => {
      for (const { uuid, name, seen } of view.vms()) {
        const counts = countBy(seen.wrongVolumes ?? [], ({ kind }) => kind)
        for (const [kind, count] of counts) set({ vm: name, uuid, kind }, count)
      }
    },
  )
  gauge('pengx_jobs', 'jobs in memory by state', ['state'], (set) => {
    const counts = countBy(view.jobs(), (job) => JOB_STATE[job.state])
    for (const state of new Set(Object.values(JOB_STATE))) set({ state }, counts.get(state) ?? 0)
  })
  const ofPms = (name: string, help: string, read: (pm: ReturnType<typeof view.pms>[number]) => number | undefined) =>
    gauge(name, help, ['pm'], (set) => {
      for (const pm of view.pms()) set({ pm: pm.name }, read(pm))
    })
  ofPms('pengx_pm_up', '1 where the last look was answered', (pm) => (pm.seen.reach === 'up' ? 1 : 0))
  ofPms('pengx_pm_last_look_seconds', 'when it last answered, Unix time', (pm) => pm.seen.at / 1_000)
  ofPms('pengx_pm_memory_bytes', 'memory', (pm) => pm.memoryMib * 1_048_576)
  ofPms('pengx_pm_memory_free_bytes', 'memory that Xen has free', (pm) =>
    pm.seen.freeMib === undefined ? undefined : pm.seen.freeMib * 1_048_576,
  )
  ofPms('pengx_pm_cpu_ratio', 'CPU in use, 0 to 1', (pm) => {
    const percent = view.rates(pm.uuid)?.cpuPercent
    return percent === undefined ? undefined : percent / 100
  })
  for (const which of ['size', 'free'] as const) {
    gauge(`pengx_storlink_${which}_bytes`, `${which} of a storlink`, ['storlink', 'name'], (set) => {
      for (const storlink of view.storlinks()) {
        const mib = which === 'size' ? storlink.sizeMib : storlink.freeMib
        set({ storlink: String(storlink.id), name: storlink.name }, mib * 1_048_576)
      }
    })
  }
  gauge('pengx_store_writable', '1 where what is remembered can be written down', [], (set) =>
    set({}, view.storeTrouble ? 0 : 1),
  )
  gauge('pengx_resident_memory_bytes', 'memory of this process', [], (set) => set({}, process.memoryUsage.rss()))
  const requests = new Counter({
    name: 'pengx_http_requests_total',
    help: 'requests answered',
    labelNames: ['method', 'path', 'status'],
    registers,
  })
  const seconds = new Histogram({
    name: 'pengx_http_request_seconds',
    help: 'time to the answer',
    labelNames: ['method', 'path'],
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60],
    registers,
  })

  function gauge(
    name: string,
    help: string,
    labelNames: readonly string[],
    read: (set: (labels: Record<string, string>, value: number | undefined) => void) => void,
  ): void {
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers,
      collect() {
        this.reset()
        read((labels, value) => value !== undefined && this.set(labels, value))
      },
    })
  }

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    count(method, path, status, took) {
      requests.inc({ method, path, status: String(status) })
      seconds.observe({ method, path }, took)
    },
  }
}

function countBy<T>(items: readonly T[], key: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1)
  return counts
}
