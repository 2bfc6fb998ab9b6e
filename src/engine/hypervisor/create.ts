import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import { cancelledCommand } from '../host/bounded.ts'
import type { Command, Host, Output } from '../host/host.ts'
import { commandFailure, runBatch } from '../host/run.ts'
import { holdsBytes, lastLines, readFile, writeFileAtomically } from '../tools/files.ts'
import { ANY_EXIT, type Program } from '../tools/program.ts'
import {
  type LeaseProblem,
  type Lockspace,
  leaseOwner,
  leaseProblem,
  lockspaceHosts,
  readLease,
  underLease,
} from '../tools/sanlock.ts'
import { storeHas } from '../tools/xenstore.ts'
import { parseConfig } from '../tools/xl/config.ts'
import { explainXl, redact, secretsOf } from '../tools/xl/error.ts'
import { createDomain, domainNamed, hostInfo, parseInfo } from '../tools/xl/xl.ts'
import type { DomainSeen } from './domain.ts'
import { LISTING, readListing } from './listing.ts'
import { domains as listNow, toDomains } from './look.ts'
import { xlFailure } from './xlFailure.ts'

/** Hotplug scripts have 40 s each by libxl, memory to scrub and kernels to unpack take longer on a busy machine. */
const CREATE_TIMEOUT_MS = 600_000

/** What a domain is built from: a configuration on the PM, or the text of one that is written there first. */
export interface CreateConfig {
  readonly path: string
  /** Absent: what lies at `path` is taken as it is. */
  readonly text?: string
  /** SHA-256 of what the file has to say, in hexadecimal digits; absent with `text`, and where it is not looked at. */
  readonly digest?: string
  /** Passwords in the file, which must not be told with what xl says. */
  readonly secrets?: readonly string[]
  /** Passed beside the file, so that a configuration without one keeps the VM's. */
  readonly uuid: string
  /** The name in the configuration. */
  readonly domainName: string
  readonly paused?: boolean
}

/**
 * Builds a domain: one batch that stops at its first failure. No domain of that name, none of that UUID (Xen itself
 * would take a second one), then the file, then `xl create` (xl(1)), then the list that proves it. So `conflict` is
 * found before anything is written. What xl meant is the code: `noSpace` for memory, `notFound` for a disk, kernel or
 * bridge, `invalid` for the configuration, else mostly `commandFailed`; also where the domain was gone at once. What is
 * there is what counts: a domain that runs, or is paused where that was asked for, is created, whatever xl said. A
 * half-built one that libxl has left is named in the message and stays. An abort before xl begins is `cancelled` with
 * nothing done; one while it is at work waits for it, and is `cancelled` with the domain there. With a `lockspace` it is
 * built under its lease there, and fails with `conflict` where that cannot be had (`refused` where `text` was written).
 */
export async function create(
  host: Host,
  config: CreateConfig,
  tag: string,
  signal?: AbortSignal,
  lockspace?: Lockspace,
): Promise<{ domid: number; domains: DomainSeen[] }> {
  const { path, text, digest, secrets = [], uuid, domainName, paused } = config
  const guards: Program[] = [
    { ...domainNamed(domainName), okExits: ANY_EXIT.filter((exit) => exit !== 0) },
    { ...storeHas(`/vm/${uuid}`), okExits: ANY_EXIT.filter((exit) => exit !== 0) },
  ]
  const same = digest === undefined ? [] : [holdsBytes(path, digest)]
  const writes = text === undefined ? same : writeFileAtomically(path, text)
  const xl = createDomain(path, uuid, paused)
  const build = lockspace ? underLease(lockspace, uuid, xl) : xl
  const rest: Program[] = [{ ...build, okExits: ANY_EXIT }, ...LISTING]

  const attempt = async (parts: readonly Program[]) => {
    const command: Command = batch(parts, { stopOnFailure: true, timeoutMs: CREATE_TIMEOUT_MS, queue: 'builds' })
    return await runBatch(host, { ...command, tag, secrets }, signal)
  }
  let parts = [...guards, ...writes, ...rest]
  let outputs = await attempt(parts)
  if (outputs.length <= guards.length && outputs.at(-1)?.exit === 0) {
    await refuseExisting(host, config, signal)
    // a UUID in xenstore without a domain is what a killed xl left behind
    parts = [...writes, ...rest]
    outputs = await attempt(parts)
  }
  if (digest !== undefined && outputs.length === parts.indexOf(writes[0]!) + 1)
    throw new PengxError('conflict', `${path} on ${host.name} was changed by somebody else meanwhile: try again`)
  const created = outputs[parts.length - 1 - LISTING.length]
  if (created === undefined) throw commandFailure(host, parts[outputs.length - 1]!, outputs.at(-1)!)
  const problem = lockspace && leaseProblem(created)
  if (problem) throw await withoutLease(host, config, lockspace, problem, created)
  const domains = toDomains(await readListing(host, outputs.slice(parts.length - LISTING.length), signal), [])
  if (created.exit !== 0 && !isThere(domains, config)) throw await failure(host, config, created, domains, signal)
  // xl is never ended half way: who has had enough meanwhile is told so when it has ended, and then there is a domain.
  if (signal?.aborted) throw cancelledCommand(host.name, xl, signal.reason)
  const domain = domains.findLast((one) => one.uuid === uuid)
  if (domain === undefined) throw await gone(host, config, signal)
  return { domid: domain.domid, domains }
}

