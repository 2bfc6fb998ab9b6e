import type { View } from '../../engine/store/view.ts'
import type { Pm } from '../../model/pm.ts'
import { hasDomain } from '../../model/vm.ts'
import { pmStatus } from './pm.ts'
import type { Shape } from './shape.ts'

/** What a PM is doing, from its last look and its newest sample. */
interface PmPerf {
  readonly pm: Pm
  readonly vmCount: number
  readonly usedCores: number
  readonly usedMib?: number
  readonly cpuPercent?: number
  readonly rxBytes?: number
  readonly txBytes?: number
}

export function pmPerf(pm: Pm, view: View): PmPerf {
  const vms = view.vmsOn(pm.uuid)
  const rates = view.rates(pm.uuid)
  const atWork = vms.filter((vm) => hasDomain(vm.seen.state))
  return {
    pm,
    vmCount: vms.length,
    usedCores: atWork.reduce((sum, vm) => sum + (vm.seen.vcpuCount ?? vm.vcpuCount), 0),
    ...(pm.seen.freeMib === undefined ? {} : { usedMib: pm.memoryMib - pm.seen.freeMib }),
    ...(rates?.cpuPercent === undefined ? {} : { cpuPercent: rates.cpuPercent }),
    ...(rates?.rxBytes === undefined ? {} : { rxBytes: rates.rxBytes }),
    ...(rates?.txBytes === undefined ? {} : { txBytes: rates.txBytes }),
  }
}

export const pmPerfShape: Shape<PmPerf> = {
  name: 'pmpperf',
  id: ({ pm }) => pm.uuid,
  fields: [
    { kind: 'text', name: 'status', help: 'Up or Down', get: ({ pm }) => pmStatus(pm.seen.reach) },
    { kind: 'number', name: 'vm_count', help: 'VMs of this PM, running or not', get: ({ vmCount }) => vmCount },
    {
      kind: 'flag',
      name: 'smt',
      help: 'a core carries more than one thread',
      get: ({ pm }) => (pm.seen.threadsPerCore === undefined ? undefined : pm.seen.threadsPerCore > 1),
    },
    { kind: 'number', name: 'total_cpu_cores', get: ({ pm }) => pm.cpuCount },
    { kind: 'number', name: 'used_cpu_cores', help: 'VCPUs of running VMs', get: ({ usedCores }) => usedCores },
    { kind: 'number', name: 'cpu_util', help: 'percent of the whole machine', get: ({ cpuPercent }) => cpuPercent },
    { kind: 'number', name: 'total_memory', help: 'MiB', get: ({ pm }) => pm.memoryMib },
    { kind: 'number', name: 'used_memory', help: 'MiB', get: ({ usedMib }) => usedMib },
    {
      kind: 'number',
      name: 'memory_util',
      help: 'percent',
      get: ({ pm, usedMib }) =>
        usedMib === undefined || pm.memoryMib === 0 ? undefined : (100 * usedMib) / pm.memoryMib,
    },
    { kind: 'number', name: 'iface_rx_sum', help: 'bytes a second, all interfaces', get: ({ rxBytes }) => rxBytes },
    { kind: 'number', name: 'iface_tx_sum', help: 'bytes a second, all interfaces', get: ({ txBytes }) => txBytes },
  ],
}
