import { textOfBytes } from '../../lib/bytes.ts'
import { toPengxError } from '../../model/error.ts'
import type { Pm } from '../../model/pm.ts'
import { isProvisional } from '../../model/provisional.ts'
import { hasDomain } from '../../model/vm.ts'
import type { Host } from '../host/host.ts'
import { runMany } from '../host/run.ts'
import type { Hypervisor } from '../hypervisor/hypervisor.ts'
import type { JobRows } from '../store/jobs/jobRows.ts'
import { listDirectory, parseListed } from '../tools/fileLists.ts'
import { fileIdentity, parseBase64, parseFileIdentity, readBytes } from '../tools/files.ts'
import { parseConfig } from '../tools/xl/config.ts'
import { type HeldClaim, readClaims } from '../volumes/claims/claim.ts'
import { identify, readHeld } from '../volumes/identity.ts'
import { type ClaimJudge, claimFacts, maybeClaimed, withOrphans } from './claims.ts'
import {
  type Entry,
  GONE,
  type KnownVolume,
  type MarkFacts,
  namedPaths,
  type PlaceFacts,
  type PmFacts,
  type SeenConfig,
  type SiteFacts,
} from './facts.ts'
import { checkImages, readHeaders } from './headers.ts'
import { knownVolumes } from './known.ts'
import { MAKERS, madeBy } from './made.ts'
import { lookAtPlace } from './places.ts'

export interface VerifyDeps {
  readonly view: ClaimJudge['view']
  readonly jobs: Pick<JobRows, 'factsOf'>
  readonly hypervisor: Pick<Hypervisor, 'details' | 'configFiles'>
  host(pm: string): Host
}

export interface GatherOptions {
  /** Images that no running guest can have open are read whole (`qemu-img check`). */
  readonly deep?: boolean
  readonly signal?: AbortSignal
}

/** A file system that hangs is no reason to wait for ever. */
const LOOK_MS = 60_000

/**
 * Looks at the whole site, all PMs at once and each in few round trips: lists, batches of headers, never one for each VM.
 * Changes nothing and takes no locks. A PM that cannot be looked at is told of in what is found; fails only where the store
 * cannot be read.
 */
export async function gatherSite(deps: VerifyDeps, now: number, options: GatherOptions = {}): Promise<SiteFacts> {
  const { view } = deps
  const volumes = knownVolumes(view)
  const journal = madeBy(await deps.jobs.factsOf(MAKERS))
  const away: { pm: Pm; why: string }[] = []
  const pms = new Map<string, PmFacts>()
  const places: PlaceFacts[] = []
  const marks: MarkFacts[] = []
  const claims = new Map<string, readonly HeldClaim[]>()
  await Promise.all(
    view.pms().map(async (pm) => {
      const why = isProvisional(pm) || pm.seen.reach !== 'up' ? (pm.seen.problem ?? 'it does not answer') : undefined
      if (why !== undefined) return void away.push({ pm, why })
      try {
        const mine = volumes.filter((one) => one.pm === pm.uuid)
        const seen = await gatherPm(deps, pm, mine, options)
        pms.set(pm.uuid, seen.facts)
        places.push(...seen.places)
        marks.push(...seen.marks)
        claims.set(pm.uuid, seen.claims)
      } catch (error) {
        if (options.signal?.aborted) throw error
        away.push({ pm, why: toPengxError(error).message })
      }
    }),
  )
  const judge = { view, pms, places: places.sort((a, b) => a.storlink.id - b.storlink.id), now }
  const judged = { places: withOrphans(judge, claims), claims: claimFacts(judge, claims) }
  return { view, pms, away, volumes, journal, marks, ...judged }
}

interface PmSeen {
  readonly facts: PmFacts
  readonly places: readonly PlaceFacts[]
  readonly marks: readonly MarkFacts[]
  readonly claims: readonly HeldClaim[]
}

