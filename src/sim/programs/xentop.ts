/** `xentop -b`: one line a domain and frame; the disk columns are 0, as they are for qdisk guests. */
import { countersOf } from '../machine/guests.ts'
import { NO_COUNTERS } from '../machine/noise.ts'
import type { Call, Program } from '../machine/program.ts'
import type { Domain } from '../machine/state.ts'
import { activity, dom0Seconds, shownKib, shownVcpus } from './xl/list.ts'

const HEADER =
  '      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%) VCPUS NETS NETTX(k) NETRX(k) VBDS   VBD_OO   VBD_RD   VBD_WR  VBD_RSECT  VBD_WSECT SSID'

export const xentop: Program = async (call) => {
  const text = call.argv.slice(1).join(' ')
  if (!/(^|\s)(-\w*b|--batch)/.test(text)) {
    call.err('xentop: only batch mode is simulated\n')
    return 1
  }
  const frames = Number(/(?:-\w*i\s*|--iterations[= ])(\d+)/.exec(text)?.[1] ?? 1)
  const delay = Number(/(?:-\w*d\s*|--delay[= ])(\d+(?:\.\d+)?)/.exec(text)?.[1] ?? 3)
  const full = /(^|\s)(-\w*f|--full-name)/.test(text)
  const networks = /(^|\s)(-\w*n|--networks)/.test(text)
  let before: Map<number, number> | undefined
  let at = call.now()
  for (let frame = 0; frame < frames; frame++) {
    if (frame > 0) await call.pass(delay * 1000)
    const seconds = (call.now() - at) / 1000
    at = call.now()
    const used = new Map<number, number>()
    const lines = [HEADER]
    for (const row of rows(call)) {
      used.set(row.domid, row.cpu)
      const last = before?.get(row.domid)
      const percent = last === undefined || seconds <= 0 ? 0 : ((row.cpu - last) / seconds) * 100
      lines.push(line(row, percent, call.pm.memoryMib * 1024, full))
      if (networks) lines.push(...row.nets)
    }
    before = used
    call.out(`${lines.join('\n')}\n`)
  }
  return 0
}

interface Row {
  domid: number
  name: string
  state: string
  cpu: number
  kib: number
  maxKib: number
  vcpus: number
  netCount: number
  tx: number
  rx: number
  nets: string[]
}

function rows(call: Call): Row[] {
  const { pm } = call
  const now = call.now()
  const list: Row[] = pm.domains.map((domain) => rowOf(domain, now))
  list.push({
    domid: 0,
    name: 'Domain-0',
    state: '-----r',
    cpu: dom0Seconds(pm, now),
    kib: pm.dom0MemoryMib * 1024,
    maxKib: pm.dom0MemoryMib * 1024,
    vcpus: pm.dom0VcpuCount,
    netCount: 0,
    tx: 0,
    rx: 0,
    nets: [],
  })
  return list.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.domid - b.domid))
}

function rowOf(domain: Domain, now: number): Row {
  const counters = countersOf(domain, now)
  const over = domain.phase === 'shutdown' || domain.phase === 'dying'
  const paused = domain.paused || domain.phase === 'building'
  const run = over || paused ? '-' : activity(domain, now)
  const letters = [
    domain.phase === 'dying' ? 'd' : '-',
    over ? 's' : '-',
    run === 'b' ? 'b' : '-',
    over && domain.shutdownReason === 3 ? 'c' : '-',
    paused ? 'p' : '-',
    run === 'r' ? 'r' : '-',
  ]
  const count = domain.config.nics.length
  return {
    domid: domain.domid,
    name: domain.name ?? '(null)',
    state: letters.join(''),
    cpu: counters.cpu,
    kib: shownKib(domain, now),
    maxKib: (domain.phase === 'building' ? domain.config.memoryMib : domain.memoryMib) * 1024 + 1024,
    vcpus: shownVcpus(domain, now),
    netCount: count,
    tx: count === 0 ? 0 : counters.tx,
    rx: count === 0 ? 0 : counters.rx,
    nets: domain.config.nics.map((nic, index) => netLine(nic.devid, index === 0 ? counters : NO_COUNTERS)),
  }
}

/** All of a guest's traffic is on its first interface. */
function netLine(devid: number, counters: { rx: number; tx: number }): string {
  const packets = (bytes: number) => String(Math.floor(bytes / 700)).padStart(8)
  const bytes = (count: number) => String(Math.floor(count)).padStart(8)
  return `Net${devid} RX: ${bytes(counters.rx)}bytes ${packets(counters.rx)}pkts ${'0'.padStart(8)}err ${'0'.padStart(8)}drop  TX: ${bytes(counters.tx)}bytes ${packets(counters.tx)}pkts ${'0'.padStart(8)}err ${'0'.padStart(8)}drop`
}

function line(row: Row, percent: number, totalKib: number, full: boolean): string {
  const name = full ? row.name : row.name.slice(0, 10)
  const share = (kib: number) => ((kib * 100) / totalKib).toFixed(1)
  const kilobytes = (bytes: number) => String(Math.floor(bytes / 1024)).padStart(8)
  return [
    ' '.repeat(Math.max(0, 10 - Buffer.byteLength(name))) + name,
    row.state,
    String(Math.floor(row.cpu)).padStart(10),
    percent.toFixed(1).padStart(6),
    String(row.kib).padStart(10),
    share(row.kib).padStart(6),
    String(row.maxKib).padStart(10),
    share(row.maxKib).padStart(9),
    String(row.vcpus).padStart(5),
    String(row.netCount).padStart(4),
    kilobytes(row.tx),
    kilobytes(row.rx),
    '0'.padStart(4),
    ...Array.from({ length: 3 }, () => '0'.padStart(8)),
    ...Array.from({ length: 2 }, () => '0'.padStart(10)),
    '0'.padStart(4),
  ].join(' ')
}
