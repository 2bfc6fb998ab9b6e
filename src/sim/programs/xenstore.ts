/** `xenstore-read`, `-ls`, `-list`, `-exists`, `-write`, `-rm`: a tree that follows from the domains. */
import { vdevNumber } from '../../model/disk.ts'
import { backendOf, isServed } from '../machine/guestConfig.ts'
import { startedQemu } from '../machine/guests.ts'
import type { Call, Program } from '../machine/program.ts'
import type { Domain, PmState } from '../machine/state.ts'

/**
 * Paths with their values; written ones over those that follow from the domains. With `only`, what lies at and under
 * those paths: a tree of thousands of domains is not built to read one key.
 */
function xenstoreEntries(pm: PmState, only: readonly string[] = ['/']): Map<string, string> {
  const entries = new Map<string, string>()
  const starts = only.map((path) => (path === '/' ? '/' : `${path}/`))
  const isAsked = (path: string) => starts.some((start, index) => path.startsWith(start) || path === only[index])
  const put = (path: string, value: string | number | undefined) => {
    if (value !== undefined && isAsked(path)) entries.set(path, String(value))
  }
  put('/local/domain/0/name', 'Domain-0')
  put('/local/domain/0/domid', 0)
  const vmsOnly = only.every((path) => path === '/vm' || path.startsWith('/vm/'))
  for (const domain of domainsUnder(pm, only)) {
    if (!vmsOnly) putDomain(domain, put)
    putVm(domain, put)
  }
  for (const [path, value] of Object.entries(pm.xenstore)) put(path, value)
  return entries
}

function domainsUnder(pm: PmState, paths: readonly string[]): readonly Domain[] {
  const found = new Set<Domain>()
  for (const path of paths) {
    const id = /^\/(?:local\/domain\/0\/backend\/\w+|local\/domain|libxl)\/(\d+)(?:\/|$)/.exec(path)?.[1]
    const uuid = /^\/vm\/([0-9a-f-]{36})(?:\/|$)/.exec(path)?.[1]
    if ((id === undefined && uuid === undefined) || path === '/local/domain/0') return pm.domains
    const domid = Number(id)
    for (const domain of pm.domains) if (domain.domid === domid || domain.uuid === uuid) found.add(domain)
  }
  return [...found]
}

type Put = (path: string, value: string | number | undefined) => void

function putDomain(domain: Domain, put: Put): void {
  const { domid, config } = domain
  const home = `/local/domain/${domid}`
  const vm = `/vm/${domain.uuid}`
  put(`${home}/vm`, vm)
  put(`${home}/name`, domain.name)
  put(`${home}/domid`, domid)
  put(`${home}/control/shutdown`, domain.request ?? '')
  put(`${home}/memory/static-max`, domain.maxmemMib * 1024)
  put(`${home}/memory/target`, domain.memoryMib * 1024)
  put(`${home}/memory/videoram`, config.type === 'hvm' ? 8192 : 0)
  put(`${home}/console/backend`, `/local/domain/0/backend/console/${domid}/0`)
  put(`${home}/console/tty`, `/dev/pts/${domid}`)
  put(`${home}/console/type`, 'xenconsoled')
  if (domain.vncPort !== undefined) {
    put(`${home}/console/vnc-listen`, config.vnc?.listen ?? '127.0.0.1')
    put(`${home}/console/vnc-port`, domain.vncPort)
    if (config.vnc?.password !== undefined && config.type !== 'hvm')
      put(`/libxl/${domid}/device/vfb/0/vncpasswd`, config.vnc.password)
  }
  for (let cpu = 0; cpu < config.maxVcpus; cpu++)
    put(`${home}/cpu/${cpu}/availability`, cpu < domain.vcpusOnline ? 'online' : 'offline')
  for (const disk of config.disks) {
    const id = vdevNumber(disk.vdev) ?? 0
    const kind = backendOf(disk)
    const backend = `/local/domain/0/backend/${kind === 'qdisk' ? 'qdisk' : 'vbd'}/${domid}/${id}`
    const driver = kind === 'phy' ? '' : `${disk.format === 'raw' ? 'aio' : disk.format}:`
    const served = isServed(disk) && !domain.torn
    if (served) {
      put(`${home}/device/vbd/${id}/backend`, backend)
      put(`${home}/device/vbd/${id}/state`, 4)
      put(`${home}/device/vbd/${id}/virtual-device`, id)
    }
    for (const at of [...(served ? [backend] : []), `/libxl/${domid}/device/vbd/${id}`]) {
      put(`${at}/frontend`, `${home}/device/vbd/${id}`)
      put(`${at}/frontend-id`, domid)
      put(`${at}/dev`, disk.vdev)
      put(`${at}/device-type`, disk.cdrom ? 'cdrom' : 'disk')
      put(`${at}/mode`, disk.readOnly ? 'r' : 'w')
      put(`${at}/params`, `${driver}${disk.path}`)
      put(`${at}/type`, kind)
      put(`${at}/state`, at === backend && !disk.unserved ? 4 : 1)
    }
    put(`/libxl/${domid}/device/vbd/${id}/backend`, backend)
  }
  for (const nic of config.nics) {
    const backend = `/local/domain/0/backend/vif/${domid}/${nic.devid}`
    if (!domain.torn) {
      put(`${home}/device/vif/${nic.devid}/backend`, backend)
      put(`${home}/device/vif/${nic.devid}/mac`, nic.mac)
      put(`${home}/device/vif/${nic.devid}/state`, 4)
    }
    put(`/libxl/${domid}/device/vif/${nic.devid}/backend`, backend)
    for (const at of [backend, `/libxl/${domid}/device/vif/${nic.devid}`]) {
      put(`${at}/bridge`, nic.bridge)
      put(`${at}/mac`, nic.mac)
      put(`${at}/handle`, nic.devid)
      put(`${at}/type`, config.type === 'hvm' ? 'vif_ioemu' : 'vif')
      put(`${at}/frontend`, `${home}/device/vif/${nic.devid}`)
      // without its hotplug script dom0's side waits
      put(`${at}/state`, at !== backend ? 1 : nic.half ? 2 : 4)
    }
  }
  if (startedQemu(domain)) put(`${home}/image/device-model-pid`, 20_000 + domid)
  put(`/libxl/${domid}/dm-version`, 'qemu_xen')
  put(`/libxl/${domid}/type`, config.type)
}

