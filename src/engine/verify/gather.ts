import { textOfBytes } from '../../lib/bytes.ts'
import { toPengxError } from '../../model/error.ts'
import type { Pm } from '../../model/pm.ts'
import { isProvisional } from '../../model/provisional.ts'
import type { Storlink } from '../../model/storlink.ts'
import type { Host } from '../host/host.ts'
import { runMany } from '../host/run.ts'
import type { Hypervisor } from '../hypervisor/hypervisor.ts'
import type { JobRows } from '../store/jobs/jobRows.ts'
import { listDirectory, parseListed } from '../tools/fileLists.ts'
import { parseBase64, readBytes } from '../tools/files.ts'
import { parseVolumes, showVolumes } from '../tools/lvm.ts'
import { parseConfig } from '../tools/xl/config.ts'
import { runRescanning } from '../volumes/rescan.ts'
import { groupOf } from '../volumes/volumeGroup.ts'
import {
  GONE,
  type KnownVolume,
  namedPaths,
  type PlaceFacts,
  type PmFacts,
  type SeenConfig,
  type SiteFacts,
} from './facts.ts'
import { checkImages, readHeaders } from './headers.ts'
import { type Identity, identify } from './identity.ts'
import { knownVolumes } from './known.ts'
import { MAKERS, madeBy } from './made.ts'

