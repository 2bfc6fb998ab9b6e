import type { VmState } from '../../../model/vm.ts'
import { parseCpuFeatures } from '../cpuFeatures.ts'
import { changes, type Program, reads } from '../program.ts'

/** xl(1): the command lines pengx gives it, and the tables it prints. */

/** `-v` adds the UUID and the reason of a shutdown. */
export const listDomains: Program = reads('xl', 'list', '-v')
export const hostInfo: Program = reads('xl', 'info')

/** What domains were built from, as JSON; without a domid, of all. */
export function listConfigurations(domid?: number): Program {
  return domid === undefined ? reads('xl', 'list', '-l') : reads('xl', 'list', '-l', String(domid))
}

/** Exit 0 and the domid where a domain has the name, 255 (1 in some versions) where none has. */
export function domainNamed(name: string): Program {
  return reads('xl', 'domid', name)
}

/** The UUID goes beside the file as one more line of configuration. */
export function createDomain(path: string, uuid: string, paused = false): Program {
  return changes('xl', 'create', ...(paused ? ['-p'] : []), path, `uuid="${uuid}"`)
}

/** `-F`: an HVM guest without PV drivers is asked through ACPI. */
export function shutdownDomain(domid: number): Program {
  return changes('xl', 'shutdown', '-F', String(domid))
}

export function rebootDomain(domid: number): Program {
  return changes('xl', 'reboot', '-F', String(domid))
}

export function destroyDomain(domid: number): Program {
  return changes('xl', 'destroy', String(domid))
}

export function pauseDomain(domid: number): Program {
  return changes('xl', 'pause', String(domid))
}

export function unpauseDomain(domid: number): Program {
  return changes('xl', 'unpause', String(domid))
}

/** What the guest shall have now, in MiB; at most what it was built with as its maximum. */
export function setMemory(domid: number, mib: number): Program {
  return changes('xl', 'mem-set', String(domid), String(mib))
}

/** `-i`: more than the machine has is the caller's to allow. */
export function setVcpus(domid: number, count: number): Program {
  return changes('xl', 'vcpu-set', '-i', String(domid), String(count))
}

/** What the domain is built from at its next reboot; it exits with 0 and a warning. */
/** `uuid`: a file without one would let xl make another up at the guest's next reboot. */
export function updateConfig(domid: number, path: string, uuid: string): Program {
  return changes('xl', 'config-update', String(domid), path, `uuid="${uuid}"`)
}

export function renameDomain(domid: number, name: string): Program {
  return changes('xl', 'rename', String(domid), name)
}

export function consoleOf(domid: number): readonly [string, ...string[]] {
  return ['xl', 'console', String(domid)]
}

/** One row of `xl list -v`. */
export interface ListedDomain {
  readonly name: string
  readonly domid: number
  readonly memoryMib: number
  readonly vcpuCount: number
  readonly rawState: string
  readonly state: VmState
  readonly cpuSeconds: number
  readonly uuid: string
}

/** Read from the right: a name may hold blanks and digits, the six letters of the state are like nothing else. */
const ROW =
  /^(.*?)\s+(\d+)\s+(\d+)\s+(\d+)\s+([r-][b-][p-][s-][-rscwS?][d-])\s+(\d+\.\d+)\s+([0-9a-f]{8}-[0-9a-f-]{27})\s+(\S+)/

export function parseList(stdout: string): ListedDomain[] {
  const domains: ListedDomain[] = []
  for (const line of stdout.split('\n')) {
    const row = ROW.exec(line)
    if (!row) continue
    const [memoryMib, vcpuCount] = [Number(row[3]), Number(row[4])]
    domains.push({
      name: row[1]!,
      domid: Number(row[2]),
      memoryMib,
      vcpuCount,
      rawState: row[5]!,
      state: parseState(row[5]!, memoryMib, vcpuCount),
      cpuSeconds: Number(row[6]),
      uuid: row[7]!,
    })
  }
  return domains
}

/**
 * The letters of `xl list`: running, blocked, paused, shut down, why, dying. No letter at all is a domain between two
 * of them. One that has shut down keeps its domain until xl has looked after it: with `on_*="preserve"` for good. It
 * still owns its disks, so it is `dying` and not `shutdown`, which is a VM without a domain.
 */
function parseState(letters: string, memoryMib: number, vcpuCount: number): VmState {
  if (letters[5] === 'd') return 'dying'
  if (letters[3] === 's') return STATE_OF_REASON[letters[4]!] ?? 'dying'
  // libxl makes the domain first and gives it memory and processors then
  if (letters[2] === 'p') return memoryMib === 0 || vcpuCount === 0 ? 'starting' : 'paused'
  return 'running'
}

/** Crash and watchdog; suspended for a save or a migration; a soft reset builds the same domain anew. */
const STATE_OF_REASON: Readonly<Record<string, VmState>> = { c: 'crashed', w: 'crashed', s: 'paused', S: 'starting' }

export interface XenInfo {
  readonly xenVersion: string
  readonly cpuCount: number
  readonly threadsPerCore: number
  readonly socketCount: number
  readonly totalMib: number
  readonly freeMib: number
  /** What guests it can have and how their memory can be followed: `pv`, `hvm`, `hap`, `shadow`; empty before Xen 4.12. */
  readonly virtCaps: readonly string[]
  /** What its processors can do for guests. */
  readonly cpuFeatures: readonly string[]
  /** dom0 keeps the memory that it was booted with; else xl takes from it what a new domain needs. */
  readonly dom0IsFixed: boolean
}

/** `xl info`, with or without `-n`; undefined where it is not that (no hypervisor underneath). */
export function parseInfo(stdout: string): XenInfo | undefined {
  const values = new Map<string, string>()
  for (const line of stdout.split('\n')) {
    const found = /^([a-z_]+)\s*:\s?(.*)$/.exec(line)
    if (found) values.set(found[1]!, found[2]!.trim())
  }
  const number = (key: string, standard: number) => {
    const value = Number(values.get(key) || Number.NaN)
    return Number.isFinite(value) ? value : standard
  }
  const cpuCount = number('nr_cpus', 0)
  const totalMib = number('total_memory', 0)
  if (cpuCount === 0 || totalMib === 0) return undefined
  const threadsPerCore = Math.max(1, number('threads_per_core', 1))
  const perSocket = Math.max(1, number('cores_per_socket', cpuCount)) * threadsPerCore
  const version = `${values.get('xen_major') ?? ''}.${values.get('xen_minor') ?? ''}${values.get('xen_extra') ?? ''}`
  return {
    xenVersion: values.get('xen_version') || version,
    cpuCount,
    threadsPerCore,
    socketCount: Math.max(1, Math.round(cpuCount / perSocket)),
    totalMib,
    freeMib: number('free_memory', 0),
    virtCaps: (values.get('virt_caps') ?? '').split(/\s+/).filter((word) => word !== ''),
    cpuFeatures: parseCpuFeatures(values.get('hw_caps') ?? ''),
    dom0IsFixed: /\bdom0_mem=/.test(values.get('xen_commandline') ?? ''),
  }
}
