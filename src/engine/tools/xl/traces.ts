import { ANY_EXIT, type Program, reads } from '../program.ts'
import { parseStoreList } from '../xenstore.ts'

/**
 * What libxl leaves lying of a domain, as against what Xen lists of it: an xl that was cut off has built half a domain
 * or torn half of one down, and `xl list` shows it as paused, or as any other.
 */

/** Where libxl keeps what it knows of a domain, and QEMU's sockets: two directories, one program. */
export const listTraces: Program = { ...reads('ls', '-1', '/var/lib/xen', '/var/run/xen'), okExits: [0, 2] }

/**
 * When libxl has last written down what each domain is built from: it does when a domain is whole, and anew when a disk
 * or an interface is attached to it, not when one is detached (seen on 4.17). A find(1) without -printf says nothing.
 */
export const listStamps: Program = {
  ...reads('find', '/var/lib/xen', '-maxdepth', '1', '-name', 'userdata-d.*.libxl-json', '-printf', '%f %T@\\n'),
  okExits: ANY_EXIT,
}

/** By `DOMID.UUID`; of two stamps it only counts whether they are the same. */
export function parseStamps(stdout: string): Map<string, string> {
  const lines = stdout.matchAll(/^userdata-d\.(\d+\.[0-9a-f-]{36})\.libxl-json (\S+)$/gm)
  return new Map(Array.from(lines, ([, which, stamp]) => [which!, stamp!]))
}

/** QEMU's monitors on which somebody listens: the socket of one that was killed stays as a file, and is not here. */
export const listMonitors: Program = {
  ...reads('grep', '-o', 'qmp-libxl-[0-9]*', '/proc/net/unix'),
  okExits: [0, 1, 2],
}

/** All xl at work, and those that wait for their domain's end: PID, parent, session and command line. */
export const listXl: Program = {
  ...reads('ps', '-C', 'xl', '-o', 'pid=,ppid=,sid=,args='),
  okExits: [0, 1],
}

export interface Traces {
  /** `DOMID.UUID` of those whose configuration libxl has written down, which it does when a domain is whole. */
  readonly configured: ReadonlySet<string>
  /** Domids that have, or had, a QEMU with a monitor. */
  readonly sockets: ReadonlySet<number>
  /** Domids whose QEMU listens. */
  readonly listening: ReadonlySet<number>
}

/** Undefined where libxl keeps no such files (its own of dom0 is always there): then nothing can be said. */
export function parseTraces(files: string, monitors: string): Traces | undefined {
  const configured = files.matchAll(/^userdata-d\.(\d+\.[0-9a-f-]{36})\.libxl-json$/gm)
  const traces: Traces = {
    configured: new Set(Array.from(configured, ([, which]) => which!)),
    sockets: new Set(Array.from(files.matchAll(/^qmp-libxl-(\d+)$/gm), ([, domid]) => Number(domid))),
    listening: new Set(Array.from(monitors.matchAll(/^qmp-libxl-(\d+)$/gm), ([, domid]) => Number(domid))),
  }
  return traces.configured.size === 0 ? undefined : traces
}

export interface XlProcess {
  /** Waits for its domain's end, to do what the configuration asks for then: to build it anew, too. */
  readonly waits: boolean
  readonly verb: string
  readonly args: string
}

/** What `listXl` printed; the children that an xl has left when it was killed are not among them. */
export function parseXl(stdout: string): XlProcess[] {
  const processes: XlProcess[] = []
  for (const [, pid, parent, session, args] of stdout.matchAll(/^ *(\d+) +(\d+) +(\d+) +(.*)$/gm)) {
    const verb = /^\S*xl(?: +-\S+)* +([a-z-]+)/.exec(args!)?.[1]
    const waits = parent === '1' && session === pid
    if (verb !== undefined && (waits || parent !== '1')) processes.push({ waits, verb, args: args! })
  }
  return processes
}

/** The UUID that `createDomain` has put beside the file. */
export function uuidOf(process: XlProcess): string | undefined {
  return /\buuid="?([0-9a-f-]{36})/.exec(process.args)?.[1]
}

/** libxl's nodes and the guest's. */
export function nodesOf(domid: number): readonly [Program, Program] {
  const tree = (path: string): Program => ({ ...reads('xenstore-ls', '-f', path), okExits: [0, 1] })
  return [tree(`/libxl/${domid}`), tree(`/local/domain/${domid}`)]
}

/**
 * Whether a domain that is whole by what libxl has written down has lost something since: its name, a QEMU that was
 * started for it and does not listen, or the guest's side of a device. A PV guest whose disks are all the kernel's has
 * no QEMU, and has lost nothing.
 */
export function isTorn(domid: number, libxlNodes: string, guestNodes: string): boolean {
  const libxl = parseStoreList(libxlNodes)
  const guest = parseStoreList(guestNodes)
  const home = `/local/domain/${domid}`
  if (!guest.has(`${home}/name`)) return true
  // that one has no monitor
  const isTraditional = libxl.get(`/libxl/${domid}/dm-version`) === 'qemu_xen_traditional'
  if (!isTraditional && guest.has(`${home}/image/device-model-pid`)) return true
  const frontends = [...libxl].filter(([path]) => path.endsWith('/frontend')).map(([, at]) => at)
  return frontends.some((at) => !guest.has(`${at}/backend`))
}
