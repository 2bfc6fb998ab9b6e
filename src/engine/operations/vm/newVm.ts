import { drivesFor } from '../../../model/drive.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Nic } from '../../../model/nic.ts'
import type { Pm } from '../../../model/pm.ts'
import type { Level } from '../../../model/storlink.ts'
import { type Boot, domainNameFor, type Vm, type VmType } from '../../../model/vm.ts'
import { batch } from '../../host/batch.ts'
import { runBatch } from '../../host/run.ts'
import type { ChangingStep, Context } from '../../jobs/operation.ts'
import type { NewDisk, NewDisks } from './createDisks.ts'
import type { CreateParams } from './createParams.ts'
import { configPathFor } from './domain.ts'

/**
 * What every VM has that is made from parameters, wherever its disks come from: its row first, so that its name and
 * addresses are taken; then its disks under UUIDs picked before; then its configuration. It is left shut down.
 */
export type NewVmFacts = NewDisks & {
  readonly uuid: string
  readonly pm: string
  readonly level: Level
  readonly nics: readonly (Nic & Json)[]
  readonly seed: NewDisk | null
  /** What comes from the template where it is not given. */
  readonly type: VmType
  readonly boot: Boot & Json
  readonly os: string
  readonly osArch: string
  readonly createdAt: number
}

/** Throws `invalid` where a file that the configuration names is not there: it has to be before anything is made. */
export async function needFiles(cx: Context, pm: Pm, p: CreateParams, boot: Boot): Promise<void> {
  const named = Object.entries({ kernel: boot.kernel, ramdisk: boot.ramdisk, iso: p.iso, image: p.image }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  if (named.length === 0) return
  const parts = named.map(([, path]) => ({
    argv: ['test', '-r', path] as const,
    effect: 'read' as const,
    okExits: [0, 1],
  }))
  const outputs = await runBatch(cx.host(pm.uuid), batch(parts), cx.signal)
  named.forEach(([what, path], index) => {
    if (outputs[index]?.exit !== 0) throw new PengxError('invalid', `${what}: there is no file ${path} on ${pm.name}`)
  })
}

/** How it boots: what is given wins over what it was before, in a template or wherever it comes from. Asks nobody. */
export function bootOf(p: CreateParams, type: VmType, before: Boot): Boot {
  const { kernel, ramdisk, cmdline, firmware } = p
  const isBare = type === 'pv' && (kernel ?? before.kernel) === undefined
  const bootloader = p.bootloader ?? before.bootloader ?? (isBare ? 'pygrub' : undefined)
  const order = type === 'hvm' ? { order: p.iso === undefined ? (before.order ?? 'c') : 'dc' } : {}
  const given = Object.entries({ kernel, ramdisk, cmdline, firmware, bootloader }).filter(
    ([, value]) => value !== undefined,
  )
  return { ...before, ...Object.fromEntries(given), ...order }
}

/** Its row, as it is written down first. Asks nobody. */
export function rowOf(p: CreateParams, facts: NewVmFacts): Vm {
  const password = p.vncPassword === undefined ? {} : { password: p.vncPassword }
  const vnc = p.vnc && facts.type === 'hvm' ? { vnc: { listen: '127.0.0.1', ...password } } : {}
  return {
    uuid: facts.uuid,
    pm: facts.pm,
    origin: 'created',
    name: p.name,
    domainName: domainNameFor(p.name, facts.uuid),
    type: facts.type,
    vcpuCount: p.vcpus,
    maxVcpuCount: p.maxVcpus ?? p.vcpus,
    memoryMib: p.memory,
    maxmemMib: p.maxmem ?? p.memory,
    boot: facts.boot,
    ...vnc,
    ...drivesFor([...facts.disks, ...(facts.seed ? [facts.seed] : [])], p.iso),
    nics: facts.nics,
    extraConfig: '',
    desc: p.desc,
    os: facts.os,
    osArch: facts.osArch,
    ...(p.template === undefined ? {} : { template: p.template }),
    createdAt: facts.createdAt,
    configPath: configPathFor(facts.uuid),
    configForeign: false,
    seen: { state: 'shutdown', since: facts.createdAt, drift: [] },
  }
}

/** The step that writes its row down: from then on its name and its addresses are taken. */
export function takeNameStep(uuid: string, name: string, row: () => Vm): ChangingStep {
  return {
    name: `take the name ${name}`,
    async do(cx) {
      await cx.inventory.putVm(row())
      return null
    },
    isApplied: async (cx) => cx.view.getVm(uuid) !== undefined,
    undo: (cx) => cx.inventory.dropVm(uuid),
  }
}
