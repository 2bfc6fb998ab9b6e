import type { Clock } from '../../lib/clock.ts'
import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Command, Host } from '../host/host.ts'
import { endNow } from '../host/lost.ts'
import { run, runAll, runWatched } from '../host/run.ts'
import { wrapLocal } from '../host/wrapping.ts'
import { removeFile, writeFileAtomically } from '../tools/files.ts'
import { ANY_EXIT, type Program } from '../tools/program.ts'
import { readStore, writeStore } from '../tools/xenstore.ts'
import { secretsOf } from '../tools/xl/error.ts'
import {
  checkpointDomain,
  explainMigration,
  isHandedOver,
  MEMORY_FROM,
  MEMORY_TO,
  migrateDomain,
  migrationAtWork,
  parsePhase,
  resumeDomain,
  suspendRequest,
} from '../tools/xl/migrate.ts'
import { hostInfo, parseInfo, type XenInfo } from '../tools/xl/xl.ts'
import type { DomainSeen } from './domain.ts'
import { domains } from './look.ts'
import { xlFailure } from './xlFailure.ts'

/**
 * A running guest on its way to another PM. xl is never killed: it would leave the guest suspended. After a crash both it
 * and the ssh that carries the migration are waited for. A cancel ends that ssh alone, and only while libxl is safe
 * under it: until the other side has all of the guest and asks for permission, the sending xl takes a broken line for a
 * failed save and resumes its guest, and the receiving one takes its half away (xl_migrate.c, migrate_domain:
 * `failed_suspend`); later neither knows what the other has done (`failed_badly`), and it is let end by itself.
 * Whatever xl says in the end, where the guest is must be looked for on both sides.
 */
export interface Migration {
  readonly domid: number
  readonly name: string
  /** What the domain is built from over there, and where it is written down for as long as that takes. */
  readonly config: { readonly path: string; readonly text: string }
  /** How this PM logs in to the other one. */
  readonly ssh: readonly [string, ...string[]]
  readonly address: string
}

export interface MigrationOptions {
  /** The other PM, as pengx reaches it. */
  readonly target: Host
  readonly uuid: string
  readonly memoryMib: number
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly tag: string
  /** 0 to 1, and what is going on. */
  onProgress(done: number, text: string): void
}

const SHORT_MS = 60_000
const POLL_MS = 1_500

/**
 * `xl info`: versions, processors, memory in MiB. Changes nothing; `unsupported` where xl does not reach the
 * hypervisor.
 */
export async function abilities(host: Host, signal?: AbortSignal): Promise<XenInfo> {
  const output = await run(host, { ...hostInfo, okExits: ANY_EXIT, timeoutMs: SHORT_MS }, signal)
  const info = parseInfo(output.stdout)
  if (info === undefined) throw xlFailure(`cannot ask the hypervisor of ${host.name}`, output)
  return info
}

/**
 * `xl migrate -p -C FILE -s SSH` (xl(1)) on the PM where the guest is; FILE is written for it and taken away. Ends
 * when xl ends. On success the domain over there is paused. Fails with what xl gives as the reason, mostly
 * `commandFailed`; an abort ends the ssh, where that is safe, and then fails the same way: neither tells where the guest
 * is.
 */
export async function migrate(host: Host, migration: Migration, options: MigrationOptions): Promise<void> {
  const { domid, name, config, ssh, address } = migration
  const { tag, signal } = options
  const carrierTag = `${tag}.carrier`
  const carrier = wrapLocal({ argv: ssh, effect: 'change', tag: carrierTag })
  const program = migrateDomain({ domid, configPath: config.path, ssh: carrier, address })
  const command: Command = { ...program, tag, okExits: ANY_EXIT, queue: 'migrations' }
  await runAll(host, { ...batch(writeFileAtomically(config.path, config.text), { stopOnFailure: true }), tag }, signal)
  const over = new AbortController()
  let said = ''
  const cancel = () => {
    if (!isHandedOver(said)) void endNow(host, carrierTag).catch(() => undefined)
  }
  signal.addEventListener('abort', cancel, { once: true })
  const watched = followMemory(options, () => said, over.signal)
  try {
    const hear = (text: string) => {
      said += text
      const phase = parsePhase(said)
      if (phase) options.onProgress(phase.done, phase.text)
    }
    const output = await runWatched(host, command, hear, undefined, 'stderr')
    if (output.exit === 0) return
    const why = explainMigration(output.stderr)
    const doing = `cannot migrate ${name} from ${host.name} to ${options.target.name}`
    const explained =
      why === undefined ? undefined : ({ kind: 'migration', code: 'commandFailed', message: why } as const)
    throw xlFailure(doing, output, secretsOf(config.text), explained)
  } finally {
    signal.removeEventListener('abort', cancel)
    over.abort()
    await watched
    await run(host, { ...removeFile(config.path), tag }).catch(() => undefined)
  }
}

