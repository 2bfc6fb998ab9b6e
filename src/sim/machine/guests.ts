/**
 * The lives of simulated guests. Whatever takes time is written down as something due and is looked up when
 * somebody asks (`settle`), so a site that nobody looks at costs nothing, and one that was read back from its
 * file goes on as if it had never stopped.
 */
import { findNode } from './files.ts'
import { asBuilt, backendOf, builtAgain, hasBridge } from './guestConfig.ts'
import { addCounters, countersBetween, cpuBetween, NO_COUNTERS, trafficBetween } from './noise.ts'
import type { SimWorld } from './program.ts'
import type { Counters, Domain, Due, GuestConfig, PmState, ShutdownReason } from './state.ts'

/** How long things take at pace 1, in milliseconds. */
export const TIMES = {
  build: 400,
  boot: 600,
  /** From a guest's hearing of a shutdown to its end. */
  shutdown: 500,
  /** A shut-down domain stays `---s--`, then `--ps--`, until xl has torn it down. */
  linger: 600,
  dying: 150,
  /** In a reboot nobody has the name for this long. */
  rebootGap: 500,
} as const

export function schedule(world: SimWorld, pm: PmState, due: Due): void {
  const at = pm.dues.findIndex((other) => other.at > due.at)
  if (at === -1) pm.dues.push(due)
  else pm.dues.splice(at, 0, due)
  if (world.pace === 0) settle(world, pm)
}

/** Brings a PM's guests up to what must have happened by now. */
export function settle(world: SimWorld, pm: PmState): void {
  const now = world.clock.now()
  while (pm.dues.length > 0 && pm.dues[0]!.at <= now) {
    const due = pm.dues.shift()!
    happen(world, pm, due)
  }
}

function after(world: SimWorld, at: number, ms: number): number {
  return at + ms * world.pace
}

function happen(world: SimWorld, pm: PmState, due: Due): void {
  if (due.kind === 'restart') {
    const problem = refuseBuild(pm, due.config, pm.nextDomid)
    if (problem) pm.nextDomid++
    else beginBuild(world, pm, due.config, { paused: false, at: due.at })
    return
  }
  const domain = pm.domains.find((one) => one.domid === due.domid)
  if (domain === undefined) return
  if (due.kind === 'built') {
    domain.phase = 'up'
    domain.memoryMib = domain.config.memoryMib
    domain.vcpusOnline = domain.config.vcpus
    if (domain.paused) return
    startCounting(domain, due.at)
    schedule(world, pm, { at: after(world, due.at, TIMES.boot), kind: 'booted', domid: domain.domid })
  } else if (due.kind === 'booted') {
    if (domain.paused || domain.phase !== 'up') return
    domain.bootedAt = due.at
    if (domain.request) heed(world, pm, domain, due.at)
  } else if (due.kind === 'stopped') {
    if (domain.paused) {
      domain.request = due.reason === 1 ? 'reboot' : 'poweroff'
      return
    }
    stopGuest(world, pm, domain, due.reason ?? 0, due.at)
  } else if (due.kind === 'acted') act(world, pm, domain, due.at)
  else if (due.kind === 'gone') remove(pm, domain)
}

/** A guest that listens starts to go down. */
export function heed(world: SimWorld, pm: PmState, domain: Domain, at: number): void {
  if (!domain.request || domain.stubborn || domain.bootedAt === undefined || domain.paused) return
  const reason: ShutdownReason = domain.request === 'reboot' ? 1 : 0
  domain.request = undefined
  schedule(world, pm, { at: after(world, at, TIMES.shutdown), kind: 'stopped', domid: domain.domid, reason })
}

/** The guest is over: by itself, on request, or by a crash. */
export function stopGuest(world: SimWorld, pm: PmState, domain: Domain, reason: ShutdownReason, at: number): void {
  stopCounting(domain, at)
  domain.phase = 'shutdown'
  domain.shutdownReason = reason
  domain.request = undefined
  schedule(world, pm, { at: after(world, at, TIMES.linger / 4), kind: 'acted', domid: domain.domid })
}