function isThere(domains: readonly DomainSeen[], { uuid, paused }: CreateConfig): boolean {
  const wanted = paused ? 'paused' : 'running'
  return domains.some((domain) => domain.uuid === uuid && domain.state === wanted)
}

async function refuseExisting(host: Host, config: CreateConfig, signal?: AbortSignal): Promise<void> {
  const there = (await listNow(host, signal)).find((one) => one.uuid === config.uuid || one.name === config.domainName)
  if (there === undefined) return
  const which =
    there.uuid === config.uuid
      ? `it runs there already as domain ${there.domid}${there.name === config.domainName ? '' : `, named "${there.name}"`}`
      : `another domain (${there.domid}, UUID ${there.uuid}) has that name`
  throw new PengxError('conflict', `cannot start ${config.domainName} on ${host.name}: ${which}`)
}

/** xl was not run. Nobody goes past it: sanlock alone knows whether a host that does not answer is dead. */
async function withoutLease(
  host: Host,
  { domainName, uuid, text }: CreateConfig,
  lockspace: Lockspace,
  problem: LeaseProblem,
  cause: Output,
): Promise<PengxError> {
  const { name, leases } = lockspace
  const why = {
    down: () => `sanlock does not run there: start it and join its lockspace ${name}, as config.toml wants it`,
    apart: () =>
      `sanlock there has not joined the lockspace ${name}: \`sanlock client add_lockspace -s ${name}:HOST_ID:PATH:0\` does`,
    elsewhere: (at: string) =>
      `${leases} there is not the directory on the file system of the lockspace ${name} (${at}), and a lease anywhere else would keep nobody away: mount it`,
    unmade: (words: string) => `its lease cannot be made in ${leases}: ${words || 'sanlock does not say why'}`,
    held: (owner: string) =>
      `its lease is held by ${owner} of the lockspace ${name}, which lives: shut the VM down there; where that host is dead, sanlock frees the lease by itself when it knows`,
    heldHere: () =>
      `its lease is held on ${host.name} itself, by a program or by what is left of an earlier start (an xl or QEMU of it that has not ended: pgrep -af ${domainName})`,
    failed: (error: number) =>
      `sanlock gives no lease by ${leases}/${uuid}: error ${error}, see \`sanlock client log_dump\` there`,
  }
  const said = (code: 'conflict' | 'refused' | 'busy', words: string) =>
    new PengxError(code, `cannot start ${domainName} on ${host.name}: ${words}`, { cause })
  // found too late for the promise of a conflict where the file is written
  const code = text === undefined ? 'conflict' : 'refused'
  if (problem.kind === 'ending') return said('busy', 'sanlock is still taking its lease back.')
  if (problem.kind === 'elsewhere') return said(code, why.elsewhere(problem.lockspacePath))
  if (problem.kind === 'unmade') return said(code, why.unmade(problem.words))
  if (problem.kind === 'failed') return said(code, why.failed(problem.error))
  if (problem.kind !== 'held') return said(code, why[problem.kind]())
  const asked = batch([readLease(lockspace, uuid), lockspaceHosts(lockspace)], { timeoutMs: 60_000 })
  const looked = await runBatch(host, asked).catch((): Output[] => [])
  return said(code, why.held(leaseOwner(looked[0]?.stdout ?? '', looked[1]?.stdout ?? '') ?? 'another host'))
}

