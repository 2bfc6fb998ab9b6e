import { formatDate } from '../../../lib/age.ts'
import { PengxError, toPengxError } from '../../../model/error.ts'
import { volumesOf } from '../../../model/layer.ts'
import { isProvisional } from '../../../model/provisional.ts'
import {
  type Claim,
  type ClaimState,
  claimablePaths,
  claimedPaths,
  claimOf,
  domainOf,
  judgeClaim,
} from '../../../model/storage/claim.ts'
import type { Vm } from '../../../model/vm.ts'
import { run } from '../../host/run.ts'
import type { Context } from '../../jobs/operation.ts'
import { bootIdFile } from '../../tools/system.ts'
import type { ClaimWrite } from '../../volumes/claims/change.ts'
import {
  type ClaimRequest,
  claimText,
  controllerHere,
  dropClaims,
  type HeldClaim,
  isWrittenBy,
  type PutClaim,
  putClaims,
  readClaims,
} from '../../volumes/claims/claim.ts'

/**
 * Claims on the storage (volumes/claims/claim.ts), as operations put, ask and take them away. A claim of the same VM on the same
 * PM is in nobody's way: Xen itself keeps one UUID from running twice on one host. Any other is judged by asking the PM
 * that it names, and where nobody can tell that is refused.
 */

type VmRef = Pick<Vm, 'uuid' | 'pm' | 'name'>

/** How a step writes claims from a PM (a UUID): under its tag, and those on volumes of a group where that is changed. */
export function writingClaims(cx: Context, pm: string): ClaimWrite {
  return { tag: cx.tag, groups: (_host, group) => cx.groupAt(pm, group) }
}

function newClaim(cx: Context, vm: Pick<Vm, 'uuid' | 'name'>, pm: string, domid?: number): Claim {
  const by = { ...controllerHere(cx.view.setting('storeId')), at: cx.clock.now() }
  return claimOf(vm, cx.view.needPm(pm), by, domid)
}

/** A claim, what it is worth, and both as a clause behind `disk xvda (PATH) `. */
export interface JudgedClaim {
  readonly held: HeldClaim
  readonly state: ClaimState
  readonly text: string
}

/** Asks the PM that a claim names what it is worth. Looks only, and fails never: what cannot be asked is `unknown`. */
async function judgeHeld(cx: Context, held: HeldClaim): Promise<JudgedClaim> {
  const { claim } = held
  if (!claim) return { held, state: 'unknown', text: `has a claim that cannot be read: ${held.text.slice(0, 200)}` }
  const pm = cx.view.getPm(claim.pm)
  const pmName = pm?.name ?? claim.pmName ?? claim.pm
  const vmName = `VM ${claim.vmName ?? cx.view.getVm(claim.vm)?.name ?? claim.vm}`
  const since = `claimed ${formatDate(claim.at)} by pengx on ${claim.controller}`
  const job = cx.view.jobOn('vm', claim.vm)
  const isOurs = isWrittenBy(claim, controllerHere(cx.view.setting('storeId')))
  const isMine = isOurs && (job === undefined || job.id === cx.jobId)
  const isKnown = pm !== undefined && !isProvisional(pm)
  const domains = isKnown ? await cx.look(pm.uuid).catch((error: unknown) => toPengxError(error)) : undefined
  if (domains === undefined || domains instanceof PengxError) {
    const why = domains ? `cannot be asked (${domains.message})` : 'is not known here'
    return { held, state: 'unknown', text: `is in use by ${vmName} on ${pmName} (${since}), and ${pmName} ${why}` }
  }
  const isAsked = claim.domid === undefined && !isMine && !domainOf(claim, { domains })
  const boot = isAsked ? await run(cx.host(pm!.uuid), bootIdFile).catch(() => undefined) : undefined
  const look = { domains, ...(boot ? { bootId: boot.stdout.trim() } : {}) }
  const state = judgeClaim(claim, look, cx.clock.now(), isMine)
  const domain = domainOf(claim, look)
  if (domain) return { held, state, text: `is in use by ${vmName}: domain ${domain.domid} on ${pmName} (${since})` }
  if (state === 'building') return { held, state, text: `is about to be used by ${vmName} on ${pmName} (${since})` }
  return { held, state, text: `was in use by ${vmName} on ${pmName} (${since}), which has no such domain any more` }
}

export interface ClaimOptions {
  /** Whoever begins it can insist where nobody can tell; absent: there is no such way here. */
  readonly force?: boolean | undefined
  /** Of what nobody can tell, as in `SoleUse`. */
  readonly silence?: 'ignored' | 'told' | undefined
}

