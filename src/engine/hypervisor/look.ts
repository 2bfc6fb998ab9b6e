import { turns } from '../../lib/turns.ts'
import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Host, Output } from '../host/host.ts'
import { runBatch } from '../host/run.ts'
import {
  cardAddress,
  type Interfaces,
  isGuestEnd,
  listAddresses,
  mayBeCard,
  parseAddresses,
  parseVifName,
} from '../tools/interfaces.ts'
import {
  bootIdFile,
  hostName,
  kernelRelease,
  loadFile,
  machineIdFile,
  type NetworkCounters,
  networkCountersFile,
  noIdentity,
  parseLoad,
  parseMachineId,
  parseNetworkCounters,
  parseUptime,
  productUuidFile,
  uptimeFile,
} from '../tools/system.ts'
import { lastWords } from '../tools/xl/error.ts'
import { listMonitors, listStamps, listTraces } from '../tools/xl/traces.ts'
import { hostInfo, listDomains, parseInfo } from '../tools/xl/xl.ts'
import type { DomainSeen, PmLook } from './domain.ts'
import { LISTING, readListing, type StampedDomain } from './listing.ts'
import { xlFailure } from './xlFailure.ts'

/**
 * What a beat needs, in one round trip. Only the machine's identity and xl's answers must be there; the rest is shown
 * where it is. Guests' network bytes come from dom0's ends of their wires in /proc/net/dev, which is where xentop has
 * them from too: to the byte, and without xentop's visit to every guest's QEMU.
 */
const LOOK_TIMEOUT_MS = 60_000

const PARTS = {
  machineId: machineIdFile,
  productUuid: productUuidFile,
  hostname: hostName,
  kernel: kernelRelease,
  bootId: bootIdFile,
  uptime: uptimeFile,
  load: loadFile,
  info: hostInfo,
  domains: listDomains,
  traces: listTraces,
  monitors: listMonitors,
  stamps: listStamps,
  counters: networkCountersFile,
  addresses: listAddresses,
} as const

type Part = keyof typeof PARTS

/**
 * All that a beat needs to know of a PM, in one round trip (two where ip(8) writes no JSON, or a domain looks half
 * built or half torn down: `readListing`). Changes nothing.
 * `unsupported` where there is no Xen, or where the machine has neither an /etc/machine-id nor a product UUID of its own.
 */
export async function look(host: Host, signal?: AbortSignal): Promise<PmLook> {
  const outputs = await runBatch(host, batch(Object.values(PARTS), { timeoutMs: LOOK_TIMEOUT_MS }), signal)
  const output = (part: Part): Output =>
    outputs[Object.keys(PARTS).indexOf(part)] ?? { exit: 1, stdout: '', stderr: 'it was not reached' }
  const text = (part: Part) => (output(part).exit === 0 ? output(part).stdout : '')

  const info = parseInfo(text('info'))
  if (info === undefined) throw noXen(host, output('info'))
  const listed = output('domains')
  if (listed.exit !== 0) throw xlFailure(`cannot list the domains of ${host.name}`, listed)
  const hostname = text('hostname').trim()
  // Of thousands of guests, each of these takes a screen's or a server's moment.
  await turns.take()
  const rows = await readListing(host, [listed, output('traces'), output('monitors'), output('stamps')], signal)
  const machineId = parseMachineId(text('machineId')) ?? parseMachineId(text('productUuid'))
  if (machineId === undefined) {
    throw new PengxError(
      'unsupported',
      `${host.name} has no identity: ${noIdentity(text('machineId'), text('productUuid'))}; systemd-machine-id-setup(1) makes one`,
    )
  }
  await turns.take()
  const counters = parseNetworkCounters(text('counters'))
  await turns.take()
  const interfaces = parseAddresses(text('addresses')) ?? (await interfacesByName(host, counters, signal))
  const cards = new Set(interfaces.physical.map((card) => card.name))
  const ofCards = counters.filter((row) => cards.has(row.name))
  await turns.take()
  return {
    machineId,
    hostname: hostname || host.name,
    bootId: text('bootId').trim(),
    uptimeSeconds: parseUptime(text('uptime')) ?? 0,
    xenVersion: info.xenVersion,
    kernel: text('kernel').trim(),
    cpuCount: info.cpuCount,
    threadsPerCore: info.threadsPerCore,
    socketCount: info.socketCount,
    totalMib: info.totalMib,
    freeMib: info.freeMib,
    load: parseLoad(text('load')) ?? 0,
    interfaces: interfaces.physical,
    bridges: interfaces.bridges,
    rxBytes: sum(ofCards, (row) => row.rxBytes),
    txBytes: sum(ofCards, (row) => row.txBytes),
    domains: toDomains(rows, counters),
  }
}

