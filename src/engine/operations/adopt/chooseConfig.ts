import { z } from 'zod'
import { disksApart, mergeSpec } from '../../../model/described.ts'
import { PengxError } from '../../../model/error.ts'
import { layersOf } from '../../../model/layer.ts'
import type { Vm } from '../../../model/vm.ts'
import { digestOf } from '../../hypervisor/configs.ts'
import type { ChangingStep, Context } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { linkedAwayOf } from '../../tools/files.ts'
import { type Change, type ChangeFacts, configStep, recordStep, refuseChange, rowsApart } from '../vm/change.ts'
import { configPathOf } from '../vm/configNow.ts'
import { configPathFor, livingDomain } from '../vm/domain.ts'
import { vmField, vmOperation } from '../vm/target.ts'
import { candidatesFor, needDescribes } from './adopted.ts'

/**
 * Which file describes a VM, where several do: that one is edited from then on, and the others become links to it, or
 * stay and are told of. A VM with snapshots has its volumes written into the file that is chosen.
 */
const params = z.object({
  vm: vmField,
  config: field(z.string().startsWith('/', 'is not an absolute path').optional(), {
    title: 'Configuration',
    from: 'config',
    help: 'the file that describes it from now on; none given: the one that does',
  }),
  link: field(z.boolean().default(false), {
    title: 'Link the others',
    help: 'make the other files that describe it links to that one; what they say is kept beside them',
  }),
})
type Params = z.infer<typeof params>

type Other = { readonly path: string; readonly kept: string }
type Facts = ChangeFacts & {
  readonly chosen: string
  readonly others: readonly Other[]
}

function refuse({ vm, config, link }: Params, view: View): string | undefined {
  if (config === undefined && !link)
    return 'nothing is given to change: a file (config), or that the others become links'
  return refuseChange(view.needVm(vm), view)
}

async function gather({ vm, config }: Params, cx: Context): Promise<Facts> {
  const row = cx.view.needVm(vm)
  const host = cx.host(row.pm)
  const domain = await livingDomain(cx, row)
  const file = await cx.hypervisor.readConfig(host, config ?? configPathOf(row))
  needDescribes(file, row)
  const apart = disksApart(row, file.spec)
  const layered = layersOf(row).length > 0
  if (apart !== undefined && domain && !layered)
    throw new PengxError('refused', `${row.name} runs on other disks: ${file.path} names ${apart}: shut it down first`)
  // its volumes go into the file by the change; all else is as the file has it
  const base = mergeSpec(row, file.spec)
  const all = await cx.hypervisor.configFiles(host, cx.signal)
  const beside = candidatesFor({ uuid: row.uuid, domainName: file.spec.domainName }, all).filter(
    ({ path }) => path !== file.target,
  )
  const others = await Promise.all(
    beside.map(async ({ path }) => {
      const { text } = await cx.hypervisor.readConfig(host, path)
      return { path, kept: linkedAwayOf(path, digestOf(text)) }
    }),
  )
  return {
    ...rowsApart(row, base, file.text),
    configPath: file.target,
    domid: domain?.domid ?? null,
    configForeign: file.target !== configPathFor(row.uuid),
    chosen: file.path,
    others,
  }
}

function chosen({ link }: Params, facts: Facts): Change {
  const { before, others } = facts
  return (vm) => {
    const volumes = new Map((before as Vm).disks.map((disk) => [disk.vdev, disk]))
    const layered = layersOf(before as Vm).length > 0
    const { otherConfigs: _then, ...row } = vm
    return {
      ...row,
      configPath: facts.chosen,
      configForeign: facts.configForeign,
      ...(link || others.length === 0 ? {} : { otherConfigs: others.map(({ path }) => path) }),
      disks: layered ? vm.disks.map((disk) => volumes.get(disk.vdev) ?? disk) : vm.disks,
    }
  }
}

function linkStep({ before: { pm }, configPath: target }: Facts, { path, kept }: Other): ChangingStep {
  return {
    name: `make ${path} a link`,
    onward: true,
    shows: [`ln ${path} ${kept}`, `ln -s ${target} ${path}`],
    async do(cx) {
      await cx.hypervisor.linkConfig(cx.host(pm), { path, target, kept }, cx.tag)
      return null
    },
    isApplied: async (cx) => (await cx.hypervisor.readConfig(cx.host(pm), path)).target === target,
    undo: (cx) => cx.hypervisor.unlinkConfig(cx.host(pm), { path, target, kept }, cx.tag),
  }
}

export const vmConfig = vmOperation<Params, Facts>({
  name: 'vm.config',
  title: 'choose the configuration of',
  help: 'Says which file describes a VM where several do, and makes links of the others.',
  danger: 'safe',
  params,
  refuse,
  gather,
  plan(p, facts) {
    const change = chosen(p, facts)
    const links = p.link ? facts.others.map((other) => linkStep(facts, other)) : []
    return [configStep(facts, change), recordStep(facts, change), ...links]
  },
  effects: ({ link }, { others }) => ({ keeps: others.map(({ path, kept }) => (link ? kept : path)) }),
})