function isInNobodysWay({ claim }: HeldClaim, vm: VmRef): boolean {
  return claim?.vm === vm.uuid && claim.pm === vm.pm
}

/** What claims are worth; each that says the same is asked for once. Looks only, and never fails. */
export async function judgeClaims(cx: Context, held: readonly HeldClaim[]): Promise<readonly JudgedClaim[]> {
  const judged: JudgedClaim[] = []
  for (const [, alike] of Map.groupBy(held, ({ text }) => text)) {
    const verdict = await judgeHeld(cx, alike[0]!)
    judged.push(...alike.map((one) => ({ ...verdict, held: one })))
  }
  return judged
}

/**
 * Throws `refused` for the first that must stay: behind it stands a domain, or nobody can tell, which `force` goes past, and
 * who does nothing yet.
 */
export function refuseClaims(
  cx: Context,
  vm: VmRef,
  judged: readonly JudgedClaim[],
  { force, silence }: ClaimOptions,
): void {
  const counts = judged.filter(({ state }) => state !== 'stale' && (state === 'live' || !force))
  // A PM that is silent may have nothing to say; a claim says something, and is only ignored where nothing is done yet.
  const first = counts.find(({ state }) => state === 'live' || silence !== 'ignored')
  if (first)
    throw new PengxError('refused', `${nameOf(cx, vm, first.held.path)} ${first.text}${wayPast(cx, first, force)}`)
}

/**
 * Throws `refused` where, by the claims that stand on volumes, one of them is in use by another VM, or by the VM itself on
 * another PM, as the PMs say that they name; also where nobody can tell, and that is not overruled. Gives the claims of
 * others, which are worth nothing then. Looks only.
 */
export async function needUnclaimed(
  cx: Context,
  vm: VmRef,
  held: readonly HeldClaim[],
  options: ClaimOptions,
): Promise<readonly JudgedClaim[]> {
  const judged = await judgeClaims(
    cx,
    held.filter((one) => !isInNobodysWay(one, vm)),
  )
  refuseClaims(cx, vm, judged, options)
  return judged
}

function nameOf(cx: Context, vm: VmRef, path: string): string {
  const row = cx.view.getVm(vm.uuid)
  const vdev = row && volumesOf(row).find((volume) => volume.path === path)?.vdev
  return vdev === undefined ? path : `disk ${vdev} (${path})`
}

function wayPast(cx: Context, { state, held: { claim } }: JudgedClaim, force: boolean | undefined): string {
  if (state === 'live') return ''
  const pm = claim && (cx.view.getPm(claim.pm)?.name ?? claim.pmName ?? claim.pm)
  const sure = pm
    ? `make sure that ${pm} is powered off or has no such domain, since two guests writing one disk ruin it`
    : 'make sure that no guest anywhere writes to it, since two that do ruin it'
  return `: ${sure}; then ${force === undefined ? 'vm.release with --force takes the claim away' : '--force goes past it'}`
}

/**
 * Puts a claim on each disk that the VM writes to (or on `paths` of them), in the place of those that are stale. Throws
 * `conflict` for what `needUnclaimed` refuses, and where somebody else has just claimed one; what it has put is taken away
 * then, and its caller does so before it fails with `conflict` itself. A
 * storage that takes no claims is told, and in nobody's way.
 */
export async function claimVolumes(
  cx: Context,
  vm: Vm,
  { force, domid, paths }: ClaimOptions & { readonly domid?: number; readonly paths?: readonly string[] } = {},
): Promise<Claim> {
  const claim = newClaim(cx, vm, vm.pm, domid)
  const host = cx.host(vm.pm)
  const how = writingClaims(cx, vm.pm)
  const own = paths ?? claimedPaths(vm)
  const asked = paths ? [] : claimablePaths(vm).filter((path) => !own.includes(path))
  const puts = new Map<string, PutClaim>()
  const put = async (requests: readonly ClaimRequest[]) => {
    for (const one of await putClaims(host, requests, { ...how, passing: true })) puts.set(one.path, one)
  }
  try {
    await put([...own.map((path) => ({ path, claim })), ...asked.map((path) => ({ path }))])
    for (let tries = 1; ; tries++) {
      const others = [...puts.values()].flatMap(({ held, isPut }) => (held && !isPut ? [held] : []))
      const judged = await needUnclaimed(cx, vm, others, { force })
      const stale = others.filter(({ path }) => own.includes(path))
      if (stale.length === 0) break
      await put(stale.map(({ path, text }) => ({ path, claim, instead: text })))
      for (const { held, text } of judged)
        if (puts.get(held.path)!.isPut) cx.notice(`${nameOf(cx, vm, held.path)} ${text}: its claim was taken over`)
      const lost = stale.map(({ path }) => puts.get(path)!).filter(({ isPut }) => !isPut)
      if (lost.length === 0) break
      if (tries === TRIES)
        throw new PengxError('refused', `${nameOf(cx, vm, lost[0]!.path)} ${lostTo(lost[0]!)}: try again`)
      // A pengx that stays sees that it is stale in the same moment, and takes it away.
      await cx.clock.sleep(RETRY_MS, cx.signal)
      await put(lost.map(({ path }) => ({ path, claim })))
    }
  } catch (error) {
    const mine = [...puts.values()].flatMap(({ held, isPut }) => (held && isPut ? [held] : []))
    await dropClaims(host, mine, { ...how, passing: true })
    throw toPengxError(error).code === 'refused' ? conflictOf(error) : error
  }
  for (const { path, held, problem } of puts.values())
    if (!held && problem !== undefined)
      cx.notice(`no claim could be put on ${path}, so others cannot see that it is in use: ${problem}`)
  return claim
}

