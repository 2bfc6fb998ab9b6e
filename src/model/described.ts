import { identifyDisks } from './disk.ts'
import { isSame } from './json.ts'
import { layersOf } from './layer.ts'
import type { FoundConfig } from './pm.ts'
import type { Vm, VmSpec } from './vm.ts'

/** A VM and what its configuration file says of it: where they differ, and the row as it follows the file. */

/** What a configuration file says of who it describes. */
export interface Describing {
  /** Absent: the file names none. */
  readonly uuid?: string
  readonly spec: Pick<VmSpec, 'domainName'>
}

/** A file is a VM's by its UUID; one that names none, by the name of the domain alone. */
export function describes({ uuid, spec }: Describing, vm: Pick<Vm, 'uuid' | 'domainName'>): boolean {
  return uuid === undefined ? spec.domainName === vm.domainName : uuid === vm.uuid
}

/**
 * Whether a file describes a VM beside its own, and nobody has said that it is another's; of one that the PM starts from by
 * itself that cannot be said.
 */
export function describesToo(file: FoundConfig, vm: Vm): boolean {
  return file.vm === vm.uuid && (!vm.otherConfigs?.includes(file.path) || startsByItself(file))
}

/** xendomains(8) starts from it when the PM boots. */
function startsByItself({ path, links = [] }: FoundConfig): boolean {
  return [path, ...links].some((name) => name.startsWith('/etc/xen/auto/'))
}

/** In words, what a file says otherwise than the row, or undefined; snapshots keep disks to their volumes. */
export function saysOtherwise(row: Vm, spec: VmSpec): string | undefined {
  const apart = layersOf(row).length > 0 ? disksApart(row, spec) : undefined
  if (apart !== undefined) return `its file names ${apart}: put it right there, or by vm.config`
  const words = changedWords(row, mergeSpec(row, spec))
  return words === '' ? undefined : `its file was changed, and is taken in with its next change or start: ${words}`
}

/** In words, where a configuration names another volume for one of the VM's disks, or none. */
export function disksApart(row: Pick<Vm, 'disks'>, spec: Pick<VmSpec, 'disks'>): string | undefined {
  const lines = row.disks.flatMap((disk) => {
    const other = spec.disks.find(({ vdev }) => vdev === disk.vdev)
    if (other?.path === disk.path && other.format === disk.format) return []
    const there = other === undefined ? `no ${disk.vdev}` : `${other.path} (${other.format}) for ${disk.vdev}`
    return [`${there}, and not ${disk.path} (${disk.format})`]
  })
  return lines.length === 0 ? undefined : lines.join('; ')
}

/** A row with another specification, keeping what only pengx knows of it: ids, sizes, descriptions. */
export function mergeSpec(row: Vm, spec: VmSpec): Vm {
  const disks = identifyDisks(row.uuid, spec.disks, row.createdAt).map((disk) => {
    const known = row.disks.find((one) => one.vdev === disk.vdev && one.path === disk.path)
    if (!known) return disk
    const { uuid, sizeMib, storlink, base, owned, desc, createdAt } = known
    return { ...disk, ...defined({ sizeMib, storlink, base }), uuid, owned, desc, createdAt }
  })
  const nics = spec.nics.map((nic) => {
    const known = row.nics.find((one) => one.mac === nic.mac && nic.mac !== '')
    return known ? { ...nic, id: known.id, ip: nic.ip || known.ip } : nic
  })
  const { vnc: _vnc, ...rest } = row
  return { ...rest, ...spec, name: row.name, disks, nics }
}

function defined<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>
}

const TOLD = {
  domainName: 'name',
  type: 'type',
  vcpuCount: 'vcpus',
  maxVcpuCount: 'maxvcpus',
  memoryMib: 'memory',
  maxmemMib: 'maxmem',
  boot: 'how it boots',
  vnc: 'display',
  disks: 'disks',
  drives: 'drives',
  nics: 'interfaces',
  extraConfig: 'other lines',
} as const

/** What is another in the second of two rows, in words: `memory, disks`; empty where nothing is. */
export function changedWords(before: Vm, after: Vm): string {
  const told = (vm: Vm) => ({
    ...vm,
    nics: vm.nics.map(({ id: _id, ...nic }) => nic),
    // one that pengx has made has no words of its own yet
    drives: vm.drives.map(({ text: _text, ...drive }) => drive),
  })
  const [one, other] = [told(before), told(after)]
  const fields = Object.keys(TOLD) as (keyof typeof TOLD)[]
  return fields.flatMap((field) => (isSame(one[field] ?? null, other[field] ?? null) ? [] : TOLD[field])).join(', ')
}
