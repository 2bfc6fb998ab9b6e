/** What `xl` shows of domains: list, vcpu-list, uptime, domid, domname. */
import { turns } from '../../../lib/turns.ts'
import { cpuSecondsOf } from '../../machine/guests.ts'
import { cpuBetween, flicker } from '../../machine/noise.ts'
import type { Call, Program } from '../../machine/program.ts'
import type { Domain, PmState } from '../../machine/state.ts'
import { formatDomains } from './json.ts'
import { findDomain, needDomain, splitOptions } from './words.ts'

const HEADER = 'Name                                        ID   Mem VCPUs\tState\tTime(s)'

const HEADER_V = `${HEADER}   UUID                            Reason-Code\tSecurity Label`

/** A machine of thousands of guests lists them for longer than a screen beside it can wait. */
const LINES_A_TURN = 100

const DOM0_UUID = '00000000-0000-0000-0000-000000000000'

export const list: Program = async (call) => {
  const { options, words } = splitOptions(call.argv, '')
  const verbose = options.includes('v') || options.includes('--verbose')
  const word = words[0]
  let domains = call.pm.domains
  let dom0 = true
  if (word !== undefined) {
    dom0 = word === 'Domain-0' || word === '0'
    const domain = dom0 ? undefined : findDomain(call.pm, word)
    if (!dom0 && domain === undefined) {
      call.err(
        /^\d+$/.test(word)
          ? `Error: Domain '${word}' does not exist.\n`
          : `${word} is an invalid domain identifier (rc=-6)\n`,
      )
      return 1
    }
    domains = domain ? [domain] : []
  }
  if (options.includes('l') || options.includes('--long')) {
    call.out(`${formatDomains(call.pm, domains, dom0)}\n`)
    return 0
  }
  const lines = [verbose ? HEADER_V : HEADER]
  if (dom0) lines.push(dom0Line(call, verbose))
  const now = call.now()
  for (const [index, domain] of [...domains].entries()) {
    if (index % LINES_A_TURN === 0) await turns.take()
    lines.push(domainLine(domain, now, verbose))
  }
  call.out(`${lines.join('\n')}\n`)
  return 0
}

function row(name: string, id: number, mem: number, vcpus: number, state: string, seconds: number): string {
  const columns = `${pad(name, 40)} ${String(id).padStart(5)} ${String(mem).padStart(5)} ${String(vcpus).padStart(5)}`
  return `${columns}     ${state}  ${seconds.toFixed(1).padStart(8)}`
}

/** printf counts bytes, so a name that is not ASCII takes fewer columns of padding. */
function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - Buffer.byteLength(text)))
}

function dom0Line(call: Call, verbose: boolean): string {
  const line = row(
    'Domain-0',
    0,
    call.pm.dom0MemoryMib,
    call.pm.dom0VcpuCount,
    'r-----',
    dom0Seconds(call.pm, call.now()),
  )
  return verbose ? `${line} ${DOM0_UUID}${'-'.padStart(9)}${'-'.padStart(17)}` : line
}

export function dom0Seconds(pm: PmState, now: number): number {
  return cpuBetween(pm.machineId, pm.dom0VcpuCount, pm.bootedAt, now)
}

function domainLine(domain: Domain, now: number, verbose: boolean): string {
  const line = row(
    domain.name ?? '(null)',
    domain.domid,
    shownMib(domain, now),
    shownVcpus(domain, now),
    stateLetters(domain, now),
    cpuSecondsOf(domain, now),
  )
  if (!verbose) return line
  const reason =
    domain.phase === 'shutdown' || domain.phase === 'dying' ? (domain.shutdownReason ?? 0).toString(16) : '-'
  return `${line} ${domain.uuid}${reason.padStart(9)}${'-'.padStart(17)}`
}

/** Running, blocked, paused, shutdown, the reason for the shutdown, dying: as `xl list` prints them. */
function stateLetters(domain: Domain, now: number): string {
  const over = domain.phase === 'shutdown' || domain.phase === 'dying'
  const paused = domain.paused || (domain.phase === 'building' && !domain.unfinished)
  let run = ''
  if (!over && !paused && !domain.unfinished) run = activity(domain, now)
  const letters = [
    run === 'r' ? 'r' : '-',
    run === 'b' ? 'b' : '-',
    paused ? 'p' : '-',
    over ? 's' : '-',
    over ? '-rsc'[domain.shutdownReason ?? 0]! : '-',
    domain.phase === 'dying' ? 'd' : '-',
  ]
  return letters.join('')
}

/** On a CPU, waiting for an event, or neither at the moment somebody looks. */
export function activity(domain: Domain, now: number): 'r' | 'b' | '-' {
  if (domain.bootedAt === undefined) return 'r'
  const chance = flicker(domain.uuid, Math.floor(now / 500))
  if (chance < 0.12) return 'r'
  return chance < 0.16 ? '-' : 'b'
}

