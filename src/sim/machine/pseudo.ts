/** Files that a kernel makes up: /proc, /sys/class/net, Xen's sockets under /run/xen. Computed when read. */
import { findNode } from './files.ts'
import { hasQemu, startedQemu, trafficOf } from './guests.ts'
import { cpuBetween, flicker, trafficBetween } from './noise.ts'
import type { Domain, FileNode, PmNet, PmState } from './state.ts'

/** The text of such a file; undefined where there is none. */
export function pseudoText(pm: PmState, path: string, now: number): string | undefined {
  const seconds = (now - pm.bootedAt) / 1000
  switch (path) {
    case '/proc/uptime':
      return `${seconds.toFixed(2)} ${(seconds * pm.dom0VcpuCount * 0.93).toFixed(2)}\n`
    case '/proc/loadavg':
      return `${loads(pm, now).join(' ')} 1/${180 + pm.domains.length} ${2000 + (Math.floor(now / 1000) % 30000)}\n`
    case '/proc/sys/kernel/random/boot_id':
      return `${pm.bootId}\n`
    case '/proc/sys/kernel/hostname':
      return `${pm.name}\n`
    case '/proc/sys/kernel/osrelease':
      return '6.1.0-50-amd64\n'
    case '/proc/net/dev':
      return netDev(pm, now)
    case '/proc/stat':
      return procStat(pm, now)
    case '/proc/meminfo':
      return `MemTotal:       ${pm.dom0MemoryMib * 1000} kB\nMemFree:        ${Math.floor(pm.dom0MemoryMib * 420)} kB\nMemAvailable:   ${Math.floor(pm.dom0MemoryMib * 610)} kB\n`
    case '/proc/mounts':
      return pm.mounts.map((mount) => `${mount.device} ${mount.at} ${mount.fstype} rw,relatime 0 0\n`).join('')
    case '/proc/net/unix':
      return unixSockets(pm)
    case '/proc/xen/capabilities':
      return 'control_d\n'
    case '/sys/class/dmi/id/product_uuid':
      return `${pm.machineId.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')}\n`
    case '/sys/hypervisor/type':
      return 'xen\n'
  }
  const net = /^\/sys\/class\/net\/([^/]+)\/(address|operstate|mtu)$/.exec(path)
  const found = net && allNets(pm).find((one) => one.name === net[1])
  if (!found) return undefined
  return `${net[2] === 'address' ? found.mac : net[2] === 'mtu' ? '1500' : 'up'}\n`
}

/** The names in such a directory. */
export function pseudoDir(pm: PmState, path: string): string[] | undefined {
  const clean = path.replace(/\/+$/, '')
  if (clean === '/sys/class/net') return allNets(pm).map((net) => net.name)
  const ports = /^\/sys\/class\/net\/([^/]+)\/brif$/.exec(clean)
  if (ports && pm.nets.some((net) => net.kind === 'bridge' && net.name === ports[1]))
    return allNets(pm).flatMap((net) => (net.master === ports[1] ? [net.name] : []))
  const device = /^\/sys\/class\/net\/([^/]+)$/.exec(clean)
  const net = device && allNets(pm).find((one) => one.name === device[1])
  if (net) {
    const own = net.kind === 'bridge' ? ['bridge', 'brif'] : net.kind === 'physical' ? ['device'] : []
    return ['address', 'mtu', 'operstate', ...own]
  }
  if (/^\/sys\/class\/net\/[^/]+\/(bridge|device)$/.test(clean)) {
    const [, , , , name, what] = clean.split('/')
    const kind = what === 'bridge' ? 'bridge' : 'physical'
    return pm.nets.some((one) => one.name === name && one.kind === kind) ? [] : undefined
  }
  if (clean === '/var/run/xen' || clean === '/run/xen') {
    // the socket of a QEMU that was killed stays
    const isLeft = (domain: Domain) => startedQemu(domain) && !domain.torn
    const domids = pm.domains.filter(isLeft).map((domain) => domain.domid)
    return ['domid-history', ...domids.flatMap((id) => [`qmp-libxenstat-${id}`, `qmp-libxl-${id}`]), 'xenstored.pid']
  }
  if (clean === '/var/lib/xen') {
    const node = findNode(pm, clean)
    return [...(node?.kind === 'dir' ? Object.keys(node.children) : []), ...configurations(pm)]
  }
  return undefined
}

/** What libxl keeps of each domain that it has built to the end, and of dom0. */
function configurations(pm: PmState): string[] {
  return configurationFiles(pm).map(({ name }) => name)
}

function configurationFiles(pm: PmState): { name: string; mtimeMs: number }[] {
  const whole = pm.domains.filter((domain) => domain.phase !== 'building')
  const dom0 = { domid: 0, uuid: '00000000-0000-0000-0000-000000000000', builtAt: pm.bootedAt }
  const fileOf = ({ domid, uuid, builtAt, configuredAt }: typeof dom0 & Pick<Domain, 'configuredAt'>) => ({
    name: `userdata-d.${domid}.${uuid}.libxl-json`,
    mtimeMs: configuredAt ?? builtAt,
  })
  return [dom0, ...whole].map(fileOf)
}

