import { formatDate } from '../../lib/age.ts'
import {
  type Claim,
  type ClaimState,
  claimablePaths,
  claimedPaths,
  domainOf,
  judgeClaim,
} from '../../model/storage/claim.ts'
import { hasDomain, type Vm } from '../../model/vm.ts'
import type { View } from '../store/view.ts'
import { claimPathOf } from '../tools/claims.ts'
import { controllerHere, type HeldClaim, isWrittenBy } from '../volumes/claims/claim.ts'
import type { ClaimFacts, Entry, PlaceFacts, SiteFacts } from './facts.ts'

/** Claims as they stand on the storage, of volumes of VMs and of all that lies in storlinks, and what they are worth. */

/** What claims are judged by: what was seen of all PMs, and when. */
export interface ClaimJudge {
  readonly view: SiteFacts['view'] & Pick<View, 'setting'>
  readonly pms: SiteFacts['pms']
  readonly places: readonly PlaceFacts[]
  readonly now: number
}

const CLAIM = claimPathOf('')

/** Pure. The volume whose claim an entry of a storlink is, be that volume there or not. */
export function claimedBy({ path, kind }: Entry): string | undefined {
  return kind === 'link' && path.endsWith(CLAIM) ? path.slice(0, -CLAIM.length) : undefined
}

/** Pure. The volumes on a PM whose claims have to be read: of what was listed it is known whether it has one. */
export function maybeClaimed(vms: readonly Vm[], listed: readonly Entry[]): string[] {
  const there = new Set(listed.map(({ path }) => path))
  const own = vms.filter(({ origin }) => origin !== 'found').flatMap(claimablePaths)
  const claimed = listed.flatMap((entry) => (entry.claimed ? entry.path : (claimedBy(entry) ?? [])))
  return [...new Set([...own.filter((path) => !there.has(path)), ...claimed])]
}

/** Pure. What a claim is worth, as the PM that it names was seen. */
function worthOf({ view, pms, now }: ClaimJudge, { claim }: HeldClaim): ClaimState {
  if (!claim) return 'unknown'
  const bootId = view.getPm(claim.pm)?.seen.bootId
  const domains = domainsOn(view, pms, claim.pm)
  const look = { ...(domains ? { domains } : {}), ...(bootId === undefined ? {} : { bootId }) }
  const isMine = isWrittenBy(claim, controllerHere(view.setting('storeId')))
  return judgeClaim(claim, look, now, isMine && view.jobOn('vm', claim.vm) === undefined)
}

/** By the UUIDs that Xen has for them, and by those of the VMs that they are. */
function domainsOn(view: SiteFacts['view'], pms: SiteFacts['pms'], pm: string) {
  const seen = pms.get(pm)
  if (!seen) return undefined
  const vms = view.vmsOn(pm).filter((vm) => hasDomain(vm.seen.state))
  return [...seen.domains, ...vms.map(({ uuid, seen: { domid } }) => ({ uuid, domid: domid ?? 0 }))]
}

/** Pure. The claims of all VMs that are cared for and whose PMs answer, `held` by the PMs on which they were read. */
export function claimFacts(judge: ClaimJudge, held: ReadonlyMap<string, readonly HeldClaim[]>): ClaimFacts[] {
  const { view, pms, places } = judge
  const listed = new Set(places.flatMap(({ entries }) => entries.map(({ path }) => path)))
  // a device that is no logical volume can have none; of an image of RBD that is only known where one is to be put
  const takesClaims = (path: string) => (path.startsWith('/') && !path.startsWith('/dev/')) || listed.has(path)
  return view.vms().flatMap((vm) => {
    if (vm.origin === 'found' || !pms.has(vm.pm)) return []
    const on = new Map(held.get(vm.pm)?.map((one) => [one.path, one]))
    const due = new Set(vm.seen.state === 'running' || vm.seen.state === 'paused' ? claimedPaths(vm) : [])
    return claimablePaths(vm).flatMap((path): ClaimFacts[] => {
      const there = on.get(path)
      const where = { vm: vm.uuid, pm: vm.pm, path }
      if (there) return [{ ...where, ...stateOf(judge, vm, there) }]
      return due.has(path) && takesClaims(path) ? [{ ...where, state: 'missing' }] : []
    })
  })
}

function stateOf(judge: ClaimJudge, vm: Vm, held: HeldClaim): Pick<ClaimFacts, 'state' | 'whose'> {
  const worth = worthOf(judge, held)
  const isOwn = held.claim?.vm === vm.uuid && held.claim.pm === vm.pm
  if (worth !== 'stale' && isOwn) return { state: 'its own' }
  return { state: worth === 'stale' ? 'stale' : 'foreign', whose: whoseOf(judge, held) }
}

function whoseOf({ view, pms }: ClaimJudge, { claim, text }: HeldClaim): string {
  if (!claim) return `somebody whom nobody understands (${text.slice(0, 200)})`
  const vm = claim.vmName ?? view.getVm(claim.vm)?.name ?? claim.vm
  const pm = view.getPm(claim.pm)?.name ?? claim.pmName ?? claim.pm
  return `VM ${vm} on ${pm} (of ${formatDate(claim.at)}, by pengx on ${claim.controller})${presentOf(view, pms, claim)}`
}

function presentOf(view: SiteFacts['view'], pms: SiteFacts['pms'], claim: Claim): string {
  const domains = domainsOn(view, pms, claim.pm)
  if (!domains) return ', which cannot be asked'
  const domain = domainOf(claim, { domains })
  return domain ? `, which runs there as domain ${domain.domid}` : ', which has no domain there'
}

/** Pure. The places, told of each claim in them whose volume is not there what it is worth. */
export function withOrphans(judge: ClaimJudge, held: ReadonlyMap<string, readonly HeldClaim[]>): PlaceFacts[] {
  return judge.places.map((place) => {
    const on = new Map(held.get(place.pm)?.map((one) => [one.path, one]))
    const there = new Set(place.entries.map(({ path }) => path))
    const entries = place.entries.map((entry): Entry => {
      const volume = claimedBy(entry)
      const claim = volume === undefined || there.has(volume) ? undefined : on.get(volume)
      return claim ? { ...entry, orphan: worthOf(judge, claim) } : entry
    })
    return { ...place, entries }
  })
}
