import { turns } from '../../lib/turns.ts'
import type { Vm } from '../../model/vm.ts'
import type { WrongVolume } from '../../model/wrongVolume.ts'
import type { Host } from '../host/host.ts'
import { runMany } from '../host/run.ts'
import type { DomainDetail, DomainSeen } from '../hypervisor/domain.ts'
import type { Hypervisor } from '../hypervisor/hypervisor.ts'
import type { View } from '../store/view.ts'
import { resolveLink } from '../tools/files.ts'
import { type Marks, NAMESAKE, OTHERS_NAME } from './marks.ts'
import { createVolumeIndex, type VolumeIndex } from './volumeIndex.ts'
import { type BuiltDomain, type Claims, candidates, claim, NO_CLAIMS } from './whose.ts'
import { isAsWritten, type Judged, judge, sinceBefore } from './writes.ts'

/**
 * A closer look at what is new on a PM, or is not as it should be: what domains were built from, what QEMU has open.
 * What was looked at is remembered by domid for as long as libxl writes nothing new of it; a disk that was detached is not
 * told, so a domain that writes where it must not is looked at again each time.
 */
export interface Closer {
  /** Nothing that was seen counts any more: the PM has been booted. */
  forget(): void
  /** Looks closer at what is new of these, as translated; fails never, and what it could not see is new the next time. */
  details(host: Host, domains: readonly DomainSeen[]): Promise<readonly DomainDetail[]>
  /** Whose those domains are; looks closer at those that may be a VM's by their name alone. */
  claims(host: Host, pm: string, domains: readonly DomainSeen[]): Promise<Claims>
  /** `domains` as translated. What cannot be told now (a job is at work, QEMU does not answer) stays as it was. */
  marks(host: Host, pm: string, domains: readonly DomainSeen[], claims: Claims, now: number): Promise<Marks>
  /** As seen by somebody who has asked that domain's QEMU. */
  wrote(domid: number, images: ReadonlyMap<string, string>): void
}

interface Entry {
  readonly stamp: string | undefined
  readonly built: BuiltDomain
  /** What QEMU has said, and the disks that the VM had then. */
  images?: ReadonlyMap<string, string>
  askedFor?: Vm['disks']
  real?: ReadonlyMap<string, string>
  /** The disks and the answer for which all was found to be in order. */
  fineFor?: Vm['disks']
  fineIn?: VolumeIndex
  isWrong?: boolean
}

const NO_DISKS: Vm['disks'] = []

/** What all PMs have in common. */
export interface CloserShared {
  readonly view: View
  readonly index: () => VolumeIndex
  /** Domains of a PM on volumes of VMs, by the VM: these may be seen from another PM. */
  readonly intruders: Map<string, ReadonlyMap<string, readonly WrongVolume[]>>
}

export function closerShared(view: View): CloserShared {
  return { view, index: createVolumeIndex(view), intruders: new Map() }
}

/** xl lists what one domain was built from, or what all were: so many are asked for one by one. */
const MOST_DETAILS_APART = 60

