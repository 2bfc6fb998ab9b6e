import { z } from 'zod'
import type { Disk } from '../../../model/disk.ts'
import { drivesFor } from '../../../model/drive.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Nic } from '../../../model/nic.ts'
import type { Template } from '../../../model/template.ts'
import { type Boot, domainNameFor, type Vm } from '../../../model/vm.ts'
import type { ChangingStep, Context } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { accessPm } from '../storlink/access.ts'
import { unseenBridgeField } from '../vm/bridges.ts'
import { hasConfig, newConfigStep } from '../vm/configFile.ts'
import { configPathFor, findDomain, lives, needNoDomain } from '../vm/domain.ts'
import { createStep, type DomainFacts, factsOf, shutdownSteps, whileOff } from '../vm/domainSteps.ts'
import { pickNics } from '../vm/pickNics.ts'
import { isForgotten, putBack, splitSecret, type VmSecrets } from '../vm/secrets.ts'
import { templateVolumes } from '../volume/asked.ts'
import { forceField } from '../volume/force.ts'
import { needSoleUse } from '../volume/users.ts'
import { protectStep, refuseTouch, templateField, templateOperation, unprotectStep } from './target.ts'

/**
 * A template is looked after by booting it: a VM of the template's own UUID runs on the template's disks, which may be
 * written to for as long as that VM is there. It is a VM like any other meanwhile (console, VNC, power), but its disks
 * are not its own: nothing that is done with it removes them. While VMs lie on the template it is refused: they
 * would read what changes under them.
 */
const startParams = z.object({
  template: templateField,
  memory: field(z.number().int().min(1).default(1024), { title: 'Memory', unit: 'MiB' }),
  vcpus: field(z.number().int().min(1).max(512).default(1), { title: 'VCPUs' }),
  bridges: field(z.array(z.string()).default([]), { title: 'Bridges', from: 'bridge' }),
  unseenBridge: unseenBridgeField,
  force: forceField,
  iso: field(z.string().optional(), { title: 'ISO image', from: 'iso', help: 'on the PM, to install from; HVM' }),
  vncPassword: field(z.string().min(1).max(8).optional(), { title: 'VNC password', secret: true, advanced: true }),
})
type StartParams = z.infer<typeof startParams>

type StartFacts = DomainFacts & {
  readonly template: Template & Json
  readonly nics: readonly (Nic & Json)[]
  readonly startedAt: number
}

function upkeepName(template: Pick<Template, 'name'>): string {
  return [...`upkeep of ${template.name}`].slice(0, 100).join('')
}

type Upkeep = Pick<StartFacts, 'template' | 'pm' | 'nics' | 'startedAt'>

function upkeepVm(p: StartParams, { template, pm, nics, startedAt }: Upkeep): Vm {
  const boot: Boot = p.iso === undefined ? template.boot : { ...template.boot, order: 'dc' }
  const password = p.vncPassword === undefined ? {} : { password: p.vncPassword }
  const name = upkeepName(template)
  return {
    uuid: template.uuid,
    pm,
    origin: 'created',
    name,
    domainName: domainNameFor(name, template.uuid),
    type: template.type,
    vcpuCount: p.vcpus,
    maxVcpuCount: p.vcpus,
    memoryMib: p.memory,
    maxmemMib: p.memory,
    boot,
    ...(template.type === 'hvm' ? { vnc: { listen: '127.0.0.1', ...password } } : {}),
    ...drivesFor(
      template.disks.map((disk, index): Disk => ({ ...disk, vdev: vdevOf(index), readOnly: false, owned: false })),
      p.iso,
    ),
    nics,
    extraConfig: '',
    desc: '',
    os: template.os,
    osArch: template.osArch,
    template: template.uuid,
    createdAt: startedAt,
    configPath: configPathFor(template.uuid),
    configForeign: false,
    seen: { state: 'shutdown', since: startedAt, drift: [] },
  }
}

function vdevOf(index: number): string {
  return `xvd${String.fromCharCode(97 + index)}`
}

function refuseStart(p: StartParams, view: View): string | undefined {
  const template = view.needTemplate(p.template)
  const running = view.getVm(p.template)
  if (running) return `it is booted for upkeep already, as VM ${running.name}`
  if (p.iso !== undefined && template.type !== 'hvm') return `iso is for HVM guests, and this one is ${template.type}`
  if (template.disks.length === 0) return 'it has no disk'
  return refuseTouch(template, view)
}