/** What the configuration asks for once a guest is over; xl pauses the domain while it tears it down. */
function act(world: SimWorld, pm: PmState, domain: Domain, at: number): void {
  if (domain.phase !== 'shutdown' || domain.name === undefined) return
  const { config } = domain
  const wanted =
    domain.shutdownReason === 1 ? config.onReboot : domain.shutdownReason === 3 ? config.onCrash : config.onPoweroff
  if (wanted.startsWith('preserve')) return
  domain.paused = true
  const gone = after(world, at, (TIMES.linger * 3) / 4)
  if (wanted.startsWith('restart') || wanted === 'rename-restart') {
    const next = { ...(domain.nextConfig ?? withLiveDevices(domain)), name: domain.name }
    schedule(world, pm, { at: gone, kind: 'gone', domid: domain.domid })
    schedule(world, pm, { at: after(world, gone, TIMES.rebootGap), kind: 'restart', config: next })
  } else schedule(world, pm, { at: gone, kind: 'gone', domid: domain.domid })
}

/** libxl does not know of live changes under a disk, unless it is told: a restart comes back on the old file. */
function withLiveDevices(domain: Domain): GuestConfig {
  return {
    ...domain.config,
    disks: domain.config.disks.map(builtAgain),
    nics: domain.config.nics.filter((nic) => !nic.half),
  }
}

export function remove(pm: PmState, domain: Domain): void {
  pm.domains = pm.domains.filter((one) => one !== domain)
  forgetDues(pm, domain)
  for (const path of Object.keys(pm.xenstore)) {
    if (path.startsWith(`/local/domain/${domain.domid}/`) || path.startsWith(`/libxl/${domain.domid}/`))
      delete pm.xenstore[path]
  }
}

/** Tears a domain down at once, as `xl destroy` does: it is dying, then gone. */
export function beginDestroy(world: SimWorld, pm: PmState, domain: Domain): void {
  const now = world.clock.now()
  stopCounting(domain, now)
  domain.phase = 'dying'
  domain.paused = true
  forgetDues(pm, domain)
  schedule(world, pm, { at: after(world, now, TIMES.dying), kind: 'gone', domid: domain.domid })
}

/** Nothing happens to it by itself any more. */
export function forgetDues(pm: PmState, domain: Domain): void {
  pm.dues = pm.dues.filter((due) => due.kind === 'restart' || due.domid !== domain.domid)
}

function usedMib(pm: PmState): number {
  return pm.domains.reduce((sum, domain) => sum + domain.config.memoryMib + overheadMib(domain.config), 0)
}

export function freeMib(pm: PmState): number {
  return Math.max(0, pm.memoryMib - pm.dom0MemoryMib - usedMib(pm))
}

function overheadMib(config: GuestConfig): number {
  return config.type === 'hvm' ? 14 : 2
}

const CLEANUP = (domid: number) => [
  `libxl: error: libxl_domain.c:1183:libxl__destroy_domid: Domain ${domid}:Non-existant domain`,
  `libxl: error: libxl_domain.c:1137:domain_destroy_callback: Domain ${domid}:Unable to destroy guest`,
  `libxl: error: libxl_domain.c:1064:domain_destroy_cb: Domain ${domid}:Destruction of domain failed`,
]

/** Why a domain cannot be built, in libxl's words and in its order; the attempt uses up the domid. */
export function refuseBuild(pm: PmState, config: GuestConfig, domid: number): string[] | undefined {
  if (config.name === 'Domain-0' || pm.domains.some((domain) => domain.name === config.name)) {
    return [
      `libxl: error: libxl_domain.c:81:libxl__domain_rename: Domain ${domid}:Domain with name "${config.name}" already exists.`,
      `libxl: error: libxl_create.c:1296:initiate_domain_create: Domain ${domid}:cannot make domain: -6`,
      ...CLEANUP(domid),
    ]
  }
  for (const [index, disk] of config.disks.entries()) {
    if (disk.path !== '' && findNode(pm, disk.path) === undefined) {
      return [
        `libxl: error: libxl_device.c:455:libxl__device_disk_set_backend: Disk vdev=${disk.vdev} failed to stat: ${disk.path}: No such file or directory`,
        `libxl: error: libxl_create.c:1318:initiate_domain_create: Domain ${domid}:Unable to set disk defaults for disk ${index}`,
        ...CLEANUP(domid),
      ]
    }
  }
  for (const path of [config.kernel, config.ramdisk]) {
    if (path !== undefined && findNode(pm, path) === undefined) {
      return [
        `xc: error: panic: xg_dom_core.c:205: failed to open file '${path}': No such file or directory: Internal error`,
        `libxl: error: libxl_dom.c:646:libxl__build_pv: xc_dom_kernel_file failed: No such file or directory`,
        `libxl: error: libxl_create.c:1640:domcreate_rebuild_done: Domain ${domid}:cannot (re-)build domain: -3`,
        ...CLEANUP(domid),
      ]
    }
  }
  if (config.memoryMib + overheadMib(config) > freeMib(pm)) {
    return [
      `xc: error: panic: xg_dom_boot.c:119: xc_dom_boot_mem_init: can't allocate low memory for domain: Out of memory`,
      `libxl: error: libxl_dom.c:586:libxl__build_dom: xc_dom_boot_mem_init failed: Cannot allocate memory`,
      `libxl: error: libxl_create.c:1640:domcreate_rebuild_done: Domain ${domid}:cannot (re-)build domain: -3`,
      ...CLEANUP(domid),
    ]
  }
  for (const nic of config.nics) {
    if (hasBridge(pm, nic)) continue
    const script = (verb: string, pid: number) => [
      `libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: /etc/xen/scripts/vif-bridge ${verb} [${pid}] exited with error status 1`,
      `libxl: error: libxl_device.c:1337:device_hotplug_child_death_cb: script: Could not find bridge device ${nic.bridge}`,
    ]
    return [
      ...script('online', 1000 + domid),
      `libxl: error: libxl_create.c:1921:domcreate_attach_devices: Domain ${domid}:unable to add vif devices`,
      ...script('offline', 1039 + domid),
      ...CLEANUP(domid),
    ]
  }
  return undefined
}

