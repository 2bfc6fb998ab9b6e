import { layersOf } from '../../model/layer.ts'
import { canonicalPath } from '../../model/storage/volumePath.ts'
import type { Vm } from '../../model/vm.ts'
import type { DomainSeen } from '../hypervisor/domain.ts'

/**
 * Whose a domain is. By its UUID, where a row has that; where its file names none, libxl has made one up, and then it is
 * the VM of its name on that PM whose disks it really has. A name alone is nobody's.
 */
export interface BuiltDomain {
  readonly domid: number
  /** Xen's own. */
  readonly uuid: string
  /** What it may write to, as libxl has it. */
  readonly disks: readonly { readonly vdev: string; readonly path: string }[]
  readonly kernel?: string
}

export interface Claims {
  /** VMs by the domid of their domain, which runs under a UUID that libxl has made up. */
  readonly owners: ReadonlyMap<number, Vm>
  /** VMs whose name a domain with other disks has, and the first of those. */
  readonly namesakes: readonly { readonly vm: Vm; readonly domain: DomainSeen; readonly path: string }[]
}

export const NO_CLAIMS: Claims = { owners: new Map(), namesakes: [] }

/** Domains that may be a VM's though they do not have its UUID: they have its name, and it has no domain of its own. */
export function candidates(
  domains: readonly DomainSeen[],
  rows: readonly Vm[],
  getVm: (uuid: string) => Vm | undefined,
): readonly { readonly domain: DomainSeen; readonly vm: Vm }[] {
  const isManaged = (vm: Vm | undefined) => vm !== undefined && vm.origin !== 'found'
  const unowned = domains.filter(({ domid, uuid }) => domid !== 0 && !isManaged(getVm(uuid)))
  if (unowned.length === 0) return []
  const present = new Set(domains.map(({ uuid }) => uuid))
  const byName = new Map<string, Vm>()
  for (const vm of rows) if (vm.origin !== 'found' && !present.has(vm.uuid)) byName.set(vm.domainName, vm)
  if (byName.size === 0) return []
  return unowned.flatMap((domain) => {
    const vm = byName.get(domain.name)
    return vm === undefined ? [] : [{ domain, vm }]
  })
}

/** Pure. A domain that nobody has looked at closer yet is nobody's for now. */
export function claim(
  found: ReturnType<typeof candidates>,
  builtOf: (domain: DomainSeen) => BuiltDomain | undefined,
): Claims {
  const owners = new Map<number, Vm>()
  const namesakes: Claims['namesakes'][number][] = []
  for (const { domain, vm } of found) {
    const built = builtOf(domain)
    if (built === undefined) continue
    const other = otherPath(vm, built)
    if (other === undefined) owners.set(domain.domid, vm)
    else namesakes.push({ vm, domain, path: other })
  }
  return { owners, namesakes }
}

/** The domains as pengx speaks of them: with the UUID of the VM that they belong to. */
export function translate(domains: readonly DomainSeen[], { owners }: Claims): readonly DomainSeen[] {
  if (owners.size === 0) return domains
  return domains.map((domain) => {
    const vm = owners.get(domain.domid)
    return vm === undefined ? domain : { ...domain, uuid: vm.uuid, ownUuid: domain.uuid }
  })
}

/** What shows that a domain is not the VM's: a disk on another path, or its kernel where neither has a disk; else undefined. */
function otherPath(vm: Vm, built: BuiltDomain): string | undefined {
  const written = vm.disks.filter((disk) => !disk.readOnly && disk.path !== '')
  if (written.length === 0 && built.disks.length === 0)
    return vm.boot.kernel === built.kernel ? undefined : (built.kernel ?? 'no kernel')
  const own = new Set(
    [...written, ...layersOf(vm).flatMap((layer) => layer.volumes)].map(({ path }) => canonicalPath(path)),
  )
  const vdevs = new Set(written.map(({ vdev }) => vdev))
  const strange = built.disks.find(({ vdev, path }) => vdevs.has(vdev) && !own.has(canonicalPath(path)))
  if (strange) return strange.path
  if (built.disks.some(({ path }) => own.has(canonicalPath(path)))) return undefined
  return built.disks[0]?.path ?? 'no disk'
}