async function gatherPm(
  deps: VerifyDeps,
  pm: Pm,
  volumes: readonly KnownVolume[],
  options: GatherOptions,
): Promise<PmSeen> {
  const host = deps.host(pm.uuid)
  const { signal } = options
  const storlinks = deps.view.storlinks().filter((storlink) => storlink.pm === pm.uuid || storlink.shared)
  const [details, files, drafts, looks] = await Promise.all([
    deps.hypervisor.details(host, [], signal),
    deps.hypervisor.configFiles(host, signal),
    draftsIn(host),
    Promise.all(storlinks.map((storlink) => lookAtPlace(deps.view, host, pm.uuid, storlink))),
  ])
  const places = looks.flatMap(({ place }) => place ?? [])
  const marks = looks.flatMap(({ mark }) => mark ?? [])
  const listed = places.flatMap(({ entries }) => entries)
  const [{ configs, unread }, claims] = await Promise.all([
    ownConfigs(deps, host, pm, files, signal),
    readClaims(host, maybeClaimed(deps.view.vmsOn(pm.uuid), listed), signal),
  ])
  const vms = deps.view.vmsOn(pm.uuid)
  // Xen's own UUID of a domain is another than its VM's where the file names none
  const byDomid = new Map(vms.flatMap((vm) => (hasDomain(vm.seen.state) ? [[vm.seen.domid, vm] as const] : [])))
  const vmOf = ({ domid, uuid }: { readonly domid: number; readonly uuid: string }) =>
    byDomid.get(domid) ?? deps.view.getVm(uuid)
  const built = details
    .filter((one) => (vmOf(one)?.origin ?? 'found') === 'found')
    .map(({ domid, uuid, spec }) => ({ domid, uuid, disks: spec.disks.filter(({ readOnly }) => !readOnly) }))
  const named = [
    ...volumes,
    ...vms.flatMap(({ disks }) => disks),
    ...built.flatMap(({ disks }) => disks),
    ...vms.flatMap(({ seen }) => seen.wrongVolumes ?? []),
    ...listed.filter(({ asleep }) => !asleep),
  ].map(({ path }) => path)
  const paths = [...named, ...configs.flatMap(({ spec }) => namedPaths(spec))].filter(isLookedFor(listed))
  const { identities, holders } = await readHeld(host, paths, signal)
  const headers = await readHeaders(host, { volumes, listed, ids: identities, places }, signal)
  const backings = [...headers.values()].flatMap((header) =>
    'backing' in header && header.backing ? header.backing : [],
  )
  const more = backings.filter((path) => isLookedFor(listed)(path) && !identities.has(path))
  const ids = new Map([...identities, ...(more.length === 0 ? [] : await identify(host, more, signal))])
  const bytes = await lengthsOf(host, volumes, listed, signal)
  const domains = details.map(({ domid, uuid, spec }) => ({ domid, uuid, name: spec.domainName }))
  const facts = { pm, ids, holders, bytes, headers, domains, built, configs, drafts, unread }
  const seen = { facts, places, marks, claims }
  if (!options.deep) return seen
  return { ...seen, facts: { ...facts, headers: await checkImages(host, facts, volumes, deps.view, signal) } }
}

/** What is listed as not active has no device to ask about; paths are asked one a line. */
function isLookedFor(listed: readonly Entry[]): (path: string) => boolean {
  const asleep = new Set(listed.flatMap((entry) => (entry.asleep ? entry.path : [])))
  return (path) => path.startsWith('/') && !path.includes('\n') && !asleep.has(path)
}

/** Of files that lie in storlinks the listing tells it; of raw images elsewhere their PM is asked. */
async function lengthsOf(
  host: Host,
  volumes: readonly KnownVolume[],
  listed: readonly Entry[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, number>> {
  const lengths = new Map(listed.flatMap(({ path, kind, bytes }) => (kind === 'file' ? [[path, bytes] as const] : [])))
  const others = volumes.filter(({ path, format }) => format === 'raw' && path.startsWith('/') && !lengths.has(path))
  const paths = [...new Set(others.map(({ path }) => path))]
  const outputs = await runMany(host, paths.map(fileIdentity), { timeoutMs: LOOK_MS }, signal)
  for (const [at, path] of paths.entries()) {
    const file = parseFileIdentity(outputs[at]!.stdout)
    if (file?.kind === 'file') lengths.set(path, file.bytes)
  }
  return lengths
}

/** Where pengx keeps the configurations that are its own. */
const OWN_CONFIGS = '/etc/xen/pengx'

async function draftsIn(host: Host): Promise<readonly string[]> {
  const [output] = await runMany(host, [listDirectory(OWN_CONFIGS)], { timeoutMs: LOOK_MS })
  const files = parseListed(output?.stdout ?? '').filter(({ kind }) => kind === 'file')
  return files.map(({ path }) => path).filter((path) => /\/\.[^/]+\.cfg\.new$/.test(path))
}

/** The configurations that were found, and those files of VMs that lie elsewhere. */
async function ownConfigs(
  { view }: VerifyDeps,
  host: Host,
  pm: Pm,
  files: readonly SeenConfig[],
  signal?: AbortSignal,
): Promise<{ configs: readonly SeenConfig[]; unread: ReadonlyMap<string, string> }> {
  const known = new Set(files.flatMap(({ path, links }) => [path, ...links]))
  const paths = [...new Set(view.vmsOn(pm.uuid).flatMap(({ configPath }) => configPath ?? []))]
  const others = paths.filter((path) => !known.has(path))
  const outputs = await runMany(host, others.map(readBytes), { timeoutMs: LOOK_MS }, signal)
  const configs = [...files]
  const unread = new Map<string, string>()
  for (const [at, path] of others.entries()) {
    const { exit, stdout, stderr } = outputs[at]!
    if (exit !== 0) {
      const why = /No such file/.test(stderr) ? GONE : stderr.trim().replace(/^base64: /, '')
      unread.set(path, why)
      continue
    }
    try {
      const { spec, uuid } = parseConfig(textOfBytes(parseBase64(stdout)), path)
      configs.push({ path, links: [], name: spec.domainName, spec, ...(uuid === undefined ? {} : { uuid }) })
    } catch (error) {
      unread.set(path, toPengxError(error).message)
    }
  }
  return { configs, unread }
}
