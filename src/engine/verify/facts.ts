import { posix } from 'node:path'
import type { Disk, DiskFormat } from '../../model/disk.ts'
import type { Drive } from '../../model/drive.ts'
import type { Finding, FindingSubject, Repair } from '../../model/finding.ts'
import type { Job } from '../../model/job.ts'
import type { Pm } from '../../model/pm.ts'
import type { ClaimState } from '../../model/storage/claim.ts'
import type { Storlink } from '../../model/storlink.ts'
import type { VmSpec } from '../../model/vm.ts'
import type { View } from '../store/view.ts'
import type { VolumeHolder, VolumeIdentity } from '../volumes/identity.ts'
import { type CodeName, codeOf } from './codes.ts'

/** What was seen of the whole site, by which every check judges: plain data, so that each kind of drift can be shown. */
export interface SiteFacts {
  readonly view: Pick<
    View,
    'vms' | 'getVm' | 'pms' | 'getPm' | 'storlinks' | 'templates' | 'backups' | 'jobs' | 'jobOn' | 'vmsOn'
  >
  /** Those that answered, by UUID. */
  readonly pms: ReadonlyMap<string, PmFacts>
  /** Those that did not, and why. */
  readonly away: readonly { readonly pm: Pm; readonly why: string }[]
  readonly places: readonly PlaceFacts[]
  readonly volumes: readonly KnownVolume[]
  /** What jobs of this store have set out to make, and what those that are not over have in hand. */
  readonly journal: readonly MadeBy[]
  readonly marks: readonly MarkFacts[]
  readonly claims: readonly ClaimFacts[]
}

export interface PmFacts {
  readonly pm: Pm
  /** Where paths lead to: everything that is written down, and what configurations and domains name. */
  readonly ids: ReadonlyMap<string, VolumeIdentity>
  /** What its domains have open, as QEMU and XenStore have it. */
  readonly holders: readonly VolumeHolder[]
  /** How long regular files are. */
  readonly bytes: ReadonlyMap<string, number>
  readonly headers: ReadonlyMap<string, Header>
  /** As Xen has them; a domain whose configuration libxl has lost is not among them. */
  readonly domains: readonly { readonly domid: number; readonly uuid: string; readonly name: string }[]
  /** Of domains that no VM under care stands for, what they write to. */
  readonly built: readonly { readonly domid: number; readonly uuid: string; readonly disks: readonly Disk[] }[]
  /** Every configuration found there, by one of its names. */
  readonly configs: readonly SeenConfig[]
  /** What writes of pengx's own configurations have left that were cut short. */
  readonly drafts: readonly string[]
  /** VMs whose file could not be read, and why: by the file's path. */
  readonly unread: ReadonlyMap<string, string>
}

/** Why a file is not read that is not there. */
export const GONE = 'it is not there'

export interface SeenConfig {
  readonly path: string
  readonly links: readonly string[]
  readonly name: string
  readonly uuid?: string
  readonly spec: VmSpec
}

/** An image's header, or why there is none. */
export type Header =
  | { readonly sizeMib: number; readonly corrupt: boolean; readonly backing?: string; readonly damage?: string }
  | { readonly problem: string }

/** A storlink as one PM sees it. */
export interface PlaceFacts {
  readonly storlink: Storlink
  readonly pm: string
  /** Why it could not be looked at. */
  readonly problem?: string
  readonly entries: readonly Entry[]
}

/** What lies in a storlink. */
export interface Entry {
  readonly path: string
  readonly kind: 'file' | 'directory' | 'link' | 'volume' | 'other'
  readonly bytes: number
  /** A logical volume that has no device, since it is not active. */
  readonly asleep?: true
  /** It carries a claim: somebody has said that he uses it. */
  readonly claimed?: true
  /** It is a claim on a volume that is not there, and worth this. */
  readonly orphan?: ClaimState
}

/** A volume that is written down. */
export interface KnownVolume {
  readonly path: string
  /** The PM on which it is looked for. */
  readonly pm: string
  readonly storlink?: number
  readonly format: DiskFormat
  readonly sizeMib?: number
  readonly role: 'disk' | 'layer' | 'template' | 'backup' | 'manifest'
  readonly owner: FindingSubject
  /** `disk xvda of VM web01`. */
  readonly title: string
  /** What it should lie on; null: on nothing; absent: nobody has said. */
  readonly below?: string | null
  /** Its owner may write to it. */
  readonly written: boolean
}