const TRIES = 3
const RETRY_MS = 500

/** Nothing was changed, so nothing is undone: what runs by then is somebody else's. */
function conflictOf(error: unknown): PengxError {
  return new PengxError('conflict', toPengxError(error).message, { cause: error })
}

function lostTo({ held }: PutClaim): string {
  const by = held?.claim ? ` by pengx on ${held.claim.controller}` : ''
  return `was claimed meanwhile${by}, or somebody was cut off while taking it over (vm.release clears that)`
}

/** Writes the domid into claims that were put before the domain was there. Best effort: a look does it too. */
export async function noteDomid(cx: Context, vm: Vm, claim: Claim, domid: number): Promise<void> {
  const swaps = claimedPaths(vm).map((path) => ({
    path,
    claim: { ...claim, domid },
    instead: claimText(path, claim),
  }))
  const puts = await putClaims(cx.host(vm.pm), swaps, writingClaims(cx, vm.pm)).catch(() => [])
  for (const { path, held, isPut } of puts)
    if (held && !isPut) cx.notice(`the claim on ${path} was taken over by pengx on ${held.claim?.controller ?? '?'}`)
}

/**
 * Takes away the claims that the VM's domain on that PM had, from all of its volumes or from `paths`; `passing`: the step
 * that put them does. What cannot be taken
 * away now is told: it is stale, and goes when the next one asks.
 */
export async function releaseVolumes(
  cx: Context,
  ref: VmRef,
  { paths, passing }: { readonly paths?: readonly string[] } & Pick<ClaimWrite, 'passing'> = {},
): Promise<void> {
  const vm = cx.view.getVm(ref.uuid)
  const all = paths ?? (vm ? claimablePaths(vm) : [])
  if (all.length === 0) return
  const host = cx.host(ref.pm)
  try {
    const held = (await readClaims(host, all)).filter((one) => isInNobodysWay(one, ref))
    for (const { path } of await dropClaims(host, held, {
      ...writingClaims(cx, ref.pm),
      ...(passing ? { passing } : {}),
    }))
      cx.notice(`the claim on ${path} could not be taken away: it is stale, and goes when it is in the way`)
  } catch (error) {
    cx.notice(`the claims of ${ref.name} could not be taken away from its disks: ${toPengxError(error).message}`)
  }
}

/**
 * The claims of a VM name another PM from now on, `at` which they are written: before its guest goes there, when it is
 * there (with its domid), and when it did not go. What is no claim of the VM stays, and is told.
 */
export async function moveClaims(
  cx: Context,
  vm: Vm,
  { at, to, domid }: { readonly at: string; readonly to: string; readonly domid?: number },
): Promise<void> {
  const host = cx.host(at)
  const paths = claimedPaths(vm)
  const held = new Map((await readClaims(host, paths)).map((one) => [one.path, one]))
  const fresh = newClaim(cx, vm, to, domid)
  const requests = paths.flatMap((path) => {
    const there = held.get(path)
    if (!there) return [{ path, claim: fresh }]
    if (there.claim?.vm !== vm.uuid) return []
    return [{ path, claim: { ...fresh, at: there.claim.at }, instead: there.text }]
  })
  const puts = await putClaims(host, requests, writingClaims(cx, at))
  const lost = [...held.values()].find(({ claim }) => claim?.vm !== vm.uuid) ?? puts.find(({ isPut }) => !isPut)
  if (lost) cx.notice(`the claim on ${lost.path} could not be moved to ${cx.view.needPm(to).name}`)
}
