import { getOrMake } from '../../lib/getOrMake.ts'
import type { StoredVolume } from '../../model/finding.ts'
import { claimedBy } from './claims.ts'
import {
  type Entry,
  globalKeys,
  keysOf,
  type MadeBy,
  namedPaths,
  type PlaceFacts,
  placeKey,
  type SiteFacts,
} from './facts.ts'
import { readName } from './names.ts'

/**
 * Why everything that lies in the storlinks stays, or may go. What may go is what a job of this store has set out to make and
 * has not come to: all else stays, whoever may need it. Pure, so that each class can be shown.
 */
export function classify(facts: SiteFacts): StoredVolume[] {
  const uses = usesOf(facts)
  const made = makersOf(facts.journal)
  const inHand = new Map(facts.journal.flatMap(({ job, inHand }) => inHand.map((path) => [path, job] as const)))
  return facts.places.flatMap((place) =>
    place.entries.map((entry): StoredVolume => {
      const { path, kind, bytes } = entry
      const verdict = judge({ facts, uses, made, inHand, place }, entry)
      return { storlink: place.storlink.id, path, kind, bytes, removable: verdict.of === 'leftover', ...verdict }
    }),
  )
}

interface Known {
  readonly facts: SiteFacts
  /** By path and by what it is: why it is needed. */
  readonly uses: Uses
  readonly made: ReadonlyMap<string, MadeBy>
  readonly inHand: ReadonlyMap<string, MadeBy['job']>
  readonly place: PlaceFacts
}

type Verdict = Pick<StoredVolume, 'of' | 'reason'>

function judge({ facts, uses, made, inHand, place }: Known, entry: Entry): Verdict {
  const { path, kind, claimed } = entry
  const { pm } = place
  const keys = [placeKey(facts, pm, path), ...globalKeys(facts, pm, path)]
  const needed = keys.map((key) => uses.get(key)).find(Boolean)
  if (needed) return needed
  const name = readName(path)
  const orphaned = entry.orphan === 'stale' ? claimedBy(entry) : undefined
  if (orphaned !== undefined && !uses.has(placeKey(facts, pm, orphaned)) && !inHand.has(orphaned))
    return { of: 'leftover', reason: 'a claim on a volume that is gone, of a domain that is gone' }
  if (name.isMark) return { of: 'known', reason: 'pengx’s own mark of who uses the storage' }
  if (!name.ours) return { of: 'foreign', reason: 'not pengx’s: it has no name as pengx gives them' }
  if (claimed) return { of: 'used', reason: 'it carries a claim: somebody has said that he uses it' }
  const maker = made.get(name.base)
  if (maker === undefined)
    return { of: 'unknown', reason: 'no job of this store has made it: it may be another pengx’s' }
  const worker = inHand.get(path) ?? inHand.get(name.base)
  if (worker)
    return { of: 'busy', reason: `job ${worker.number} (${worker.operation}) is ${worker.state} and has it in hand` }
  const title = `job ${maker.job.number} (${maker.job.operation})`
  const base = uses.get(placeKey(facts, pm, name.base))
  if (name.stage === 'aside' && base?.of === 'known')
    return { of: 'known', reason: `set aside, and written down: ${base.reason}; it belongs back under its name` }
  const unread = name.stage === 'draft' ? undefined : unreadOf(facts, place).find((one) => one !== path)
  if (unread !== undefined) return { of: 'used', reason: `${unread} cannot be read, and may lie on it` }
  const silent = whoMayUse(facts, place)
  if (silent !== undefined) return { of: 'used', reason: `${silent}, and may have it in use` }
  if (kind === 'link' || kind === 'other') return { of: 'foreign', reason: `a ${kind} is nothing that pengx makes` }
  if (name.stage === 'draft') return { of: 'leftover', reason: `${title} has left it unfinished` }
  const { state } = maker.job
  if (name.stage === 'aside') return { of: 'leftover', reason: `made by ${title}, set aside, and nobody’s any more` }
  if (state === 'undone' || state === 'cancelled')
    return { of: 'leftover', reason: `${title} has made it and was taken back` }
  const why = state === 'kept' ? 'was kept as it is by a person' : 'has made it, and it was given out of care since'
  return { of: 'used', reason: `${title} ${why}` }
}

type Uses = ReadonlyMap<string, Verdict>

/** Everything that is written down, lies under an image, is written to, or is named by a configuration. */
function usesOf(facts: SiteFacts): Uses {
  const { view } = facts
  const uses = new Map<string, Verdict>()
  const put = (key: string, of: Verdict['of'], reason: string) => {
    if (!uses.has(key)) uses.set(key, { of, reason })
  }
  const add = (pm: string, path: string, of: Verdict['of'], reason: string) => {
    if (!path.startsWith('/')) return
    for (const key of [placeKey(facts, pm, path), ...globalKeys(facts, pm, path)]) put(key, of, reason)
  }
  for (const { pm, path, title } of facts.volumes) add(pm, path, 'known', title)
  for (const vm of view.vms()) {
    for (const path of namedPaths(vm)) add(vm.pm, path, 'known', `named by VM ${vm.name}`)
    for (const { path } of vm.seen.wrongVolumes ?? []) add(vm.pm, path, 'used', `the domain of VM ${vm.name} has it`)
  }
  for (const { pm, built, holders, configs, headers } of facts.pms.values()) {
    for (const { domid, disks } of built)
      for (const { path } of disks) add(pm.uuid, path, 'used', `domain ${domid} has it`)
    for (const { domid, path, identity } of holders) {
      const keys = identity ? keysOf(view, pm.uuid, path, identity) : []
      for (const key of [placeKey(facts, pm.uuid, path), ...keys]) put(key, 'used', `domain ${domid} has it open`)
    }
    for (const { path: file, spec } of configs)
      for (const path of namedPaths(spec)) add(pm.uuid, path, 'used', `configuration ${file} names it`)
    for (const [path, header] of headers)
      if ('backing' in header && header.backing) add(pm.uuid, header.backing, 'used', `${path} lies on it`)
  }
  return uses
}

/** The last job that has set out to make a volume. */
function makersOf(journal: readonly MadeBy[]): Map<string, MadeBy> {
  return new Map(journal.flatMap((one) => one.paths.map((path) => [path, one] as const)))
}

const unreadIn = new WeakMap<PlaceFacts, readonly string[]>()

/** Images of a place of which nobody can tell what they lie on: logical volumes that are not active, headers that are not read. */
function unreadOf({ pms, volumes }: SiteFacts, place: PlaceFacts): readonly string[] {
  return getOrMake(unreadIn, place, () => {
    const pm = pms.get(place.pm)
    const raw = new Set(volumes.filter(({ format }) => format === 'raw').map(({ path }) => path))
    return place.entries.flatMap(({ path, kind }) => {
      if (raw.has(path)) return []
      if (kind === 'volume' && pm?.ids.has(path) !== true) return [path]
      const header = pm?.headers.get(path)
      const isUnread = header && 'problem' in header && !/not in qcow2 format/i.test(header.problem)
      return isUnread ? [path] : []
    })
  })
}

/** Somebody who sees the storage and cannot be asked what he has in use. */
function whoMayUse({ view, away }: SiteFacts, { storlink, pm }: PlaceFacts): string | undefined {
  const silent = away.find((one) => storlink.shared || one.pm.uuid === pm)
  if (silent) return `PM ${silent.pm.name} does not answer`
  const vm = view.vms().find((one) => one.seen.state === 'unknown' && (storlink.shared || one.pm === pm))
  return vm && `nobody can say what VM ${vm.name} does`
}