function putVm(domain: Domain, put: Put): void {
  const { config } = domain
  const vm = `/vm/${domain.uuid}`
  put(`${vm}/uuid`, domain.uuid)
  put(`${vm}/name`, domain.name)
  put(`${vm}/image/ostype`, config.type === 'pv' ? 'linux' : config.type === 'hvm' ? 'hvm' : undefined)
  if (config.type === 'pv') {
    put(`${vm}/image/kernel`, config.kernel)
    put(`${vm}/image/cmdline`, config.cmdline)
    put(`${vm}/image/ramdisk`, config.ramdisk)
  }
  put(`${vm}/start_time`, (domain.builtAt / 1000).toFixed(2))
}

function paths(call: Call): string[] {
  return call.argv.slice(1).filter((word) => !word.startsWith('-'))
}

function exists(entries: Map<string, string>, path: string): boolean {
  if (entries.has(path)) return true
  for (const one of entries.keys()) if (one.startsWith(`${path}/`)) return true
  return false
}

export const xenstoreRead: Program = (call) => {
  const entries = xenstoreEntries(call.pm, paths(call))
  const prefix = call.argv.includes('-p')
  for (const path of paths(call)) {
    const value = entries.get(path) ?? (exists(entries, path) ? '' : undefined)
    if (value === undefined) {
      call.err(`xenstore-read: couldn't read path ${path}\n`)
      return 1
    }
    call.out(prefix ? `${path}: ${value}\n` : `${value}\n`)
  }
  return 0
}

export const xenstoreExists: Program = (call) => {
  const entries = xenstoreEntries(call.pm, paths(call))
  return paths(call).every((path) => exists(entries, path)) ? 0 : 1
}

export const xenstoreLs: Program = (call) => {
  const root = paths(call)[0] ?? '/'
  const full = call.argv.some((word) => /^-\w*f/.test(word))
  const entries = xenstoreEntries(call.pm, [root])
  if (!exists(entries, root) && root !== '/') {
    call.err(`xenstore-ls: xs_directory (${root}): No such file or directory\n`)
    return 1
  }
  const nodes = nodesUnder(entries, root === '/' ? '/' : `${root}/`)
  const lines: string[] = []
  if (full) for (const path of [...nodes.keys()].sort()) lines.push(`${path} = "${escapeValue(nodes.get(path)!)}"\n`)
  else {
    // With a separator that comes before every letter, children sort behind their parent and before its sisters.
    const start = root === '/' ? 1 : root.length + 1
    for (const key of [...nodes.keys()].map((path) => path.replaceAll('/', '\u0001')).sort()) {
      const names = key.slice(start).split('\u0001')
      const value = nodes.get(key.replaceAll('\u0001', '/'))!
      lines.push(`${' '.repeat(names.length - 1)}${names.at(-1)} = "${escapeValue(value)}"\n`)
    }
  }
  call.out(lines.join(''))
  return 0
}

/** What lies under a path, with the nodes between that have no value of their own. */
function nodesUnder(entries: ReadonlyMap<string, string>, start: string): Map<string, string> {
  const nodes = new Map<string, string>()
  for (const [path, value] of entries) {
    if (!path.startsWith(start)) continue
    for (let at = path.lastIndexOf('/'); at >= start.length; at = path.lastIndexOf('/', at - 1)) {
      const parent = path.slice(0, at)
      if (nodes.has(parent)) break
      nodes.set(parent, '')
    }
    nodes.set(path, value)
  }
  return nodes
}

/** What is no printable ASCII comes byte by byte, as `xenstore-ls` writes it. */
function escapeValue(value: string): string {
  const named: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' }
  if (!/[^ -~]|\\/.test(value)) return value
  return value.replace(/[^ -~]|\\/gu, (letter) => {
    const bytes = () => [...Buffer.from(letter)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
    return named[letter] ?? bytes()
  })
}

export const xenstoreWrite: Program = (call) => {
  const words = paths(call)
  for (let at = 0; at + 1 < words.length; at += 2) {
    call.pm.xenstore[words[at]!] = words[at + 1]!
  }
  call.world.save()
  return 0
}
