import { identifyDisks } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import { isSame } from '../../../model/json.ts'
import { layersOf } from '../../../model/layer.ts'
import type { FoundConfig } from '../../../model/pm.ts'
import type { Vm, VmSpec } from '../../../model/vm.ts'
import type { ReadConfig } from '../../hypervisor/hypervisor.ts'
import type { Context } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'
import { configPathFor } from './domain.ts'

/**
 * What the file that describes a VM says at this moment. It is the VM's: its row follows it, except that snapshots tie
 * disks to their volumes, which no file can tell from others.
 */

/** The file that describes a VM: its owner's, or the one that pengx keeps for those that it has made. */
export function configPathOf(vm: Pick<Vm, 'uuid' | 'configPath'>): string {
  return vm.configPath ?? configPathFor(vm.uuid)
}

/**
 * The VM's file, read now; undefined where it is pengx's own and is not there (it is printed then). `refused` where its
 * owner's is gone, is another VM's, or where xl would not take it; `commandFailed` where it cannot be read.
 */
export async function configNow(cx: Context, vm: Vm): Promise<ReadConfig | undefined> {
  const path = configPathOf(vm)
  const host = cx.host(vm.pm)
  const config = await cx.hypervisor.readConfig(host, path).catch((error: unknown) => {
    if (!(error instanceof PengxError) || (error.code !== 'notFound' && error.code !== 'invalid')) throw error
    if (error.code === 'notFound' && !vm.configForeign) return undefined
    const hint = 'put it right, or choose another file: vm.config'
    throw new PengxError('refused', `the configuration of ${vm.name}: ${error.message}: ${hint}`, { cause: error })
  })
  if (config?.uuid !== undefined && config.uuid !== vm.uuid) {
    const text = `${path} is the configuration of another VM now (UUID ${config.uuid}), not of ${vm.name}`
    throw new PengxError('refused', `${text}: choose another file: vm.config`)
  }
  return config
}

/** The row as its file has it now. `refused` where that names other volumes than those that its snapshots lie under. */
export function following(row: Vm, { spec, path }: Pick<ReadConfig, 'spec' | 'path'>): Vm {
  const apart = layersOf(row).length > 0 ? disksApart(row, spec) : undefined
  if (apart !== undefined) {
    const text = `${path} names ${apart}, on which its snapshots count`
    throw new PengxError('refused', `${row.name}: ${text}: put it right there, or by vm.config, which writes them in`)
  }
  return mergeSpec(row, spec)
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

/**
 * Why what the VM's disks lie on cannot be changed: other files describe it too, and a start from one of them would run it
 * on what its disks were. Undefined where there are none, or none that would be started from by itself and of which
 * nobody has said that it is another's.
 */
export function refuseManyConfigs(vm: Vm, view: View): string | undefined {
  const found = (view.getPm(vm.pm)?.seen.configs ?? []).filter(
    (file) => file.vm === vm.uuid && (!vm.otherConfigs?.includes(file.path) || startsByItself(file)),
  )
  if (found.length === 0) return undefined
  const paths = found.map(({ path }) => path).join(' and ')
  const text = `${paths} ${found.length === 1 ? 'describes' : 'describe'} it too, beside ${configPathOf(vm)}`
  return `${text}, and would not know of its new disks: choose one (vm.config --config PATH --link)`
}

/** xendomains(8) starts from it when the PM boots. */
function startsByItself({ path, links = [] }: FoundConfig): boolean {
  return [path, ...links].some((name) => name.startsWith('/etc/xen/auto/'))
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
  const told = (vm: Vm) => ({ ...vm, nics: vm.nics.map(({ id: _id, ...nic }) => nic) })
  const [one, other] = [told(before), told(after)]
  const fields = Object.keys(TOLD) as (keyof typeof TOLD)[]
  return fields.flatMap((field) => (isSame(one[field] ?? null, other[field] ?? null) ? [] : TOLD[field])).join(', ')
}
