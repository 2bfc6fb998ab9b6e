/** `xl` starts, stops and holds guests. */
import { newUuid, newXenMac } from '../../../lib/ids.ts'
import { readCfg } from '../../machine/cfgSyntax.ts'
import { findNode } from '../../machine/files.ts'
import { guestFromCfg } from '../../machine/guestConfig.ts'
import {
  beginBuild,
  beginDestroy,
  hasQemu,
  heed,
  refuseBuild,
  schedule,
  startCounting,
  startedQemu,
  stopCounting,
  TIMES,
} from '../../machine/guests.ts'
import { leaveHalfBuilt, leaveHalfTorn } from '../../machine/halves.ts'
import type { Call, Program } from '../../machine/program.ts'
import type { Domain, GuestConfig } from '../../machine/state.ts'
import { isGone, needDomain, noType, splitOptions } from './words.ts'

/** What a configuration file says, or the exit status after xl has said why not. */
export async function loadConfig(call: Call, path: string, extra: readonly string[]): Promise<GuestConfig | number> {
  const text = path === '/dev/stdin' ? await call.stdin() : textAt(call, path)
  if (text === undefined) {
    call.err(`Failed to read config file: ${path}: No such file or directory\n`)
    return -3
  }
  if (call.argv[0] === 'create') call.err(`Parsing config from ${path}\n`)
  const { values, errors } = readCfg([text, ...extra].join('\n'), path)
  if (errors.length > 0) {
    call.err(`${errors.join('\n')}\nFailed to parse config: Invalid argument\n`)
    return 1
  }
  const config = guestFromCfg(values, newUuid, newXenMac)
  if (config.name === '') {
    call.err('Domain name must be specified.\n')
    return 1
  }
  return config
}

function textAt(call: Call, path: string): string | undefined {
  const node = findNode(call.pm, path)
  return node?.kind === 'file' ? (node.text ?? '') : undefined
}

export const create: Program = async (call) => {
  const { options, words } = splitOptions(call.argv, 'f')
  const path = words.find((word) => !word.includes('=') || word.startsWith('/'))
  if (path === undefined) {
    call.err("'xl create' requires at least 1 argument.\n")
    return 1
  }
  const extra = words.filter((word) => word !== path)
  const config = await loadConfig(call, path, extra)
  if (typeof config === 'number') return config === -3 ? 3 : config
  if (options.includes('n')) return 0
  const refusal = refuseBuild(call.pm, config, call.pm.nextDomid)
  if (refusal) {
    call.pm.nextDomid++
    call.world.save()
    await call.pass(TIMES.build / 4)
    call.err(`${refusal.join('\n')}\n`)
    return 3
  }
  const domain = beginBuild(call.world, call.pm, config, { paused: options.includes('p'), at: call.now() })
  call.world.save()
  try {
    await call.pass(TIMES.build)
  } catch (error) {
    leaveHalfBuilt(call.pm, domain)
    call.world.save()
    throw error
  }
  return 0
}

export const shutdown: Program = (call) => ask(call, 'poweroff')
export const reboot: Program = (call) => ask(call, 'reboot')