/** Files beside those of the tree that find(1) meets in a directory. */
export function pseudoFiles(pm: PmState, path: string): { name: string; node: FileNode }[] {
  if (path.replace(/\/+$/, '') !== '/var/lib/xen') return []
  const common = { kind: 'file', mode: 0o600, uid: 0, gid: 0, ino: 1, size: 1024, allocated: 4096 } as const
  return configurationFiles(pm).map(({ name, mtimeMs }) => ({ name, node: { ...common, mtimeMs } }))
}

/** libxl writes its file of a domain when something is attached to it, and leaves it when something is detached. */
export function noteDevices(domain: Domain, now: number): void {
  domain.configuredAt = Math.max(now, (domain.configuredAt ?? domain.builtAt) + 1)
}

function unixSockets(pm: PmState): string {
  const lines = ['Num       RefCount Protocol Flags    Type St Inode Path']
  for (const { domid } of pm.domains.filter((domain) => domain.phase !== 'dying' && hasQemu(domain))) {
    for (const [index, monitor] of ['libxl', 'libxenstat'].entries()) {
      const inode = 11_000 + domid * 2 + index
      const at = inode.toString(16).padStart(16, '0')
      lines.push(`${at}: 00000002 00000000 00010000 0001 01 ${inode} /var/run/xen/qmp-${monitor}-${domid}`)
    }
  }
  return `${lines.join('\n')}\n`
}

/** The guest behind a QMP socket's path, while its QEMU runs. */
export function socketDomain(pm: PmState, path: string): Domain | undefined {
  const match = /^\/(?:var\/)?run\/xen\/qmp-(?:libxl|libxenstat)-(\d+)$/.exec(path)
  const domid = Number(match?.[1])
  let domain: Domain | undefined
  // Asked for each of thousands of guests at every other look: a call for each of the others would be millions.
  for (const one of pm.domains) if (one.domid === domid) domain = one
  return domain && domain.phase !== 'dying' && hasQemu(domain) ? domain : undefined
}

export interface NetSeen {
  name: string
  mac: string
  ip?: string
  master?: string
  kind: PmNet['kind'] | 'vif' | 'loopback'
}

/** The PM's own interfaces, and one for each of its guests'. */
export function allNets(pm: PmState): NetSeen[] {
  const nets: NetSeen[] = [{ name: 'lo', mac: '00:00:00:00:00:00', ip: '127.0.0.1/8', kind: 'loopback' }, ...pm.nets]
  for (const domain of pm.domains) {
    for (const nic of domain.config.nics) {
      if (nic.half) continue
      nets.push({ name: `vif${domain.domid}.${nic.devid}`, mac: 'fe:ff:ff:ff:ff:ff', master: nic.bridge, kind: 'vif' })
    }
  }
  return nets
}

function loads(pm: PmState, now: number): string[] {
  const at = (period: number) => {
    const spread = flicker(pm.machineId, Math.floor(now / period))
    return (pm.dom0VcpuCount * (0.05 + 0.5 * spread * spread)).toFixed(2)
  }
  return [at(20_000), at(100_000), at(300_000)]
}

function netDev(pm: PmState, now: number): string {
  const lines = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
  ]
  const row = (name: string, received: number, sent: number) => {
    const [rx, tx] = [Math.floor(received), Math.floor(sent)]
    const packets = (bytes: number) => String(Math.floor(bytes / 700)).padStart(7)
    lines.push(
      `${name.padStart(6)}: ${String(rx).padStart(7)} ${packets(rx)}    0    0    0     0          0         0 ${String(tx).padStart(8)} ${packets(tx)}    0    0    0     0       0          0`,
    )
  }
  for (const net of [{ name: 'lo', kind: 'loopback' }, ...pm.nets]) {
    const moved = trafficBetween(`${pm.name}/${net.name}`, pm.bootedAt, now)
    const scale = net.kind === 'physical' ? 40 : 1
    row(net.name, moved.rx * scale, moved.tx * scale)
  }
  for (const domain of pm.domains) {
    const moved = trafficOf(domain, now)
    for (const [index, nic] of domain.config.nics.entries()) {
      // What dom0 receives on its end is what the guest has sent; a guest's traffic is all on its first interface.
      const share = index === 0 ? 1 : 0
      if (!nic.half) row(`vif${domain.domid}.${nic.devid}`, moved.tx * share, moved.rx * share)
    }
  }
  return `${lines.join('\n')}\n`
}

function procStat(pm: PmState, now: number): string {
  const used = Math.floor(cpuBetween(pm.machineId, pm.dom0VcpuCount, pm.bootedAt, now) * 100)
  const idle = Math.max(0, Math.floor(((now - pm.bootedAt) / 10) * pm.dom0VcpuCount) - used)
  const line = (user: number, rest: number) =>
    `${Math.floor(user * 0.6)} 0 ${Math.floor(user * 0.4)} ${rest} 0 0 0 0 0 0`
  const lines = [`cpu  ${line(used, idle)}`]
  for (let cpu = 0; cpu < pm.dom0VcpuCount; cpu++)
    lines.push(`cpu${cpu} ${line(used / pm.dom0VcpuCount, Math.floor(idle / pm.dom0VcpuCount))}`)
  lines.push(`btime ${Math.floor(pm.bootedAt / 1000)}`)
  return `${lines.join('\n')}\n`
}
