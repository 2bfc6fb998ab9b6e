/**
 * `xl migrate` between two simulated machines, with the words of both sides and the ways in which it ends badly: the line
 * breaks before, while and after the guest is handed over; the other side has no room; xl's own ssh is ended.
 */
import { builtAgain } from '../../machine/guestConfig.ts'
import {
  beginBuild,
  countersOf,
  refuseBuild,
  remove,
  startCounting,
  stopCounting,
  TIMES,
} from '../../machine/guests.ts'
import type { Call, Program } from '../../machine/program.ts'
import type { Domain, GuestConfig, PmState } from '../../machine/state.ts'
import { isJoined, reach, refuseLogin } from '../ssh.ts'
import { loadConfig } from './power.ts'
import { goOn } from './save.ts'
import { needDomain } from './words.ts'

interface Words {
  readonly config?: string
  readonly ssh: string
  readonly paused: boolean
  readonly domain: string
  readonly address: string
}

function parseWords(argv: readonly string[]): Words {
  const rest: string[] = []
  const values: { C?: string; s?: string } = {}
  let paused = false
  for (let at = 1; at < argv.length; at++) {
    const word = argv[at]!
    if (word === '-C' || word === '-s') values[word[1] as 'C' | 's'] = argv[++at]
    else if (word === '-p') paused = true
    else if (!word.startsWith('-')) rest.push(word)
  }
  const [domain = '', address = ''] = rest
  return { ...(values.C === undefined ? {} : { config: values.C }), ssh: values.s ?? 'ssh', paused, domain, address }
}

/** The ssh in what pengx gives as `-s`, and the tag under which it can be ended: xl itself has none. */
export function carrierTag(argv: readonly string[]): string | undefined {
  const given = argv[1] === 'migrate' ? argv[argv.indexOf('-s') + 1] : undefined
  return given && / sh (\S+) ssh /.exec(given)?.[1]
}

const TRUNCATED = (what: string) =>
  `libxl: error: libxl_utils.c:505:libxl_read_exactly: file/stream truncated reading ${what} from migration receiver stream\n`
const TRANSPORT = (status: number) =>
  `libxl: info: libxl_exec.c:117:libxl_report_child_exitstatus: migration transport process [299] exited with error status ${status}\n`

const BADLY = `** Migration failed during final handshake **
Domain state is now undefined !
Please CHECK AT BOTH ENDS for running instances, before renaming and
 resuming at most one instance.  Two simultaneous instances of the domain
 would probably result in SEVERE DATA LOSS and it is now your
 responsibility to avoid that.  Sorry.
`

export const migrate: Program = async (call) => {
  const words = parseWords(call.argv)
  const domain = needDomain(call, words.domain)
  if (typeof domain === 'number') return domain
  let config = strippedConfig(domain)
  if (words.config !== undefined) {
    const given = await loadConfig(call, words.config, [])
    if (typeof given === 'number') return 1
    config = { ...given, uuid: domain.uuid }
  }
  const reached = reach(call.world, call.pm, words.address)
  const problem = 'problem' in reached ? reached.problem : refuseLogin(call.pm, reached.pm, words.address, words.ssh)
  if (problem !== undefined || 'problem' in reached) {
    call.err(`${problem}\n${TRUNCATED('banner')}${TRANSPORT(255)}`)
    return 1
  }
  return await send(call, domain, config, reached.pm, words.paused)
}

function strippedConfig(domain: Domain): GuestConfig {
  const disks = domain.config.disks.map(builtAgain)
  return { ...domain.config, disks }
}