/** An HVM guest gives its video memory back once its drivers are up. */
export function shownKib(domain: Domain, now: number): number {
  if (domain.phase === 'building' && now < domain.populatedAt) return 0
  const mib = domain.phase === 'building' ? domain.config.memoryMib : domain.memoryMib
  const video = domain.config.type === 'hvm' && domain.bootedAt !== undefined && domain.bootedAt <= now ? 8916 : 0
  return Math.max(0, mib * 1024 - video)
}

function shownMib(domain: Domain, now: number): number {
  return Math.floor(shownKib(domain, now) / 1024)
}

export function shownVcpus(domain: Domain, now: number): number {
  if (domain.phase === 'building') return now < domain.populatedAt ? 0 : domain.config.vcpus
  return domain.vcpusOnline
}

export const domid: Program = (call) => {
  const name = call.argv[1] ?? ''
  const domain = call.pm.domains.find((one) => one.name === name)
  if (name === 'Domain-0') call.out('0\n')
  else if (domain) call.out(`${domain.domid}\n`)
  else {
    call.err(`Can't get domid of domain name '${name}', maybe this domain does not exist.\n`)
    return 1
  }
  return 0
}

export const domname: Program = (call) => {
  const word = call.argv[1] ?? ''
  const name = word === '0' ? 'Domain-0' : call.pm.domains.find((one) => one.domid === Number(word))?.name
  if (name === undefined) {
    call.err(`Can't get domain name of domain id '${word}', maybe this domain does not exist.\n`)
    return 1
  }
  call.out(`${name}\n`)
  return 0
}

export const vcpuList: Program = (call) => {
  const lines = ['Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)']
  const now = call.now()
  const word = call.argv[1]
  const vcpu = (name: string, id: number, index: number, state: string, cpu: string, seconds: number) =>
    lines.push(
      `${pad(name, 32)} ${String(id).padStart(5)} ${String(index).padStart(5)}${cpu.padStart(5)}   ${state}  ${seconds.toFixed(1).padStart(8)}  all / all`,
    )
  if (word === undefined || word === 'Domain-0' || word === '0') {
    for (let index = 0; index < call.pm.dom0VcpuCount; index++) {
      const seconds = dom0Seconds(call.pm, now) / call.pm.dom0VcpuCount
      vcpu('Domain-0', 0, index, index === 0 ? 'r--' : '-b-', String(index % call.pm.cpuCount), seconds)
    }
    if (word !== undefined) {
      call.out(`${lines.join('\n')}\n`)
      return 0
    }
  }
  const one = word === undefined ? undefined : needDomain(call, word)
  if (typeof one === 'number') {
    call.out(`${lines[0]}\n`)
    return one
  }
  for (const domain of one ? [one] : call.pm.domains) {
    const seconds = cpuSecondsOf(domain, now) / Math.max(1, domain.vcpusOnline)
    for (let index = 0; index < domain.config.maxVcpus; index++) {
      const online = index < domain.vcpusOnline
      const run = activity(domain, now)
      const state = online && !domain.paused ? (run === 'r' ? 'r--' : '-b-') : '--p'
      const cpu = online ? String((domain.domid + index) % call.pm.cpuCount) : '-'
      vcpu(domain.name ?? '(null)', domain.domid, index, state, cpu, online ? seconds : 0)
    }
  }
  call.out(`${lines.join('\n')}\n`)
  return 0
}

export const uptime: Program = (call) => {
  const { options, words } = splitOptions(call.argv, '')
  const now = call.now()
  const rows: [string, number, number][] = []
  if (words.length === 0 || words.includes('Domain-0') || words.includes('0'))
    rows.push(['Domain-0', 0, now - call.pm.bootedAt])
  for (const word of words.length === 0 ? call.pm.domains.map((one) => String(one.domid)) : words) {
    if (word === 'Domain-0' || word === '0') continue
    const domain = needDomain(call, word)
    if (typeof domain === 'number') return domain
    rows.push([domain.name ?? '(null)', domain.domid, now - domain.builtAt])
  }
  if (options.includes('s')) {
    for (const [name, id, ms] of rows) {
      const minutes = Math.floor(ms / 60_000)
      const span = `${String(Math.floor(minutes / 60)).padStart(2)}:${two(minutes % 60)}`
      call.out(` ${new Date(now).toISOString().slice(11, 19)} up ${span}, ${name} (${id})\n`)
    }
    return 0
  }
  call.out('Name                                ID Uptime\n')
  for (const [name, id, ms] of rows) call.out(`${pad(name, 33)} ${String(id).padStart(4)} ${spanOf(ms)}\n`)
  return 0
}

function spanOf(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const days = Math.floor(seconds / 86_400)
  const clock = `${String(Math.floor((seconds % 86_400) / 3600)).padStart(2)}:${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`
  return days === 0 ? clock : `${days} day${days === 1 ? '' : 's'}, ${clock}`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
