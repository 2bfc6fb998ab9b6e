import { layersOf, volumesOf } from '../layer.ts'
import type { Pm } from '../pm.ts'
import type { Vm } from '../vm.ts'

/**
 * What a running VM says of itself beside each volume that it writes to, where every host that sees the volume reads it:
 * which VM, on which PM, as which domain, and who wrote that down. Times are milliseconds since 1970.
 */
export interface Claim {
  /** The VM, by its UUID. */
  readonly vm: string
  /** Names are for people; where a claim is a tag they have its characters alone. */
  readonly vmName?: string
  readonly pm: string
  readonly pmName?: string
  /** Absent while the domain is being built, or on its way to that PM. */
  readonly domid?: number
  /** Of the PM when it was written (`/proc/sys/kernel/random/boot_id`); empty where that was not known. */
  readonly bootId: string
  /** The host that pengx ran on. */
  readonly controller: string
  /** That pengx's store, by its own id. */
  readonly store: string
  readonly at: number
}

/** Pure. The claim of a VM on a PM, as the one who writes it (`by`) sees both; without a domid its domain is still to be built. */
export function claimOf(
  vm: Pick<Vm, 'uuid' | 'name'>,
  pm: Pick<Pm, 'uuid' | 'name'> & { readonly seen: Pick<Pm['seen'], 'bootId'> },
  by: Pick<Claim, 'controller' | 'store' | 'at'>,
  domid?: number,
): Claim {
  return {
    vm: vm.uuid,
    vmName: vm.name,
    pm: pm.uuid,
    pmName: pm.name,
    ...(domid === undefined ? {} : { domid }),
    bootId: pm.seen.bootId ?? '',
    ...by,
  }
}

/** Pure. One line of JSON. */
export function formatClaim(claim: Claim): string {
  const { vm, vmName, pm, pmName, domid, bootId: boot, controller, store, at } = claim
  return JSON.stringify({ vm, vmName, pm, pmName, domid, boot, controller, store, at: new Date(at).toISOString() })
}

/** Pure. Undefined for what is no claim. */
export function parseClaim(text: string): Claim | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? claimIn(value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const TAG = 'pengx.claim='
/** Of everything that has a claim as a tag: LVM's selections compare whole tags, and so find what has none. */
export const CLAIMED_TAG = 'pengx.claimed'
/** What LVM takes in a tag (lvm(8)), less what separates here. */
const UNFIT = /[^A-Za-z0-9_+.-]/g

/** Pure. As an LVM tag: its characters and at most 1024 of them, so with the beginnings of names. */
export function claimTag(claim: Claim): string {
  const { vm, vmName, pm, pmName, domid, bootId: boot, controller, store, at } = claim
  const fit = (name: string, most: number) => name.replace(UNFIT, '_').slice(0, most)
  const fields = {
    vm,
    ...(vmName === undefined ? {} : { vmName: fit(vmName, 100) }),
    pm,
    ...(pmName === undefined ? {} : { pmName: fit(pmName, 100) }),
    ...(domid === undefined ? {} : { domid: String(domid) }),
    boot,
    store,
    at: new Date(at).toISOString(),
    controller: fit(controller, 253),
  }
  return `${TAG}${Object.entries(fields)
    .map(([key, value]) => `${key}:${value}`)
    .join('/')}`
}

/** Pure. Whether a tag is a claim, be it one that nobody understands. */
export function isClaimTag(tag: string): boolean {
  return tag.startsWith(TAG)
}

/** Pure. Undefined for what is no claim. */
export function parseClaimTag(tag: string): Claim | undefined {
  if (!isClaimTag(tag)) return undefined
  const fields = tag.slice(TAG.length).split('/')
  return claimIn(
    Object.fromEntries(fields.map((field) => [field.split(':')[0], field.slice(field.indexOf(':') + 1)] as const)),
  )
}

function claimIn(fields: Readonly<Record<string, unknown>>): Claim | undefined {
  const text = (name: string) => (typeof fields[name] === 'string' ? fields[name] : '')
  const [vm, pm, at] = [text('vm'), text('pm'), Date.parse(text('at'))]
  const domid = Number(fields.domid ?? Number.NaN)
  if (vm === '' || pm === '' || Number.isNaN(at)) return undefined
  return {
    vm,
    ...(text('vmName') === '' ? {} : { vmName: text('vmName') }),
    pm,
    ...(text('pmName') === '' ? {} : { pmName: text('pmName') }),
    ...(Number.isInteger(domid) ? { domid } : {}),
    bootId: text('boot'),
    controller: text('controller'),
    store: text('store'),
    at,
  }
}

/** What the PM that a claim names shows when it is asked. */
export interface ClaimLook {
  /** Its domains; absent: it is not known here, or does not answer. */
  readonly domains?: readonly { readonly domid: number; readonly uuid: string; readonly ownUuid?: string }[]
  /** Absent where it was not asked. */
  readonly bootId?: string
}

/**
 * `live`: the PM shows a domain of that VM; `building`: it does not, but somebody may be about to make one; `stale`: there
 * is none; `unknown`: nobody can tell.
 */
export type ClaimState = 'live' | 'building' | 'stale' | 'unknown'

/** Longer than any domain is built, and than the clocks of two controllers should differ. */
const BUILD_MS = 30 * 60_000

/**
 * Pure. What a claim is worth. `isMine`: the one who asks wrote it and is not at work on that VM, so nobody builds its
 * domain.
 */
export function judgeClaim(claim: Claim, look: ClaimLook, now: number, isMine = false): ClaimState {
  if (look.domains === undefined) return 'unknown'
  if (domainOf(claim, look)) return 'live'
  if (claim.domid !== undefined || isMine) return 'stale'
  const isRebooted = look.bootId !== undefined && claim.bootId !== '' && look.bootId !== claim.bootId
  return isRebooted || now - claim.at > BUILD_MS ? 'stale' : 'building'
}

/** Pure. The domain of the VM that holds the claim, of those that its PM shows. */
export function domainOf(claim: Pick<Claim, 'vm'>, look: ClaimLook): { readonly domid: number } | undefined {
  return look.domains?.find(({ uuid, ownUuid }) => uuid === claim.vm || ownUuid === claim.vm)
}

/**
 * Pure. What has a claim while a VM has a domain, by its path: the volumes that it writes to, and its frozen layers, which
 * nobody may write to: who knows nothing of a snapshot would start from one of those.
 */
export function claimedPaths(vm: Pick<Vm, 'disks' | 'layers'>): string[] {
  const written = vm.disks.filter(({ readOnly }) => !readOnly)
  return pathsOf([...written, ...layersOf(vm).flatMap(({ volumes }) => volumes)])
}

/** Pure. Those too that it only reads: what of its volumes nobody else may write to. */
export function claimablePaths(vm: Pick<Vm, 'disks' | 'layers'>): string[] {
  return pathsOf(volumesOf(vm))
}

function pathsOf(volumes: readonly { readonly path: string }[]): string[] {
  return [...new Set(volumes.map(({ path }) => path))].filter((path) => path !== '')
}
