import { freeMib } from '../../machine/guests.ts'
import type { Program } from '../../machine/program.ts'
import { splitOptions } from './words.ts'

export const info: Program = (call) => {
  const { pm } = call
  const numa = splitOptions(call.argv, '').options.some((option) => option === 'n' || option === '--numa')
  const free = freeMib(pm)
  const topology: string[] = []
  if (numa) {
    topology.push('cpu_topology           :', 'cpu:    core    socket     node')
    for (let cpu = 0; cpu < pm.cpuCount; cpu++) {
      const core = Math.floor(cpu / pm.threadsPerCore)
      const socket = Math.floor(core / pm.coresPerSocket)
      topology.push(
        `${String(cpu).padStart(3)}:${String(core % pm.coresPerSocket).padStart(8)}${String(socket).padStart(9)}${'0'.padStart(9)}`,
      )
    }
    topology.push(
      'device topology        :',
      'device           node',
      'No device topology data available',
      'numa_info              :',
      'node:    memsize    memfree    distances',
      `${'0'.padStart(4)}:${String(pm.memoryMib + 1).padStart(10)}${String(free).padStart(11)}${'10'.padStart(8)}`,
    )
  }
  const lines = [
    ...Object.entries({
      host: pm.name,
      release: '6.1.0-50-amd64',
      version: '#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)',
      machine: 'x86_64',
      nr_cpus: pm.cpuCount,
      max_cpu_id: pm.cpuCount - 1,
      nr_nodes: 1,
      cores_per_socket: pm.coresPerSocket,
      threads_per_core: pm.threadsPerCore,
      cpu_mhz: '2596.147',
      hw_caps: '178bf3fd:f6d83203:24500800:00000077:00000005:008801a9:00000000:00000000',
      virt_caps: `pv hvm hap${pm.noShadow ? '' : ' shadow'} gnttab-v1 gnttab-v2`,
      total_memory: pm.memoryMib,
      free_memory: free,
      sharing_freed_memory: 0,
      sharing_used_memory: 0,
      outstanding_claims: 0,
      free_cpus: 0,
    }).map(field),
    ...topology,
    ...Object.entries({
      xen_major: 4,
      xen_minor: 17,
      xen_extra: '.5',
      xen_version: '4.17.5',
      xen_caps: 'xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ',
      xen_scheduler: 'credit2',
      xen_pagesize: 4096,
      platform_params: 'virt_start=0xffff800000000000',
      xen_changeset: '',
      xen_commandline: `dom0_mem=${pm.dom0MemoryMib}M,max:${pm.dom0MemoryMib}M dom0_max_vcpus=${pm.dom0VcpuCount} sched=credit2`,
      cc_compiler: 'x86_64-linux-gnu-gcc (Debian 12.2.0-14+deb12u1) 12.2.0',
      cc_compile_by: 'pkg-xen-devel',
      cc_compile_domain: 'lists.alioth.debian.org',
      cc_compile_date: 'Sat Nov 29 13:52:25 UTC 2025',
      build_id: '39a640e6f1412319235087391df9f1c5e13ae920',
      xend_config_format: 4,
    }).map(field),
  ]
  call.out(`${lines.join('\n')}\n`)
  return 0
}

function field([key, value]: [string, string | number]): string {
  return `${key.padEnd(23)}: ${value}`
}