export interface VerifyDeps {
  readonly view: SiteFacts['view']
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
export async function gatherSite(deps: VerifyDeps, options: GatherOptions = {}): Promise<SiteFacts> {
  const { view } = deps
  const volumes = knownVolumes(view)
  const journal = madeBy(await deps.jobs.factsOf(MAKERS))
  const away: { pm: Pm; why: string }[] = []
  const pms = new Map<string, PmFacts>()
  const places: PlaceFacts[] = []
  await Promise.all(
    view.pms().map(async (pm) => {
      const why = isProvisional(pm) || pm.seen.reach !== 'up' ? (pm.seen.problem ?? 'it does not answer') : undefined
      if (why !== undefined) return void away.push({ pm, why })
      const mine = view.storlinks().filter((storlink) => lookedAtFrom(storlink, view) === pm.uuid)
      try {
        const seen = await gatherPm(
          deps,
          pm,
          mine,
          volumes.filter((one) => one.pm === pm.uuid),
          options,
        )
        pms.set(pm.uuid, seen.facts)
        places.push(...seen.places)
      } catch (error) {
        if (options.signal?.aborted) throw error
        away.push({ pm, why: toPengxError(error).message })
      }
    }),
  )
  return {
    view,
    pms,
    away,
    places: places.sort((a, b) => a.storlink.id - b.storlink.id),
    volumes,
    journal,
    marks: [],
    claims: [],
  }
}

/** Pure. The PM from which a storlink is looked at: its own, or for a shared one another that is up. */
function lookedAtFrom({ pm, shared }: Storlink, view: SiteFacts['view']): string | undefined {
  if (!shared || view.getPm(pm)?.seen.reach === 'up') return pm
  return view.pms().find(({ seen }) => seen.reach === 'up')?.uuid
}

async function gatherPm(
  deps: VerifyDeps,
  pm: Pm,
  storlinks: readonly Storlink[],
  volumes: readonly KnownVolume[],
  options: GatherOptions,
): Promise<{ facts: PmFacts; places: readonly PlaceFacts[] }> {
  const host = deps.host(pm.uuid)
  const { signal } = options
  const [details, files, drafts, places] = await Promise.all([
    deps.hypervisor.details(host, [], signal),
    deps.hypervisor.configFiles(host, signal),
    draftsIn(host),
    Promise.all(storlinks.map((storlink) => listPlace(host, pm.uuid, storlink))),
  ])
  const { configs, unread } = await ownConfigs(deps, host, pm, files, signal)
  const isCared = (uuid: string) => (deps.view.getVm(uuid)?.origin ?? 'found') !== 'found'
  const built = details
    .filter(({ uuid }) => !isCared(uuid))
    .map(({ domid, uuid, spec }) => ({ domid, uuid, disks: spec.disks.filter(({ readOnly }) => !readOnly) }))
  const wrong = deps.view.vmsOn(pm.uuid).flatMap(({ seen }) => seen.wrongVolumes ?? [])
  const named = [
    ...volumes,
    ...deps.view.vmsOn(pm.uuid).flatMap(({ disks }) => disks),
    ...built.flatMap(({ disks }) => disks),
    ...wrong,
  ].map(({ path }) => path)
  const listed = places.flatMap(({ entries }) => entries)
  // what find(1) has told is not asked again: by far the most
  const ids = new Map<string, Identity>(
    listed.flatMap(({ path, kind, key, bytes }) =>
      kind === 'file' && key ? [[path, { key, kind, bytes }] as const] : [],
    ),
  )
  const paths = [...named, ...configs.flatMap(({ spec }) => namedPaths(spec)), ...listed.map(({ path }) => path)]
  await look(paths)
  const headers = await readHeaders(host, { volumes, listed, ids, places }, signal)
  const backings = [...headers.values()].flatMap((header) =>
    'backing' in header && header.backing ? header.backing : [],
  )
  await look(backings)
  const facts = { pm, ids, headers, built, configs, drafts, unread }
  if (!options.deep) return { facts, places }
  return { facts: { ...facts, headers: await checkImages(host, facts, volumes, deps.view, signal) }, places }

  async function look(some: readonly string[]): Promise<void> {
    const unseen = some.filter((path) => path.startsWith('/') && !ids.has(path))
    for (const [path, id] of await identify(host, unseen)) ids.set(path, id)
  }
}

/** Where pengx keeps the configurations that are its own. */
const OWN_CONFIGS = '/etc/xen/pengx'

async function draftsIn(host: Host): Promise<readonly string[]> {
  const [output] = await runMany(host, [listDirectory(OWN_CONFIGS)], { timeoutMs: LOOK_MS })
  const files = parseListed(output?.stdout ?? '').filter(({ kind }) => kind === 'file')
  return files.map(({ path }) => path).filter((path) => /\/\.[^/]+\.cfg\.new$/.test(path))
}

async function listPlace(host: Host, pm: string, storlink: Storlink): Promise<PlaceFacts> {
  const where = { storlink, pm }
  if (storlink.level === 'FL') {
    const [output] = await runMany(host, [listDirectory(storlink.link)], { timeoutMs: LOOK_MS })
    const listed = parseListed(output?.stdout ?? '')
    const claims = new Set(
      listed.flatMap(({ path }) => (path.endsWith('.claim') ? path.slice(0, -'.claim'.length) : [])),
    )
    const entries = listed.map((entry) => (claims.has(entry.path) ? { ...entry, claimed: true as const } : entry))
    if (output?.exit === 0) return { ...where, entries }
    return { ...where, entries, problem: output?.stderr.trim().split('\n')[0] ?? 'it could not be listed' }
  }
  if (storlink.level !== 'BL') return { ...where, entries: [], problem: `level ${storlink.level} is not looked at` }
  const group = groupOf(storlink.link)
  const [output] = await runRescanning(host, [showVolumes(group, '')], { timeoutMs: LOOK_MS })
  if (output?.exit !== 0)
    return {
      ...where,
      entries: [],
      problem: output?.stderr.trim().split('\n')[0] || `there is no volume group ${group}`,
    }
  const volumes = parseVolumes(output.stdout).filter(({ kind }) => kind === 'thick' || kind === 'thin')
  const entries = volumes.map(({ name, sizeBytes: bytes, tags }) => ({
    path: `/dev/${group}/${name}`,
    kind: 'volume' as const,
    bytes,
    ...(tags.some((tag) => tag.startsWith('pengx.claim')) ? { claimed: true as const } : {}),
  }))
  return { ...where, entries }
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
