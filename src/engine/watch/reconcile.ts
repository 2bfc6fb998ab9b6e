import type { Stray } from '../../model/pm.ts'
import { hasDomain, type Vm, type VmSeen } from '../../model/vm.ts'
import type { WrongVolume } from '../../model/wrongVolume.ts'
import type { DomainSeen } from '../hypervisor/domain.ts'
import { isOfMark, type Mark, type Marks } from './marks.ts'

/**
 * What a look at one PM's domains means for the rows: what is written down is what was seen. Pure, so that each case
 * can be shown: a domain that vanished, changed its PM, crashed, lost its name, or runs in two places.
 */
export interface Look {
  readonly pm: string
  /** Domain-0 may be among them; it is no VM. */
  readonly domains: readonly DomainSeen[]
  readonly now: number
  /** What a closer look has to say of VMs; absent: nobody looked closer, and what was said holds. */
  readonly marks?: Marks
  /** Somebody asks about this moment: a domain that is missing counts as gone at once. */
  readonly authoritative?: boolean
}

export interface Known {
  vmsOn(pm: string): readonly Vm[]
  getVm(uuid: string): Vm | undefined
  /** A job of pengx is at work on it, so that what happens to it is no surprise. */
  isAtWork(uuid: string): boolean
  /** A job of pengx, at work or stuck, has it in hand: where it is is for that to find out. */
  isHeld(uuid: string): boolean
  /** Its PM was reached lately. */
  isUp(pm: string): boolean
  pmName(pm: string): string
}

export interface Reconciled {
  readonly seen: readonly { readonly uuid: string; readonly seen: VmSeen; readonly bootedAt?: number }[]
  /** Domains that no row stands for. */
  readonly appeared: readonly DomainSeen[]
  /** Rows whose domain is here now and no longer where it was. */
  readonly moved: readonly Vm[]
  /** Found rows whose domain is gone: nothing is known of them any more. */
  readonly gone: readonly string[]
  readonly strays: readonly Stray[]
}

/** A guest that reboots has no domain for about a second, so a domain counts as gone when it has been missing this long. */
const MISSING_MS = 1500

export function reconcile(
  { pm, domains, now, authoritative = false, marks }: Look,
  known: Known,
  missingSince: Map<string, number>,
): Reconciled {
  const seen: { uuid: string; seen: VmSeen; bootedAt?: number }[] = []
  const appeared: DomainSeen[] = []
  const moved: Vm[] = []
  const strays: Stray[] = []
  const present = new Set<string>()
  /** UUIDs that libxl has made up for the domains of VMs: what was found under them is those VMs. */
  const madeUp = new Set<string>()
  for (const domain of domains) {
    if (domain.domid === 0) continue
    const vm = known.getVm(domain.uuid)
    if (present.has(domain.uuid) || isNameless(domain) || isHalf(domain) || isElsewhere(vm, pm, known)) {
      strays.push(strayOf(domain))
      continue
    }
    present.add(domain.uuid)
    missingSince.delete(domain.uuid)
    if (domain.ownUuid !== undefined) madeUp.add(domain.ownUuid)
    if (!vm) {
      appeared.push(domain)
      continue
    }
    const mark = markOf(vm, domain.domid, marks)
    const drift = [...driftOf(vm, domain, pm, known), ...mark.drift]
    const next = seenOf(vm.seen, domain, { drift, wrongVolumes: mark.wrongVolumes, now })
    const { autostart: _there, fileSays: _said, ...movedSeen } = next
    if (vm.pm !== pm) moved.push({ ...vm, pm, seen: movedSeen })
    else seen.push({ uuid: vm.uuid, seen: next, ...(next.domid === vm.seen.domid ? {} : { bootedAt: now }) })
  }
  for (const uuid of missingSince.keys()) if (known.getVm(uuid)?.pm !== pm) missingSince.delete(uuid)
  const gone: string[] = []
  for (const vm of known.vmsOn(pm)) {
    if (present.has(vm.uuid)) continue
    if (madeUp.has(vm.uuid) && vm.origin === 'found' && !known.isHeld(vm.uuid)) {
      gone.push(vm.uuid)
      continue
    }
    const verdict = missing(vm, now, known.isAtWork(vm.uuid), missingSince, authoritative)
    if (verdict === 'gone') gone.push(vm.uuid)
    else {
      const next = withMark(verdict ?? vm.seen, verdict === undefined && hasDomain(vm.seen.state), vm, marks)
      if (next !== vm.seen) seen.push({ uuid: vm.uuid, seen: next })
    }
  }
  return { seen, appeared, moved, gone, strays }
}

/** `(null)`: Xen has lost its name, or not given it one yet. */
function isNameless(domain: DomainSeen): boolean {
  return domain.name === '(null)' || /^0{8}-/.test(domain.uuid)
}

/** xl builds it for a migration, or has left it behind: its guest has never gone on there. */
function isHalf(domain: DomainSeen): boolean {
  return domain.name.endsWith('--incoming')
}

