import { identifyDisks } from '../../model/disk.ts'
import type { FoundConfig, IsoImage, Pm, PmSeen, Stray } from '../../model/pm.ts'
import type { Vm } from '../../model/vm.ts'
import type { DomainDetail, DomainSeen, PmLook } from '../hypervisor/domain.ts'
import type { Mark, Marks } from './marks.ts'
import type { Reconciled } from './reconcile.ts'

/** What a look has found, as it is written down. */

/** The rows that follow from a look at domains and from their details; pure. */
export function vmsSeen(
  { pm, now, marks }: { readonly pm: string; readonly now: number; readonly marks?: Marks },
  meaning: Reconciled,
  details: readonly DomainDetail[],
): { readonly found: readonly Vm[]; readonly moved: readonly Vm[]; readonly seen: Reconciled['seen'] } {
  const detailOf = new Map(details.map((detail) => [`${detail.domid} ${detail.uuid}`, detail]))
  const closer = <T extends Reconciled['seen'][number]>(entry: T): T => {
    const detail = detailOf.get(`${entry.seen.domid} ${entry.uuid}`)
    if (!detail) return entry
    const { vncPort, startedAt } = detail
    return {
      ...entry,
      ...(vncPort === undefined ? {} : { seen: { ...entry.seen, vncPort } }),
      ...(startedAt === undefined ? {} : { bootedAt: startedAt * 1000 }),
    }
  }
  return {
    found: meaning.appeared.flatMap((domain) => {
      const detail = detailOf.get(`${domain.domid} ${domain.uuid}`)
      return detail ? [foundVm(pm, domain, detail, now, marks?.get(domain.uuid))] : []
    }),
    moved: meaning.moved.map(closer),
    seen: meaning.seen.map(closer),
  }
}

function foundVm(pm: string, domain: DomainSeen, detail: DomainDetail, now: number, mark?: Mark): Vm {
  return {
    ...detail.spec,
    disks: identifyDisks(domain.uuid, detail.spec.disks, now),
    uuid: domain.uuid,
    pm,
    origin: 'found',
    desc: '',
    os: '',
    osArch: '',
    createdAt: now,
    ...(detail.startedAt === undefined ? {} : { bootedAt: detail.startedAt * 1000 }),
    configForeign: false,
    seen: {
      state: domain.state,
      since: now,
      domid: domain.domid,
      memoryMib: domain.memoryMib,
      vcpuCount: domain.vcpuCount,
      ...(detail.vncPort === undefined ? {} : { vncPort: detail.vncPort }),
      drift: mark?.drift ?? [],
      ...(mark?.wrongVolumes ? { wrongVolumes: mark.wrongVolumes } : {}),
    },
  }
}

export interface PmFindings {
  readonly strays: readonly Stray[]
  readonly configs: readonly FoundConfig[]
  readonly isos: readonly IsoImage[]
  readonly alsoAt?: readonly string[]
}

/** To the second is too fine for when it was booted: it would differ at each look. */
const BOOT_SLACK_MS = 5000

export function seenPm({ seen }: Pm, look: PmLook, beside: PmFindings, now: number): PmSeen {
  const dom0 = look.domains.find((domain) => domain.domid === 0)
  const { xenVersion, kernel, bootId, freeMib, threadsPerCore, socketCount, load, interfaces, bridges } = look
  const bootedAt = now - look.uptimeSeconds * 1000
  return {
    reach: 'up',
    since: seen.reach === 'up' ? seen.since : now,
    at: now,
    bootedAt: Math.abs((seen.bootedAt ?? 0) - bootedAt) < BOOT_SLACK_MS ? seen.bootedAt! : bootedAt,
    ...(dom0 ? { dom0MemoryMib: dom0.memoryMib, dom0VcpuCount: dom0.vcpuCount } : {}),
    ...{ xenVersion, kernel, bootId, freeMib, threadsPerCore, socketCount, load, interfaces, bridges },
    ...beside,
  }
}