/**
 * `xl list -v`, and which of them are broken: dom0 first, the others by domid, without network counters. One round trip,
 * two where one looks half built or half torn down. Changes nothing; `unsupported` where xl
 * does not reach the hypervisor.
 */
export async function domains(host: Host, signal?: AbortSignal): Promise<DomainSeen[]> {
  const outputs = await runBatch(host, batch(LISTING, { timeoutMs: LOOK_TIMEOUT_MS }), signal)
  const listed = outputs[0]!
  if (listed.exit !== 0) throw xlFailure(`cannot list the domains of ${host.name}`, listed)
  return toDomains(await readListing(host, outputs, signal), [])
}

/** Pure. dom0 first, the others by domid; bytes are the guest's, so what its ends in dom0 received is what it sent. */
export function toDomains(rows: readonly StampedDomain[], counters: readonly NetworkCounters[]): DomainSeen[] {
  const ends = Map.groupBy(counters, (row) => parseVifName(row.name)?.domid)
  return rows
    .toSorted((one, other) => one.domid - other.domid)
    .map((row) => {
      const own = ends.get(row.domid)
      if (own === undefined) return row
      // what dom0 receives on its end is what the guest has sent
      return { ...row, rxBytes: sum(own, (end) => end.txBytes), txBytes: sum(own, (end) => end.rxBytes) }
    })
}

function noXen(host: Host, output: Output): PengxError {
  const missing = output.exit === 126 || output.exit === 127
  const why = missing
    ? 'it has no xl: Xen with its tools is needed there'
    : `xl does not reach the hypervisor (${lastWords(output.stderr) || `exit ${output.exit}`}); is it booted under Xen, and is the user root?`
  return new PengxError('unsupported', `${host.name} is no Xen host: ${why}`, { cause: output })
}

/** For an ip(8) that writes no JSON: one more round trip, and no IP addresses. */
async function interfacesByName(
  host: Host,
  counters: readonly NetworkCounters[],
  signal?: AbortSignal,
): Promise<Interfaces> {
  const names = counters.map((row) => row.name).filter(mayBeCard)
  if (names.length === 0) return { physical: [], bridges: [] }
  const parts = names.flatMap((name) => [
    cardAddress(name),
    { argv: ['ls', `/sys/class/net/${name}`] as const, effect: 'read' as const },
  ])
  const outputs = await runBatch(host, batch(parts, { timeoutMs: LOOK_TIMEOUT_MS }), signal)
  const found = names.map((name, index) => ({
    name,
    mac: outputs[index * 2]?.stdout.trim() ?? '',
    entries: outputs[index * 2 + 1]?.stdout.split('\n') ?? [],
  }))
  return {
    // a card has a device behind it; a bridge says that it is one
    physical: found
      .filter((one) => one.entries.includes('device') && !isGuestEnd(one.name))
      .map(({ name, mac }) => ({ name, mac, ip: '' })),
    bridges: found.filter((one) => one.entries.includes('bridge')).map((one) => one.name),
  }
}

function sum<T>(rows: readonly T[], of: (row: T) => number): number {
  return rows.reduce((total, row) => total + of(row), 0)
}
