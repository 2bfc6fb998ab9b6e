import { describes } from '../../../model/described.ts'
import { identifyDisks } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import { domainNameFor, type Vm, type VmSpec } from '../../../model/vm.ts'
import type { ConfigFile } from '../../hypervisor/domain.ts'
import type { ReadConfig } from '../../hypervisor/hypervisor.ts'
import { configPathFor } from '../vm/domain.ts'

/** What a VM that somebody else made is from its adoption on. */

type Named = Pick<Vm, 'uuid' | 'domainName'>

/** The files that may describe a domain: by its UUID where one names that, else by its name alone. */
export function candidatesFor(domain: Named, files: readonly ConfigFile[]): readonly ConfigFile[] {
  const all = files.filter((file) => describes(file, domain))
  const own = all.filter((file) => file.uuid !== undefined)
  return own.length > 0 ? own : all
}

/** `invalid` for a file that describes another VM than this one. */
export function needDescribes(file: ReadConfig, vm: Named & Pick<Vm, 'name'>): void {
  if (describes(file, vm)) return
  const why =
    file.uuid === undefined
      ? `it names ${file.spec.domainName}, and the domain is ${vm.domainName}`
      : `its UUID is ${file.uuid}, and that of ${vm.name} is ${vm.uuid}`
  throw new PengxError('invalid', `config: ${file.path} is of another VM: ${why}`)
}

/**
 * Why a file cannot be what a domain was built from, in words, or undefined: its disks are others, or it boots otherwise.
 * What changes while a guest runs (memory, processors, a CD) tells nothing.
 */
export function refuseAgreement(running: VmSpec, file: VmSpec): string | undefined {
  const vdevs = [...new Set([...running.disks, ...file.disks].map(({ vdev }) => vdev))]
  const pathOf = ({ disks }: VmSpec, vdev: string) => disks.find((disk) => disk.vdev === vdev)?.path
  const other = vdevs.find((vdev) => pathOf(running, vdev) !== pathOf(file, vdev))
  if (other !== undefined)
    return `${other} is ${pathOf(file, other) ?? 'not there'}, and runs as ${pathOf(running, other) ?? 'none'}`
  const keys = ['kernel', 'ramdisk', 'bootloader'] as const
  // the kernel that a boot loader has taken from the disk is a file of a moment
  const key = keys.find(
    (one) => running.boot[one] !== file.boot[one] && !(one !== 'bootloader' && file.boot.bootloader),
  )
  return key && `${key} is ${file.boot[key] ?? 'not there'}, and runs as ${running.boot[key] ?? 'none'}`
}

/** The row of a VM that somebody else made, as it is from its adoption on; its file, if it has one, is its owner's. */
export function adoptedVm(from: {
  readonly spec: VmSpec
  readonly uuid: string
  readonly pm: string
  readonly name: string
  readonly now: number
  readonly before?: Vm
  readonly configPath?: string
}): Vm {
  const { spec, uuid, pm, name, now, before, configPath } = from
  return {
    ...spec,
    uuid,
    pm,
    name,
    domainName: spec.domainName || domainNameFor(spec.name, uuid),
    disks: identifyDisks(uuid, spec.disks, now),
    origin: 'adopted',
    desc: before?.desc ?? '',
    os: before?.os ?? '',
    osArch: before?.osArch ?? '',
    createdAt: before?.createdAt ?? now,
    configPath: configPath ?? configPathFor(uuid),
    configForeign: configPath !== undefined,
    seen: before?.seen ?? { state: 'shutdown', since: now, drift: [] },
    ...(before?.bootedAt === undefined ? {} : { bootedAt: before.bootedAt }),
  }
}