export interface BuildOptions {
  paused: boolean
  at: number
  /** Restored guests go on where they were; they do not boot. */
  restored?: Counters
}

export function beginBuild(world: SimWorld, pm: PmState, config: GuestConfig, options: BuildOptions): Domain {
  const domid = pm.nextDomid++
  const builtAt = options.at
  const done = after(world, builtAt, TIMES.build)
  const domain: Domain = {
    domid,
    name: config.name,
    uuid: config.uuid,
    config: { ...config, disks: config.disks.map(asBuilt) },
    phase: 'building',
    paused: options.paused,
    memoryMib: 0,
    maxmemMib: config.maxmemMib,
    vcpusOnline: 0,
    builtAt,
    populatedAt: (builtAt + done) / 2,
    paravirt: config.type !== 'hvm' || !config.name.includes('win'),
    counters: { ...NO_COUNTERS },
    ...(config.name.startsWith('stubborn') ? { stubborn: true as const } : {}),
    ...(config.vnc ? { vncPort: freeVncPort(pm, config.vnc.display) } : {}),
    ...(options.restored ? { bootedAt: builtAt } : {}),
  }
  pm.domains.push(domain)
  schedule(world, pm, { at: done, kind: 'built', domid })
  return domain
}

function freeVncPort(pm: PmState, display?: number): number {
  if (display !== undefined) return 5900 + display
  const taken = new Set(pm.domains.map((domain) => domain.vncPort))
  let port = 5900
  while (taken.has(port)) port++
  return port
}

export function startCounting(domain: Domain, at: number): void {
  domain.countsSince ??= at
}

export function stopCounting(domain: Domain, at: number): void {
  domain.counters = countersOf(domain, at)
  domain.countsSince = undefined
}

/** What a domain has used and moved by now. */
export function countersOf(domain: Domain, now: number): Counters {
  if (domain.countsSince === undefined) return domain.counters
  const vcpus = Math.max(1, domain.vcpusOnline)
  return addCounters(domain.counters, countersBetween(domain.uuid, vcpus, domain.countsSince, now))
}

export function cpuSecondsOf(domain: Domain, now: number): number {
  if (domain.countsSince === undefined) return domain.counters.cpu
  const vcpus = Math.max(1, domain.vcpusOnline)
  return domain.counters.cpu + cpuBetween(domain.uuid, vcpus, domain.countsSince, now)
}

export function trafficOf(domain: Domain, now: number): { rx: number; tx: number } {
  const { rx, tx } = domain.counters
  if (domain.countsSince === undefined) return { rx, tx }
  const more = trafficBetween(domain.uuid, domain.countsSince, now)
  return { rx: rx + more.rx, tx: tx + more.tx }
}

/** A QEMU stands behind it: it has QMP sockets. */
export function hasQemu(domain: Domain): boolean {
  return startedQemu(domain) && !domain.torn && !domain.qemuKilled
}

/** One was started for it. */
export function startedQemu(domain: Domain): boolean {
  if (domain.phase === 'building' && domain.memoryMib === 0) return false
  const { config } = domain
  if (config.type === 'hvm' || config.vnc) return true
  return config.disks.some((disk) => backendOf(disk) === 'qdisk')
}
