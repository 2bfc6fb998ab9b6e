import { turns } from '../../lib/turns.ts'
import type { Host, Output } from '../host/host.ts'
import { runMany } from '../host/run.ts'
import {
  isTorn,
  listMonitors,
  listStamps,
  listTraces,
  listXl,
  nodesOf,
  parseStamps,
  parseTraces,
  parseXl,
  type Traces,
  uuidOf,
  type XlProcess,
} from '../tools/xl/traces.ts'
import { type ListedDomain, listDomains, parseList } from '../tools/xl/xl.ts'

/**
 * The domains of a PM, as parts of one batch: what Xen lists, and three programs that only read directories and a file,
 * whatever the number of domains. `readListing` takes their outputs.
 */
export const LISTING = [listDomains, listTraces, listMonitors, listStamps] as const

/** A row, with the stamp of what libxl has written down of its devices: the same one, the same devices attached. */
export type StampedDomain = ListedDomain & { readonly stamp?: string }

/**
 * The rows of `LISTING`, with the state `broken` for a domain that an xl has left half built or half torn down, or whose
 * QEMU is gone: then power off is all that helps. One more round trip where a domain looks like that, as a paused PV
 * guest without a QEMU also does: XenStore and the xl at work tell. Where that fails, the letters count.
 */
export async function readListing(
  host: Host,
  [list, files, monitors, stamps]: readonly (Output | undefined)[],
  signal?: AbortSignal,
): Promise<StampedDomain[]> {
  const rows = stamped(parseList(list?.stdout ?? ''), stamps)
  await turns.take()
  const traces = tracesOf(files, monitors)
  if (traces === undefined) return rows
  const doubtful = rows.filter((row) => isDoubtful(row, traces)).map((row) => row.domid)
  if (doubtful.length === 0) return rows
  // the list comes last: what is in it was there when the rest was looked at
  const parts = [listXl, listTraces, listMonitors, ...doubtful.flatMap(nodesOf), listDomains]
  const looked = await runMany(host, parts, { timeoutMs: LOOK_TIMEOUT_MS }, signal).catch(() => undefined)
  await turns.take()
  const again = looked === undefined ? undefined : tracesOf(looked[1], looked[2])
  if (looked === undefined || again === undefined || looked.at(-1)!.exit !== 0) return rows
  const processes = looked[0]!.exit > 1 ? undefined : parseXl(looked[0]!.stdout)
  await turns.take()
  return stamped(parseList(looked.at(-1)!.stdout), stamps).map((row) => {
    const at = doubtful.indexOf(row.domid)
    if (at === -1 || !isDoubtful(row, again)) return row
    const [libxl, guest] = [looked[3 + at * 2]!.stdout, looked[4 + at * 2]!.stdout]
    return { ...row, state: judge(row, again, processes, libxl, guest) }
  })
}

const LOOK_TIMEOUT_MS = 60_000

function stamped(rows: readonly ListedDomain[], output: Output | undefined): StampedDomain[] {
  const stamps = parseStamps(output?.stdout ?? '')
  if (stamps.size === 0) return [...rows]
  return rows.map((row) => {
    const stamp = stamps.get(`${row.domid}.${row.uuid}`)
    return stamp === undefined ? row : { ...row, stamp }
  })
}

/** Where no socket could be looked for, none is missing. */
function tracesOf(files: Output | undefined, monitors: Output | undefined): Traces | undefined {
  if (files === undefined || monitors === undefined || monitors.exit > 1) return undefined
  return parseTraces(files.stdout, monitors.stdout)
}

const isOver = (row: ListedDomain) => row.rawState[3] === 's' || row.rawState[5] === 'd'
const isPaused = (row: ListedDomain) => row.rawState[2] === 'p'
const isWhole = (row: ListedDomain, traces: Traces) => traces.configured.has(`${row.domid}.${row.uuid}`)

function isDoubtful(row: ListedDomain, traces: Traces): boolean {
  if (row.domid === 0 || isOver(row)) return false
  if (!isWhole(row, traces)) return true
  return !traces.listening.has(row.domid) && (isPaused(row) || traces.sockets.has(row.domid))
}

function judge(
  row: ListedDomain,
  traces: Traces,
  processes: readonly XlProcess[] | undefined,
  libxl: string,
  guest: string,
): ListedDomain['state'] {
  const names = [String(row.domid), row.name]
  const isGoing = processes?.some(({ verb, args }) => verb === 'destroy' && names.includes(args.split(/\s+/).at(-1)!))
  if (isGoing) return 'dying'
  if (isWhole(row, traces)) return isTorn(row.domid, libxl, guest) ? 'broken' : row.state
  if (processes === undefined || mayBuild(row, traces, processes)) return isPaused(row) ? 'starting' : row.state
  // what another toolstack has made and lets run is not libxl's to be whole
  const isOurs = isPaused(row) || row.memoryMib === 0 || row.name === '(null)' || libxl !== ''
  return isOurs ? 'broken' : row.state
}

const BUILDS: readonly string[] = ['create', 'restore', 'migrate-receive']

/**
 * Whether an xl may be building the domain: one at work that names its UUID, or names none; or one that waits for its
 * domain's end, and builds it anew when that reboots. Of the latter one belongs to each domain.
 */
function mayBuild(row: ListedDomain, traces: Traces, processes: readonly XlProcess[]): boolean {
  const builders = processes.filter(({ verb }) => BUILDS.includes(verb))
  if (builders.some((one) => uuidOf(one) === row.uuid)) return true
  if (builders.some((one) => !one.waits && uuidOf(one) === undefined)) return true
  // libxl keeps dom0's configuration, too
  return builders.filter(({ waits }) => waits).length > traces.configured.size - 1
}