/** What xl meant, with what can be looked up now: how much memory there is, what QEMU or xl wrote down. */
async function failure(
  host: Host,
  config: CreateConfig,
  created: Output,
  domains: readonly DomainSeen[],
  signal?: AbortSignal,
): Promise<PengxError> {
  const { path, text, uuid, domainName } = config
  const doing = `cannot start ${domainName} on ${host.name}`
  if (created.exit === 127) return new PengxError('unsupported', `${doing}: it has no xl`, { cause: created })
  const known = explainXl(created.stderr)
  const looked = await runBatch(
    host,
    batch([hostInfo, lastLines(`/var/log/xen/qemu-dm-${domainName}.log`, LOG_LINES), readFile(path)], {
      timeoutMs: 60_000,
    }),
    signal,
  ).catch((): Output[] => [])
  const source = text ?? (looked[2]?.exit === 0 ? looked[2].stdout : '')
  const secrets = [...(config.secrets ?? []), ...secretsOf(source)]
  const left = domains.find((one) => one.uuid === uuid)
  const also = left === undefined ? '' : `; domain ${left.domid} of it is left (${left.state}): power it off`
  if (known === undefined) return xlFailure(doing, { ...created, stderr: created.stderr + also }, secrets)

  let { code, message } = known
  if (known.kind === 'memory') message = memoryMessage(source, path, looked[0])
  if (known.kind === 'deviceModel') {
    // Debian 12 builds Xen's QEMU without any library that has DES, which VNC's passwords need (RFC 6143 7.2.2)
    const noPasswords = /does not support DES/.test(looked[1]?.stdout ?? '')
    if (noPasswords) code = 'unsupported'
    message = noPasswords
      ? `the QEMU of ${host.name} is built without DES and takes no VNC password: leave it away, and listen on 127.0.0.1`
      : message + deviceModelHint(domainName, looked[1])
  }
  if (known.kind === 'duplicateName') {
    // found too late for the promise of a conflict: the file is written
    if (text !== undefined) code = 'commandFailed'
    const there = domains.find((one) => one.name === domainName)
    if (there) message = `another domain (${there.domid}, UUID ${there.uuid}) has that name`
  }
  return xlFailure(doing, created, secrets, { ...known, code, message: message + also })
}

function memoryMessage(source: string, path: string, info: Output | undefined): string {
  const free = info?.exit === 0 ? parseInfo(info.stdout)?.freeMib : undefined
  let asked: number | undefined
  try {
    asked = parseConfig(source, path).spec.maxmemMib
  } catch {
    asked = undefined
  }
  const there = free === undefined ? 'not enough memory is free' : `${free} MiB of memory are free`
  return asked === undefined ? there : `${there}, it asks for ${asked} MiB (and Xen for some more beside that)`
}

/** The cause, and behind it a line or two a disk. */
const LOG_LINES = 100

/** A QEMU since 9.0 that fails at its start then tells of each device that it cannot take away any more. */
const AFTERMATH = /failed to destroy node/

function deviceModelHint(domainName: string, log: Output | undefined): string {
  const lines = log?.exit === 0 ? log.stdout.trim().split('\n') : []
  const said = (lines.findLast((line) => !AFTERMATH.test(line)) ?? '').slice(0, 200)
  const where = `/var/log/xen/qemu-dm-${domainName}.log`
  return said ? `: ${said} (${where})` : `; see ${where}`
}

/** xl was content, and yet no domain of that UUID is there: it crashed at once and was cleaned up. */
async function gone(host: Host, config: CreateConfig, signal?: AbortSignal): Promise<PengxError> {
  const log = `/var/log/xen/xl-${config.domainName}.log`
  const looked = await runBatch(host, batch([lastLines(log, 10)], { timeoutMs: 60_000 }), signal).catch(
    (): Output[] => [],
  )
  const said =
    looked[0]?.exit === 0 ? redact(looked[0].stdout.trim(), config.secrets ?? secretsOf(config.text ?? '')) : ''
  const words = said === '' ? `see ${log}` : said.split('\n').slice(-3).join(' | ')
  return new PengxError(
    'commandFailed',
    `${config.domainName} was started on ${host.name} and was gone at once: ${words}`,
    { cause: said },
  )
}
