import type { Clock } from '../../lib/clock.ts'
import type { Pm } from '../../model/pm.ts'
import { claimablePaths, claimedPaths, claimOf, judgeClaim } from '../../model/storage/claim.ts'
import type { Vm } from '../../model/vm.ts'
import type { Host } from '../host/host.ts'
import type { DomainSeen } from '../hypervisor/domain.ts'
import type { View } from '../store/view.ts'
import {
  type ClaimRequest,
  controllerHere,
  dropClaims,
  type HeldClaim,
  isWrittenBy,
  putClaims,
  readClaims,
} from '../volumes/claims/claim.ts'
import type { GroupPlaces } from '../volumes/groupPlace.ts'

/**
 * Claims of VMs that nobody's job is at work on follow what is seen: a guest that has shut itself down loses its claims, one
 * that was started by other means gets them, one that has rebooted gets its new domid into them.
 */
export interface ClaimKeeper {
  /** Whether something is new of those domains; asks nobody. */
  isDue(pm: Pm, domains: readonly DomainSeen[]): boolean
  /** Reads, and writes where that is needed: three round trips at most for some dozens of VMs. Fails as the host does. */
  keep(host: Host, pm: Pm, domains: readonly DomainSeen[]): Promise<void>
}

/** For what a VM's claims were found to be in order. */
interface Kept {
  readonly domid: number | undefined
  readonly bootId: string | undefined
  readonly disks: Vm['disks']
  readonly layers: Vm['layers']
}

interface Due {
  readonly vm: Vm
  readonly domain: DomainSeen | undefined
}

/** For one PM; claims on volumes of a group are written where that is changed (`groups`). */
export function createClaimKeeper(view: View, clock: Clock, groups: GroupPlaces): ClaimKeeper {
  const kept = new Map<string, Kept>()

  function stateOf({ vm, domain }: Due): Kept {
    return {
      domid: domain?.domid,
      bootId: domain && view.getPm(vm.pm)?.seen.bootId,
      disks: vm.disks,
      layers: vm.layers,
    }
  }

  function isKept(due: Due): boolean {
    const [before, now] = [kept.get(due.vm.uuid), stateOf(due)]
    if (before === undefined || before.domid !== now.domid || before.bootId !== now.bootId) return false
    return before.disks === now.disks && before.layers === now.layers
  }

  function dueOf(pm: Pm, domains: readonly DomainSeen[]): Due[] {
    const byUuid = new Map(domains.map((domain) => [domain.uuid, domain]))
    return view.vmsOn(pm.uuid).flatMap((vm) => {
      const due = { vm, domain: byUuid.get(vm.uuid) }
      return isSettled(due) && !isKept(due) ? [due] : []
    })
  }

  /** Nobody is at work on it, and it is written down as it is seen: what is only rebooting has no domain either. */
  function isSettled({ vm, domain }: Due): boolean {
    const { origin, seen } = vm
    if (origin === 'found' || view.jobOn('vm', vm.uuid) !== undefined) return false
    if (domain === undefined) return seen.state === 'shutdown'
    return seen.domid === domain.domid && (seen.state === 'running' || seen.state === 'paused')
  }

  /** Time has passed since it was chosen. */
  function isStillSo({ vm, domain }: Due): boolean {
    const now = view.getVm(vm.uuid)
    return now?.pm === vm.pm && now.disks === vm.disks && isSettled({ vm: now, domain })
  }

  /** Without a domain all of its own go, unless somebody else is about to build it; with one those on what is no volume of it any more. */
  function toDrop({ vm, domain }: Due, pm: Pm, held: readonly HeldClaim[]): readonly HeldClaim[] {
    const own = held.filter(({ claim }) => claim?.vm === vm.uuid && claim.pm === pm.uuid)
    if (domain) return own.filter(({ path }) => !claimedPaths(vm).includes(path))
    const bootId = view.getPm(pm.uuid)?.seen.bootId
    const look = { domains: [], ...(bootId === undefined ? {} : { bootId }) }
    const here = controllerHere(view.setting('storeId'))
    return own.filter(({ claim }) => judgeClaim(claim!, look, clock.now(), isWrittenBy(claim!, here)) === 'stale')
  }

  /** What another VM claims is not touched; a claim of this one that names another PM is wrong, since it runs here. */
  function toPut(due: Due, pm: Pm, held: ReadonlyMap<string, HeldClaim>): ClaimRequest[] {
    if (!due.domain) return []
    const by = { ...controllerHere(view.setting('storeId')), at: clock.now() }
    const fresh = claimOf(due.vm, view.getPm(pm.uuid) ?? pm, by, due.domain.domid)
    return claimedPaths(due.vm).flatMap((path): ClaimRequest[] => {
      const there = held.get(path)
      if (!there) return [{ path, claim: fresh }]
      const { claim } = there
      if (claim?.vm !== fresh.vm) return []
      const isRight = claim.pm === fresh.pm && claim.domid === fresh.domid && claim.bootId === fresh.bootId
      return isRight ? [] : [{ path, claim: { ...fresh, at: claim.at }, instead: there.text }]
    })
  }

  return {
    isDue: (pm, domains) => !pm.readOnly && dueOf(pm, domains).length > 0,
    async keep(host, pm, domains) {
      const asked = dueOf(pm, domains)
      const paths = asked.flatMap(({ vm }) => claimablePaths(vm))
      const held = new Map((await readClaims(host, paths)).map((one) => [one.path, one]))
      const due = asked.filter(isStillSo)
      const heldOf = ({ vm }: Due) => claimablePaths(vm).flatMap((path) => held.get(path) ?? [])
      const drops = due.flatMap((one) => toDrop(one, pm, heldOf(one)))
      await dropClaims(host, drops, { groups })
      const puts = due.filter(isStillSo).flatMap((one) => toPut(one, pm, held))
      await putClaims(host, puts, { groups })
      for (const one of due) kept.set(one.vm.uuid, stateOf(one))
    },
  }
}
