import { newUuid } from '../../../lib/ids.ts'
import type { Json } from '../../../model/json.ts'
import type { Boot } from '../../../model/vm.ts'
import type { Context, Lock, Operation } from '../../jobs/operation.ts'
import { newConfigStep } from './configFile.ts'
import { diskStep, gatherDisks } from './createDisks.ts'
import { type CreateParams, candidatePms, createParams, refuseCreate, storlinkFor, typeFor } from './createParams.ts'
import { configPathFor } from './domain.ts'
import { bootOf, type NewVmFacts, needFiles, rowOf, takeNameStep } from './newVm.ts'
import { pickNics } from './pickNics.ts'
import { pickSeed, seedOf, seedStep } from './seed.ts'

/** A new VM with an empty disk, or from a template or an image (newVm.ts says in which order). */

async function gather(p: CreateParams, cx: Context): Promise<NewVmFacts> {
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

export const vmCreate: Operation<CreateParams, NewVmFacts> = {
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