/** The row's own PM is up and shows a domain for it: this one is a second. Or a job moves it, and says when it has. */
function isElsewhere(vm: Vm | undefined, pm: string, known: Known): boolean {
  if (vm === undefined || vm.pm === pm) return false
  return known.isHeld(vm.uuid) || (known.isUp(vm.pm) && hasDomain(vm.seen.state))
}

function strayOf({ domid, name, uuid, rawState }: DomainSeen): Stray {
  return { domid, name, uuid, state: rawState }
}

function driftOf(vm: Vm, domain: DomainSeen, pm: string, known: Known): string[] {
  const lines: string[] = []
  if (vm.pm !== pm) lines.push(`moved from ${known.pmName(vm.pm)} to ${known.pmName(pm)}, not by pengx`)
  else if (vm.seen.drift.length > 0) lines.push(...vm.seen.drift.filter((line) => line.startsWith('moved from')))
  if (domain.name !== vm.domainName && vm.origin !== 'found') lines.push(`runs under the domain name ${domain.name}`)
  return lines
}

/** What a mark says of a VM; where nobody looked closer, what was said of the same domain, and of its name. */
function markOf(vm: Vm, domid: number | undefined, marks: Marks | undefined): Mark {
  if (marks) return marks.get(vm.uuid) ?? NO_MARK
  const { wrongVolumes, drift } = vm.seen
  const isSame = vm.seen.domid === domid
  const kept = isSame ? wrongVolumes : wrongVolumes?.filter(({ kind }) => kind === 'shared')
  return {
    drift: isSame ? drift.filter(isOfMark) : [],
    ...(kept === undefined || kept.length === 0 ? {} : { wrongVolumes: kept }),
  }
}

const NO_MARK: Mark = { drift: [] }

/** Of a VM without a domain: others may be on its volumes, or have its name. While it may be rebooting all stays. */
function withMark(seen: VmSeen, mayReboot: boolean, vm: Vm, marks: Marks | undefined): VmSeen {
  if (mayReboot) return seen
  const mark = markOf(vm, undefined, marks)
  const drift = [...seen.drift.filter((line) => !isOfMark(line)), ...mark.drift]
  if (isSameDrift(drift, seen.drift) && seen.wrongVolumes === mark.wrongVolumes) return seen
  const { wrongVolumes: _before, ...rest } = seen
  return { ...rest, drift, ...(mark.wrongVolumes ? { wrongVolumes: mark.wrongVolumes } : {}) }
}

function isSameDrift(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((line, at) => line === other[at])
}

interface Differs {
  readonly drift: readonly string[]
  readonly wrongVolumes: readonly WrongVolume[] | undefined
  readonly now: number
}

function seenOf(before: VmSeen, domain: DomainSeen, { drift, wrongVolumes, now }: Differs): VmSeen {
  const same = before.state === domain.state && before.domid === domain.domid
  const isSized = before.memoryMib === domain.memoryMib && before.vcpuCount === domain.vcpuCount
  // Of thousands of guests hardly one changes from look to look: what stays the same object is not compared again.
  const isSaid = isSameDrift(drift, before.drift) && wrongVolumes === before.wrongVolumes
  if (same && isSized && isSaid) return before
  return {
    state: domain.state,
    since: same ? before.since : now,
    domid: domain.domid,
    ...(before.domid === domain.domid && before.vncPort !== undefined ? { vncPort: before.vncPort } : {}),
    memoryMib: domain.memoryMib,
    vcpuCount: domain.vcpuCount,
    drift,
    ...(wrongVolumes ? { wrongVolumes } : {}),
    ...keptOf(before),
  }
}

/** What is looked at apart from the domains. */
function keptOf({ autostart, fileSays }: VmSeen): Pick<VmSeen, 'autostart' | 'fileSays'> {
  return { ...(autostart === undefined ? {} : { autostart }), ...(fileSays === undefined ? {} : { fileSays }) }
}

/** What a row without a domain is: shut down, gone, or (undefined) as it was, since it may only be rebooting. */
function missing(
  vm: Vm,
  now: number,
  atWork: boolean,
  missingSince: Map<string, number>,
  authoritative: boolean,
): VmSeen | 'gone' | undefined {
  if (vm.seen.state === 'shutdown') return undefined
  const since = missingSince.get(vm.uuid) ?? now
  missingSince.set(vm.uuid, since)
  const surprise = hasDomain(vm.seen.state) && !atWork
  if (surprise && !authoritative && now - since < MISSING_MS) return undefined
  if (vm.origin === 'found') return atWork ? shutDown(vm, now, []) : 'gone'
  // A guest that shuts itself down is seen dying first, and who clears what is broken means to; what was running a moment
  // ago and is not there is worth a word.
  const isMeant = vm.seen.state === 'dying' || vm.seen.state === 'broken'
  const drift = surprise && !isMeant ? [`its domain went away while it was ${vm.seen.state}, not by pengx`] : []
  return shutDown(vm, now, drift)
}

function shutDown(vm: Vm, now: number, drift: readonly string[]): VmSeen {
  const since = vm.seen.state === 'unknown' ? vm.seen.since : now
  return { state: 'shutdown', since, drift, ...keptOf(vm.seen) }
}