async function ask(call: Call, request: 'poweroff' | 'reboot'): Promise<number> {
  const { options, words } = splitOptions(call.argv, '')
  const all = options.includes('a') || options.includes('--all')
  if (!all && isGone(call, words[0])) {
    call.err(request === 'poweroff' ? `Shutting down domain ${words[0]}\n` : `Rebooting domain ${words[0]}\n`)
    call.err(noType(words[0]))
    call.err(`${request === 'poweroff' ? 'shutdown' : 'reboot'} failed (rc=-3)\n`)
    return 1
  }
  const domain = all ? undefined : needDomain(call, words[0])
  if (typeof domain === 'number') return domain
  const domains = domain ? [domain] : [...call.pm.domains]
  for (const one of domains) {
    call.err(request === 'poweroff' ? `Shutting down domain ${one.domid}\n` : `Rebooting domain ${one.domid}\n`)
    if (!one.paravirt && one.phase === 'up') {
      if (!options.includes('F')) {
        call.err('PV control interface not available: external graceful shutdown not possible.\n')
        call.err('Use "-F" to fallback to ACPI power event.\n')
        call.err(`${request === 'poweroff' ? 'shutdown' : 'reboot'} failed (rc=-10)\n`)
        return 1
      }
      const button = request === 'poweroff' ? 'power button' : 'reset button'
      call.err(`PV control interface not available: sending ACPI ${button} event.\n`)
    }
    if (one.phase === 'up' || one.phase === 'building') {
      one.request = request
      heed(call.world, call.pm, one, call.now())
    }
  }
  call.world.save()
  if (!options.includes('w') && !options.includes('--wait')) return 0
  call.err(`Waiting for ${domains.length} domains\n`)
  for (const one of domains) {
    while (call.pm.domains.includes(one) && one.phase === 'up') await call.pass(50)
    call.err(`Domain ${one.domid} has been shut down, reason code ${one.shutdownReason ?? 0}\n`)
  }
  return 0
}

export const destroy: Program = async (call) => {
  const { words } = splitOptions(call.argv, '')
  if (words[0] === 'Domain-0' || words[0] === '0') {
    call.err('Cannot destroy privileged domain 0.\n\n')
    return 1
  }
  if (isGone(call, words[0])) {
    const at = 'libxl: error: libxl_domain.c'
    call.err(`${at}:1183:libxl__destroy_domid: Domain ${words[0]}:Non-existant domain\n`)
    call.err(`${at}:1137:domain_destroy_callback: Domain ${words[0]}:Unable to destroy guest\n`)
    call.err(`${at}:1064:domain_destroy_cb: Domain ${words[0]}:Destruction of domain failed\n`)
    call.err('destroy failed (rc=-21)\n')
    return 1
  }
  const domain = needDomain(call, words[0])
  if (typeof domain === 'number') return domain
  if (startedQemu(domain) && !hasQemu(domain))
    call.err('libxl: error: libxl_aoutils.c:646:libxl__kill_xs_path: Device Model already exited\n')
  beginDestroy(call.world, call.pm, domain)
  call.world.save()
  try {
    await call.pass(TIMES.dying)
  } catch (error) {
    leaveHalfTorn(call.world, call.pm, domain)
    call.world.save()
    throw error
  }
  return 0
}

export const pause: Program = (call) =>
  hold(call, 'pause', (domain) => {
    if (domain.paused) return
    stopCounting(domain, call.now())
    domain.paused = true
  })

export const unpause: Program = (call) =>
  hold(call, 'unpause', (domain) => {
    if (!domain.paused) {
      call.err(
        `libxl: error: libxl_domain.c:688:domain_unpause_done: Domain ${domain.domid}:Unpausing domain: Invalid argument\n`,
      )
      return
    }
    if (domain.unfinished) domain.paused = false
    if (domain.phase !== 'up') return
    domain.paused = false
    startCounting(domain, call.now())
    if (domain.bootedAt === undefined) {
      const at = call.now() + TIMES.boot * call.world.pace
      schedule(call.world, call.pm, { at, kind: 'booted', domid: domain.domid })
    } else heed(call.world, call.pm, domain, call.now())
  })

/** xl does not look at what libxl answers here: a domid that is gone gives a message and exit 0. */
function hold(call: Call, verb: 'pause' | 'unpause', change: (domain: Domain) => void): number {
  const { words } = splitOptions(call.argv, '')
  if (isGone(call, words[0])) {
    const pausing = `libxl: error: libxl_domain.c:587:libxl_domain_pause: Domain ${words[0]}:Pausing domain: No such process\n`
    call.err(verb === 'pause' ? pausing : noType(words[0]))
    return 0
  }
  const domain = needDomain(call, words[0])
  if (typeof domain === 'number') return domain
  change(domain)
  call.world.save()
  return 0
}