/** xl hides its own progress here; how much memory the domain over there has been given by now tells it. */
async function followMemory(options: MigrationOptions, said: () => string, over: AbortSignal): Promise<void> {
  const { target, uuid, memoryMib, clock } = options
  for (;;) {
    await clock.sleep(POLL_MS, over).catch(() => undefined)
    if (over.aborted) return
    const phase = parsePhase(said())
    if (phase?.done !== MEMORY_FROM) continue
    const incoming = (await domains(target, over).catch(() => [])).find((domain) => domain.uuid === uuid)
    if (!incoming || over.aborted || parsePhase(said())?.done !== MEMORY_FROM) continue
    const share = Math.min(1, incoming.memoryMib / Math.max(1, memoryMib))
    const words = share < 1 ? `${incoming.memoryMib} of ${memoryMib} MiB` : 'what was written meanwhile is sent again'
    options.onProgress(MEMORY_FROM + (MEMORY_TO - MEMORY_FROM) * share, words)
  }
}

/** Whether an xl is still sending a guest by that configuration (pgrep(1)); false too where there is no pgrep. */
export async function isMigrating(host: Host, configPath: string): Promise<boolean> {
  return (await run(host, { ...migrationAtWork(configPath), timeoutMs: SHORT_MS })).exit === 0
}

/** Pure, from the letters of `xl list`: suspended for a migration or a save, in memory and not going on by itself. */
export function isSuspended(domain: DomainSeen): boolean {
  return domain.rawState[3] === 's' && domain.rawState[4] === 's' && domain.rawState[5] !== 'd'
}

/**
 * Lets a guest go on where it was, whose xl is gone: `xl resume`, or before Xen 4.20, which has none, `xl save -c`
 * into nothing. Done where it is not suspended; `commandFailed` where it still is, with what a person can do.
 */
export async function resumeSuspended(host: Host, domid: number, tag: string, clock: Clock): Promise<void> {
  const still = async () => (await domains(host)).find((domain) => domain.domid === domid && isSuspended(domain))
  const wake = (program: Program) => run(host, { ...program, tag, okExits: ANY_EXIT })
  if (!(await still())) return
  await wake(resumeDomain(domid))
  if (!(await still())) return
  const over = new AbortController()
  const answered = answerFor(host, domid, tag, clock, over.signal)
  const { stderr } = await wake(checkpointDomain(domid)).finally(() => over.abort())
  await answered
  if (!(await still())) return
  throw new PengxError(
    'commandFailed',
    `domain ${domid} on ${host.name} is suspended and does not go on: \`xl save -c ${domid} FILE\` there resumes it, \`xl destroy ${domid}\` gives it up`,
    { cause: stderr },
  )
}

/** Says for a guest that is suspended that it has heard that it shall suspend: libxl would wait a minute for it. */
async function answerFor(host: Host, domid: number, tag: string, clock: Clock, over: AbortSignal): Promise<void> {
  const path = suspendRequest(domid)
  while (!over.aborted) {
    const asked = await run(host, readStore(path)).catch(() => undefined)
    if (asked?.stdout.trim() === 'suspend') {
      await run(host, { ...writeStore({ [path]: '' }), tag }).catch(() => undefined)
      return
    }
    await clock.sleep(POLL_MS, over).catch(() => undefined)
  }
}