export function createCloser(hypervisor: Hypervisor, { view, index, intruders }: CloserShared): Closer {
  let entries = new Map<number, Entry>()
  /** Looked at to tell whose they are, and not handed on yet. */
  let unreported: DomainDetail[] = []

  const entryOf = ({ domid, uuid, ownUuid, stamp }: DomainSeen): Entry | undefined => {
    const entry = entries.get(domid)
    return entry?.built.uuid === (ownUuid ?? uuid) && entry.stamp === stamp ? entry : undefined
  }

  async function read(host: Host, fresh: readonly DomainSeen[], count: number): Promise<readonly DomainDetail[]> {
    if (fresh.length === 0) return []
    const isMost = fresh.length > 8 && fresh.length > Math.min(MOST_DETAILS_APART, count / 8)
    const domids = isMost ? [] : fresh.map((domain) => domain.domid)
    const details = await hypervisor.details(host, domids).catch(() => [])
    const seen = new Map(fresh.map((domain) => [domain.domid, domain]))
    for (const { domid, uuid, spec } of details) {
      const domain = seen.get(domid)
      if (domain === undefined || (domain.ownUuid ?? domain.uuid) !== uuid) continue
      const disks = spec.disks.filter(({ readOnly, path }) => !readOnly && path !== '')
      const kernel = spec.boot.kernel
      const built = {
        domid,
        uuid,
        disks: disks.map(({ vdev, path }) => ({ vdev, path })),
        ...(kernel === undefined ? {} : { kernel }),
      }
      const was = entries.get(domid)
      // The same domain, looked at again: QEMU was asked what it says.
      const images = was?.built.uuid === uuid && was.images ? { images: was.images } : {}
      entries.set(domid, { stamp: domain.stamp, built, ...images, ...(was?.isWrong ? { isWrong: true } : {}) })
    }
    return details
  }

  /** Whether a closer look can say more, or something else, than is known. */
  function isDue(vm: Vm, entry: Entry): boolean {
    if (isAsWritten(vm, entry)) return false
    return entry.isWrong === true || entry.images === undefined || entry.askedFor !== vm.disks
  }

  /** Asks QEMU what it writes to, and where links lead; false where that cannot be known now. */
  async function ask(host: Host, vm: Vm, domid: number, entry: Entry): Promise<boolean> {
    const images = await hypervisor.writtenImages(host, domid).catch(() => undefined)
    if (images === undefined) return false
    entry.images = images
    entry.askedFor = vm.disks
    const paths = new Set([...entry.built.disks, ...vm.disks].map(({ path }) => path).concat(...images.values()))
    const files = [...paths].filter((path) => path.startsWith('/'))
    const links = await runMany(host, files.map(resolveLink), { timeoutMs: 30_000 }).catch(() => undefined)
    if (links === undefined) return false
    const real = files.map((path, at) => [path, links[at]?.stdout.trim() || path] as const)
    entry.real = new Map(real)
    return true
  }

  /** It was looked at, and neither what it writes to nor what is written down has changed since. */
  function isFine(vm: Judged, domain: DomainSeen): boolean {
    const entry = entryOf(domain)
    if (entry === undefined || entry.fineFor !== vm.disks) return false
    return vm.origin !== 'found' || entry.fineIn === index()
  }

  /** Undefined: it cannot be told now. */
  async function judged(host: Host, vm: Vm | undefined, pm: string, domain: DomainSeen, now: number) {
    const entry = entryOf(domain)
    const isBusy = view.jobOn('vm', domain.uuid) !== undefined && !isStuck(view, domain.uuid)
    if (entry === undefined || (vm && vm.pm !== pm) || isBusy || domain.state === 'starting') return undefined
    if (vm && isDue(vm, entry) && vm.origin !== 'found' && !(await ask(host, vm, domain.domid, entry))) return undefined
    const row: Judged = vm ?? { uuid: domain.uuid, origin: 'found', disks: NO_DISKS }
    const verdict = judge(row, pm, entry, index(), now)
    entry.isWrong = verdict.wrong.length > 0
    entry.fineFor = entry.isWrong ? undefined : row.disks
    entry.fineIn = row.origin === 'found' ? index() : undefined
    return verdict
  }

  return {
    forget() {
      entries = new Map()
      unreported = []
    },
    async details(host, domains) {
      const here = new Set(domains.map(({ domid }) => domid))
      for (const domid of entries.keys()) if (!here.has(domid)) entries.delete(domid)
      const fresh = domains.filter((domain) => {
        if (domain.domid === 0 || domain.state === 'starting') return false
        const entry = entryOf(domain)
        return entry === undefined || entry.isWrong === true || !view.getVm(domain.uuid)
      })
      const all = [...unreported, ...(await read(host, fresh, domains.length))]
      unreported = []
      if (all.length === 0) return all
      const byDomid = new Map(domains.map((domain) => [domain.domid, domain]))
      return all.flatMap((detail) => {
        const domain = byDomid.get(detail.domid)
        return (domain?.ownUuid ?? domain?.uuid) === detail.uuid ? [{ ...detail, uuid: domain!.uuid }] : []
      })
    },
    async claims(host, pm, domains) {
      const found = candidates(domains, view.vmsOn(pm), (uuid) => view.getVm(uuid))
      if (found.length === 0) return NO_CLAIMS
      const unknown = found.map(({ domain }) => domain).filter((domain) => entryOf(domain) === undefined)
      const built = unknown.filter(({ state }) => state !== 'starting')
      unreported.push(...(await read(host, built, domains.length)))
      return claim(found, (domain) => entryOf(domain)?.built)
    },
    async marks(host, pm, domains, { namesakes }, now) {
      const marks = new Map<string, { wrong: readonly WrongVolume[]; drift: string[] }>()
      const markOf = (uuid: string) => {
        const mark = marks.get(uuid) ?? { wrong: [], drift: [] }
        marks.set(uuid, mark)
        return mark
      }
      const open = new Map<string, WrongVolume[]>()
      for (const domain of domains) {
        if (domain.domid === 0) continue
        const vm = view.getVm(domain.uuid)
        if (vm && isFine(vm, domain)) continue
        const verdict = await judged(host, vm, pm, domain, now)
        if (verdict === undefined) {
          const before = vm?.seen.domid === domain.domid ? (vm.seen.wrongVolumes ?? []) : []
          const own = before.filter(({ kind }) => kind !== 'shared')
          if (own.length > 0) markOf(domain.uuid).wrong = own
          const kept = intruders.get(pm)
          for (const [owner, all] of kept ?? []) {
            const its = all.filter(({ of }) => of === nameOf(domain))
            if (its.length > 0) open.set(owner, [...(open.get(owner) ?? []), ...its])
          }
          continue
        }
        if (verdict.wrong.length > 0) markOf(domain.uuid).wrong = verdict.wrong
        for (const one of verdict.intrusions) {
          const shared = { kind: 'shared', vdev: one.vdev, path: one.path, of: nameOf(domain), since: now } as const
          open.set(one.vm, [...(open.get(one.vm) ?? []), shared])
        }
      }
      await turns.take()
      if (open.size > 0) intruders.set(pm, open)
      else intruders.delete(pm)
      for (const [, byVm] of intruders) {
        for (const [owner, shared] of byVm) {
          if (view.getVm(owner)?.pm !== pm) continue
          const mark = markOf(owner)
          mark.wrong = [...mark.wrong, ...shared]
        }
      }
      for (const { vm, domain, path } of namesakes) {
        markOf(vm.uuid).drift.push(`${NAMESAKE} (domid ${domain.domid}) runs on other disks: ${path}`)
        markOf(domain.uuid).drift.push(`${OTHERS_NAME} ${vm.name} and other disks: it is another`)
      }
      return new Map(
        [...marks].map(([uuid, { wrong, drift }]) => {
          const wrongVolumes = sinceBefore(view.getVm(uuid)?.seen.wrongVolumes, wrong)
          return [uuid, { drift, ...(wrongVolumes ? { wrongVolumes } : {}) }]
        }),
      )
    },
    wrote(domid, images) {
      const entry = entries.get(domid)
      if (entry === undefined) return
      const isSame = [...images].every(([vdev, path]) => entry.images?.get(vdev) === path)
      entry.images = images
      if (isSame) return
      entry.fineFor = undefined
      entry.askedFor = undefined
    },
  }
}

function isStuck(view: View, vm: string): boolean {
  return view.jobOn('vm', vm)?.state === 'stuck'
}

function nameOf({ domid, name }: DomainSeen): string {
  return `domain ${domid} (${name})`
}
