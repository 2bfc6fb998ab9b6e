import { identifyDisks } from '../../../model/disk.ts'
import { domainNameFor, type Vm, type VmSpec } from '../../../model/vm.ts'
import type { ConfigFile } from '../../hypervisor/domain.ts'
import { configPathFor } from './domain.ts'

/** What a VM that somebody else made is from its adoption on. */

/** Finds the file that a domain was built from, by its UUID where the file names one. */
export function filesByDomain(
  files: readonly ConfigFile[],
): (domain: { readonly uuid: string; readonly name: string }) => ConfigFile | undefined {
  const keyOf = ({ uuid, name }: ConfigFile) => (uuid === undefined ? `name ${name}` : `uuid ${uuid}`)
  const found = new Map(files.toReversed().map((file) => [keyOf(file), file]))
  return ({ uuid, name }) => found.get(`uuid ${uuid}`) ?? found.get(`name ${name}`)
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