/** A job that has set out to make volumes, or that is not over and has some in hand. */
export interface MadeBy {
  readonly job: Pick<Job, 'id' | 'number' | 'operation' | 'state'>
  /** What it makes. */
  readonly paths: readonly string[]
  /** All paths that it has looked up; of a job that is over none. */
  readonly inHand: readonly string[]
}

/** What a PM says of a storlink's marker. `away`: there is none, and nothing else of what should lie there. */
export interface MarkFacts {
  readonly storlink: number
  readonly pm: string
  readonly state: 'its own' | 'none' | 'another' | 'away'
  /** As a clause: why it is not the storlink's; with `none` why it may not be, absent where nothing speaks against it. */
  readonly why?: string
}

/** A claim that a volume carries, or that it lacks. */
export interface ClaimFacts {
  readonly vm: string
  readonly pm: string
  readonly path: string
  readonly state: 'its own' | 'stale' | 'foreign' | 'missing'
  /** Whose it is, in words. */
  readonly whose?: string
}

/** One kind of comparison. */
export type Check = (facts: SiteFacts) => readonly Finding[]

/** Pure. A finding of a code; its severity is the code's. */
export function finding(
  code: CodeName,
  subject: FindingSubject,
  text: string,
  more: { readonly pm?: string; readonly path?: string; readonly repair?: Repair | undefined } = {},
): Finding {
  const { repair, ...where } = more
  return { code, severity: codeOf(code).severity, subject, text, ...where, ...(repair ? { repair } : {}) }
}

export const subjectOf = (
  kind: FindingSubject['kind'],
  { uuid, name }: { readonly uuid: string; readonly name: string },
) => ({ kind, id: uuid, name }) satisfies FindingSubject

/**
 * Pure. Two volumes that are one have one of these in common, over all PMs. None where the path leads nowhere, or its PM does
 * not answer.
 */
export function globalKeys({ pms, view }: SiteFacts, pm: string, path: string): readonly string[] {
  const id = pms.get(pm)?.ids.get(path)
  return id === undefined ? [] : keysOf(view, pm, path, id)
}

/** Pure. The same of what a domain calls by that path; what lies on a shared storlink is told by its inode there too. */
export function keysOf(view: SiteFacts['view'], pm: string, path: string, id: VolumeIdentity): readonly string[] {
  const shared = sharedWith(view, path)
  const own = [`${pm} ${id.local}`, ...id.site]
  if (shared === undefined) return own
  return [...own, `storlink ${shared.id} ${shared.level === 'BL' ? path : id.local.split(':').at(-1)}`]
}

/** Pure. The same for one path, whether something is there or not: of one PM alone, or of all that see a shared storlink. */
export function placeKey({ view }: Pick<SiteFacts, 'view'>, pm: string, path: string): string {
  const normal = posix.normalize(path)
  const shared = sharedWith(view, normal)
  return shared === undefined ? `${pm} at ${normal}` : `storlink ${shared.id} at ${normal}`
}

function sharedWith(view: SiteFacts['view'], path: string): Storlink | undefined {
  return view
    .storlinks()
    .find(({ link, shared }) => shared && (path === link || path.startsWith(`${link.replace(/\/+$/, '')}/`)))
}

/** Pure. Why a PM does not see a storlink's storage, as a clause; undefined: it does, or has nothing to do with it. */
export function awayOn({ places, marks }: SiteFacts, storlink: number, pm: string): string | undefined {
  const mark = marks.find((one) => one.storlink === storlink && one.pm === pm)
  if (mark?.state === 'another' || mark?.state === 'away') return mark.why ?? 'it is not there'
  return places.find((one) => one.storlink.id === storlink && one.pm === pm)?.problem
}

/** Pure. A running job works on it: what is seen of it now may be otherwise in a moment. */
export function isBusy({ view }: SiteFacts, { kind, id }: FindingSubject): boolean {
  if (kind === 'job' || kind === 'site') return false
  const job = view.jobOn(kind, id)
  return job !== undefined && job.state !== 'stuck'
}

/** Pure. Paths of a configuration that a guest writes to. */
export function writtenPaths(spec: Pick<VmSpec, 'disks'>): readonly string[] {
  return spec.disks.filter(({ readOnly, path }) => !readOnly && path !== '').map(({ path }) => path)
}

/** Pure. All paths that a configuration names. */
export function namedPaths({ disks, drives, boot }: Pick<VmSpec, 'disks' | 'drives' | 'boot'>): readonly string[] {
  const all: (Disk | Drive)[] = [...disks, ...drives]
  return [...all.map(({ path }) => path), boot.kernel ?? '', boot.ramdisk ?? ''].filter((path) => path.startsWith('/'))
}
