import { newUuid } from '../../../lib/ids.ts'
import { drivesFor } from '../../../model/drive.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Nic } from '../../../model/nic.ts'
import type { Pm } from '../../../model/pm.ts'
import type { Level } from '../../../model/storlink.ts'
import { type Boot, domainNameFor, type Vm, type VmType } from '../../../model/vm.ts'
import { batch } from '../../host/batch.ts'
import { runBatch } from '../../host/run.ts'
import type { Context, Lock, Operation } from '../../jobs/operation.ts'
import { newConfigStep } from './configFile.ts'
import { diskStep, gatherDisks, type NewDisk, type NewDisks } from './createDisks.ts'
import { type CreateParams, candidatePms, createParams, refuseCreate, storlinkFor, typeFor } from './createParams.ts'
import { configPathFor } from './domain.ts'
import { takeNameStep } from './newVm.ts'
import { pickNics } from './pickNics.ts'
import { pickSeed, seedOf, seedStep } from './seed.ts'

/**
 * A new VM: its row first, so that its name and addresses are taken; then its disks under UUIDs picked before;
 * then its configuration. It is left shut down.
 */
type Facts = NewDisks & {
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

/** The files that the configuration names have to be there before anything is made. */
async function needFiles(cx: Context, pm: Pm, p: CreateParams, boot: Boot): Promise<void> {
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

async function gather(p: CreateParams, cx: Context): Promise<Facts> {
  const storlink = storlinkFor(p, cx.view)!
  const pm = candidatePms(p, cx.view)[0]!
  const template = p.template === undefined ? undefined : cx.view.needTemplate(p.template)
  const type = typeFor(p, cx.view)
  const boot = bootOf(p, type, template?.type === type ? template.boot : {})
  const nics = pickNics(pm, p.bridges, cx.view, p.unseenBridge)
  await needFiles(cx, pm, p, boot)
  const made = await gatherDisks(p, storlink, pm, cx)
  return {
    ...made,
    uuid: p.uuid!,
    pm: pm.uuid,
    level: storlink.level,
    nics,
    seed: pickSeed(p, storlink, cx) ?? null,
    type,
    boot: boot as Boot & Json,
    os: p.os || template?.os || '',
    osArch: p.osArch || template?.osArch || '',
    createdAt: cx.clock.now(),
  }
}

/** What is given wins over what the template says. */
function bootOf(p: CreateParams, type: VmType, before: Boot): Boot {
  const { kernel, ramdisk, cmdline, firmware } = p
  const isBare = type === 'pv' && (kernel ?? before.kernel) === undefined
  const bootloader = p.bootloader ?? before.bootloader ?? (isBare ? 'pygrub' : undefined)
  const order = type === 'hvm' ? { order: p.iso === undefined ? (before.order ?? 'c') : 'dc' } : {}
  const given = Object.entries({ kernel, ramdisk, cmdline, firmware, bootloader }).filter(
    ([, value]) => value !== undefined,
  )
  return { ...before, ...Object.fromEntries(given), ...order }
}

function rowOf(p: CreateParams, facts: Facts): Vm {
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

export const vmCreate: Operation<CreateParams, Facts> = {
  name: 'vm.create',
  title: 'create VM',
  help: 'Makes a VM with an empty disk, or from a template or an image; it is left shut down.',
  danger: 'safe',
  subjectKind: 'vm',
  target: { param: 'name', kind: 'text' },
  params: createParams,
  complete: (p) => ({ ...p, uuid: p.uuid ?? newUuid() }),
  subject: ({ uuid, name }) => ({ kind: 'vm', id: uuid ?? name, name }),
  locks(p, view) {
    const storlink = storlinkFor(p, view)
    return [
      { key: `vm:${p.uuid}`, mode: 'exclusive' },
      { key: `name:vm:${p.name}`, mode: 'exclusive' },
      { key: `storlink:${storlink?.id}`, mode: 'shared' },
      // Which of them has the most memory free is looked up when it is their turn.
      ...candidatePms(p, view).map((pm): Lock => ({ key: `pm:${pm.uuid}`, mode: 'shared' })),
      ...(p.template === undefined ? [] : [{ key: `template:${p.template}`, mode: 'shared' as const }]),
    ]
  },
  refuse: refuseCreate,
  gather,
  plan(p, facts) {
    const made = facts.disks.filter((disk) => disk.owned)
    return [
      takeNameStep(facts.uuid, p.name, () => rowOf(p, facts)),
      ...made.map((disk) => diskStep(disk, facts.sources[disk.uuid], facts, { uuid: facts.uuid, name: p.name })),
      ...(facts.seed ? [seedStep(facts.seed, seedOf(p, facts), facts)] : []),
      newConfigStep(facts.pm, configPathFor(facts.uuid), (cx) =>
        cx.hypervisor.formatConfig(facts.uuid, cx.view.needVm(facts.uuid)),
      ),
    ]
  },
  result: (_p, facts, view) => ({ uuid: facts.uuid, name: view.getVm(facts.uuid)?.name ?? '' }),
  touches: ({ uuid }, view) => {
    const pm = view.getVm(uuid ?? '')?.pm
    return pm === undefined ? [] : [pm]
  },
}