export const templateStart = templateOperation<StartParams, StartFacts>({
  name: 'template.start',
  title: 'boot template',
  help: 'Boots a template for upkeep: a VM runs on its own disks until template.shutdown; refused while VMs lie on it.',
  danger: 'disrupts',
  params: startParams,
  refuse: refuseStart,
  async gather(p, cx) {
    const template = cx.view.needTemplate(p.template)
    const pm = accessPm(cx.view.needStorlink(template.disks[0]!.storlink), cx.view)!
    const nics = pickNics(pm, p.bridges, cx.view, p.unseenBridge)
    const startedAt = cx.clock.now()
    const rest = { template: template as Template & Json, nics, startedAt }
    const vm = upkeepVm(p, { pm: pm.uuid, ...rest })
    await needNoDomain(cx, vm)
    await needSoleUse(cx, vm, templateVolumes(template), { use: 'rewrite', force: p.force })
    return { ...factsOf(vm, 0), ...rest }
  },
  plan: (p, facts) => [
    unprotectStep('unlock its disks', facts.template, facts.pm),
    {
      name: 'make its VM',
      async do(cx) {
        await cx.inventory.putVm(upkeepVm(p, facts))
        return null
      },
      isApplied: async (cx) => cx.view.getVm(facts.uuid) !== undefined,
      undo: (cx) => cx.inventory.dropVm(facts.uuid),
    },
    newConfigStep(facts.pm, facts.configPath, (cx) => cx.hypervisor.formatConfig(facts.uuid, upkeepVm(p, facts))),
    createStep(facts, { anew: true, force: p.force }),
    {
      name: 'record',
      async do(cx) {
        const template: Template = facts.template
        await cx.inventory.putTemplate({ ...template, bootedAt: facts.startedAt })
        return null
      },
      isApplied: async (cx) => cx.view.needTemplate(facts.uuid).bootedAt === facts.startedAt || 'again',
      undo: (cx) => cx.inventory.putTemplate(facts.template),
    },
  ],
  result: ({ template }, _facts, view) => ({ uuid: template, vm: view.getVm(template)?.name ?? '' }),
})

const shutdownParams = z.object({
  template: templateField,
  timeout: field(z.number().int().min(1).max(86_400).default(120), {
    title: 'Wait',
    help: 'how long the guest may take; one that does not react is powered off as a VM (vm.poweroff)',
    unit: 's',
  }),
})
type ShutdownParams = z.infer<typeof shutdownParams>

type ShutdownFacts = {
  readonly vm: Vm & Json
  readonly secrets: VmSecrets
  readonly template: Template & Json
  readonly domid: number | null
}

/** What the template's disks have become: they may have been grown meanwhile. */
function afterUpkeep(template: Template, vm: Vm): Template {
  const disks = template.disks.map((disk) => {
    const grown = vm.disks.find((other) => other.path === disk.path)?.sizeMib
    return { ...disk, sizeMib: grown ?? disk.sizeMib }
  })
  return { ...template, disks }
}

async function gatherShutdown({ template }: ShutdownParams, cx: Context): Promise<ShutdownFacts> {
  const row = cx.view.needTemplate(template)
  const vm = cx.view.needVm(template)
  const domain = await findDomain(cx, vm)
  if (domain?.state === 'paused')
    throw new PengxError('refused', `${vm.name} is paused and cannot react: resume it first`)
  const { domid } = lives(domain) ? domain : { domid: null }
  return { ...splitSecret(vm), template: row as Template & Json, domid }
}

function forgetStep({ vm, secrets, template }: ShutdownFacts): ChangingStep {
  return {
    name: 'forget its VM',
    pivot: true,
    async do(cx) {
      await cx.inventory.putTemplate(afterUpkeep(template, vm))
      await cx.inventory.dropVm(vm.uuid)
      return null
    },
    /** The guest is off and stays so: there is nothing to go back to. */
    isApplied: async (cx) => isForgotten(cx.view.getVm(vm.uuid)) || 'again',
    async undo(cx) {
      await putBack(cx, vm, secrets)
      await cx.inventory.putTemplate(template)
    },
  }
}

export const templateShutdown = templateOperation<ShutdownParams, ShutdownFacts>({
  name: 'template.shutdown',
  title: 'end upkeep of',
  help: 'Shuts a template that was booted for upkeep down, takes its VM away and locks its disks again.',
  danger: 'disrupts',
  params: shutdownParams,
  refuse({ template }, view) {
    view.needTemplate(template)
    const vm = view.getVm(template)
    if (!vm) return 'it is not booted for upkeep'
    if (vm.seen.state === 'unknown') return `PM ${view.getPm(vm.pm)?.name ?? vm.pm} cannot be reached`
    const own = vm.disks.find((disk) => disk.owned)
    return own && `disk ${own.vdev} was added to its VM and would be lost: delete it first (disk.delete)`
  },
  gather: gatherShutdown,
  plan({ timeout }, facts) {
    const { vm, template, domid } = facts
    return [
      ...(domid === null ? [] : shutdownSteps(factsOf(vm, domid), timeout)),
      whileOff(protectStep(vm.pm, template.disks, false, 'lock its disks'), vm),
      whileOff(forgetStep(facts), vm),
      {
        name: 'remove the configuration',
        shows: [`remove ${configPathFor(vm.uuid)}`],
        async do(cx) {
          await cx.hypervisor.removeConfig(cx.host(vm.pm), configPathFor(vm.uuid), cx.tag)
          return null
        },
        isApplied: async (cx) => !(await hasConfig(cx, vm.pm, configPathFor(vm.uuid))) || 'again',
      },
    ]
  },
})