async function send(call: Call, domain: Domain, config: GuestConfig, to: PmState, paused: boolean): Promise<number> {
  const { world } = call
  const name = domain.name ?? config.name
  call.err(`migration target: Ready to receive domain.
Saving to migration stream new xl format (info 0x3/0x0/1709)
Loading new save file <incoming migration stream> (new xl fmt info 0x3/0x0/1709)
 Savefile contains xl domain config in JSON format
Parsing config from <saved>
`)
  const kind = config.type === 'pv' ? 'PV' : 'HVM'
  call.err(`xc: info: Saving domain ${domain.domid}, type x86 ${kind}\n`)
  if (config.type === 'pv' && call.pm.noShadow) {
    call.err(`xc: error: Failed to enable logdirty: 22,0,22 (22 = Invalid argument): Internal error\n`)
    return resumeSaying(call, domain, 'xc: error: Save failed (22 = Invalid argument): Internal error\n')
  }
  const incoming = { ...config, name: `${name}--incoming` }
  const refusal = refuseBuild(to, incoming, to.nextDomid)
  if (refusal) {
    to.nextDomid++
    call.err(`${refusal.join('\n')}\nmigration target: Domain creation failed (code -3).\n`)
    return resumeSaying(call, domain, '')
  }
  call.err(`xc: info: Found x86 ${kind} domain from Xen 4.17\nxc: info: Restoring domain\n`)
  const restored = countersOf(domain, call.now())
  const copy = beginBuild(world, to, incoming, { paused: true, at: call.now(), restored })
  copy.imagesStale = true
  world.save()
  /** Time goes by; false where the line is broken by then. A side that hears no more stays as it is. */
  const pass = async (ms: number): Promise<boolean> => {
    await call.pass(ms)
    return isJoined(world, call.pm, to)
  }
  try {
    for (let part = 0; part < 4; part++)
      if (!(await pass(TIMES.build / 2))) return resumeSaying(call, domain, lineBroke())
    if (!call.pm.domains.includes(domain) || domain.phase !== 'up') return leave(call, to, copy, domain)
    stopCounting(domain, call.now())
    domain.phase = 'shutdown'
    domain.shutdownReason = 2
    world.save()
    if (!(await pass(TIMES.build / 4))) return resumeSaying(call, domain, lineBroke())
  } catch (ended) {
    // Its ssh was ended from outside: the receiver takes its half away, xl lets the guest go on.
    remove(to, copy)
    resumeSaying(call, domain, '')
    throw ended
  }
  call.err(`xc: info: Restore successful
xc: info: XenStore: mfn 0x9d6b0, dom 0, evt 1
xc: info: Console: mfn 0x9d6af, dom 0, evt 2
migration target: Transfer complete, requesting permission to start domain.
migration sender: Target has acknowledged transfer.
migration sender: Giving target permission to start.
`)
  domain.name = `${name}--migratedaway`
  world.save()
  if (!(await pass(TIMES.build / 8))) return failBadly(call)
  copy.name = name
  copy.config = { ...copy.config, name }
  if (!paused) {
    copy.paused = false
    startCounting(copy, call.now())
  }
  world.save()
  if (!(await pass(TIMES.build / 8))) return failBadly(call)
  call.err('migration target: Got permission, starting domain.\nmigration target: Domain started successsfully.\n')
  remove(call.pm, domain)
  world.save()
  call.err('migration sender: Target reports successful startup.\nMigration successful.\n')
  return 0
}

function lineBroke(): string {
  return `Timeout, server 192.0.2.12 not responding.\n${TRUNCATED('ready message')}${TRANSPORT(255)}`
}

function resumeSaying(call: Call, domain: Domain, why: string): number {
  call.err(`${why}migration sender: libxl_domain_suspend failed (rc=-3)\nMigration failed, resuming at sender.\n`)
  if (domain.phase === 'shutdown' && domain.shutdownReason === 2) goOn(domain, call.now())
  call.world.save()
  return 1
}

/** The guest went away by itself while its memory was sent. */
function leave(call: Call, to: PmState, copy: Domain, domain: Domain): number {
  remove(to, copy)
  call.err(
    `libxl: error: libxl_dom_suspend.c:356:suspend_common_wait_guest_check: Domain ${domain.domid}:guest we were suspending has been destroyed\n`,
  )
  call.world.save()
  return 1
}

function failBadly(call: Call): number {
  call.err(BADLY)
  return 1
}
