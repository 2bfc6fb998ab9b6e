import { z } from 'zod'
import { PengxError } from '../../../model/error.ts'
import type { VmState } from '../../../model/vm.ts'
import type { Context } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import { usedBy } from '../volume/asked.ts'
import { forceField } from '../volume/force.ts'
import { needSoleUse } from '../volume/users.ts'
import { needBridges, unseenBridgeField } from './bridges.ts'
import { findDomain, lives, needDomain, needNoDomain, refuseState, refuseVolumes } from './domain.ts'
import { createStep, type DomainFacts, destroyStep, factsOf, isGone, shutdownSteps, waitFor } from './domainSteps.ts'
import { type VmParams, vmField, vmOperation, vmParams } from './target.ts'

/**
 * Power: what becomes of a VM's domain. A domid is looked up in `gather`, at the moment of acting; Xen does not
 * give one out again before all have been used, so an old one hits nobody else.
 */

const patience = field(z.number().int().min(1).max(86_400).default(120), {
  title: 'Wait',
  help: 'how long the guest may take',
  unit: 's',
})
const patientParams = z.object({ vm: vmField, timeout: patience })
type PatientParams = z.infer<typeof patientParams>

async function gatherRunning({ vm }: VmParams, cx: Context): Promise<DomainFacts> {
  const row = cx.view.needVm(vm)
  return factsOf(row, (await needDomain(cx, row)).domid)
}

const startParams = z.object({
  vm: vmField,
  force: forceField,
  unseenBridge: unseenBridgeField,
})
type StartParams = z.infer<typeof startParams>

export const vmStart = vmOperation<StartParams, DomainFacts>({
  name: 'vm.start',
  title: 'start',
  help: 'Builds the domain of a VM that is shut down and lets it run.',
  danger: 'safe',
  params: startParams,
  refuse({ vm }, view) {
    const row = view.needVm(vm)
    return refuseState(row, view, ['shutdown'], { paused: 'resume it instead' }) ?? refuseVolumes(row)
  },
  async gather({ vm, force, unseenBridge }, cx) {
    const row = cx.view.needVm(vm)
    await needNoDomain(cx, row)
    await needSoleUse(cx, row, usedBy(row, cx.view), { use: 'write', begins: true, force })
    needBridges(row, cx.view.needPm(row.pm), unseenBridge)
    return factsOf(row, 0)
  },
  plan: ({ force }, facts) => [createStep(facts, { force })],
})

export const vmShutdown = vmOperation<PatientParams, DomainFacts>({
  name: 'vm.shutdown',
  title: 'shut down',
  help: 'Asks the guest to shut down, and waits until its domain is gone.',
  danger: 'disrupts',
  params: patientParams,
  refuse: ({ vm }, view) =>
    refuseState(view.needVm(vm), view, ['running'], {
      paused: 'a paused guest cannot react; resume it first, or power it off',
      crashed: 'power it off',
    }),
  gather: gatherRunning,
  plan: ({ timeout }, facts) => shutdownSteps(facts, timeout),
})

export const vmReboot = vmOperation<PatientParams, DomainFacts>({
  name: 'vm.reboot',
  title: 'reboot',
  help: 'Asks the guest to reboot, and waits until its new domain runs.',
  danger: 'disrupts',
  params: patientParams,
  refuse: ({ vm }, view) =>
    refuseState(view.needVm(vm), view, ['running'], {
      paused: 'a paused guest cannot react; resume it first',
      shutdown: 'start it',
    }),
  gather: gatherRunning,
  plan: ({ timeout }, facts) => [
    {
      name: 'ask the guest',
      shows: [`xl reboot ${facts.domid}`],
      async do(cx) {
        await cx.hypervisor.reboot(cx.host(facts.pm), facts.domid, cx.tag)
        return null
      },
      isApplied: (cx) => isGone(cx, facts),
    },
    {
      name: 'wait until it is back',
      weight: 10,
      onlyReads: true,
      async do(cx) {
        const back = async () => {
          const domain = await findDomain(cx, facts)
          return domain !== undefined && domain.domid !== facts.domid && domain.state === 'running'
        }
        const complaint =
          'ignores the request to reboot, or does not come back: look at its console, or reset it; it did not reboot'
        await waitFor(cx, facts, timeout, back, complaint)
        return null
      },
    },
  ],
})

/** All that have a domain: also what is only half there goes. */
const POWERED: readonly VmState[] = ['running', 'paused', 'crashed', 'broken', 'dying', 'starting']

export const vmPoweroff = vmOperation<VmParams, DomainFacts>({
  name: 'vm.poweroff',
  title: 'power off',
  help: 'Takes the domain away at once, as pulling the plug does; the guest may lose what it had not written.',
  danger: 'disrupts',
  params: vmParams,
  refuse: ({ vm }, view) => refuseState(view.needVm(vm), view, POWERED),
  async gather({ vm }, cx) {
    const row = cx.view.needVm(vm)
    const domain = await findDomain(cx, row)
    if (!domain)
      throw new PengxError('refused', `${row.name} has no domain on ${cx.view.needPm(row.pm).name}: it is shut down`)
    return factsOf(row, domain.domid)
  },
  plan: (_params, facts) => [destroyStep(facts)],
})

export const vmReset = vmOperation<VmParams, DomainFacts>({
  name: 'vm.reset',
  title: 'reset',
  help: 'Takes the domain away at once and builds it again (xl destroy, xl create).',
  danger: 'disrupts',
  params: vmParams,
  refuse({ vm }, view) {
    const row = view.needVm(vm)
    if (row.origin === 'found')
      return 'it is not adopted, so there is no configuration to start it again from: adopt it first'
    return refuseState(row, view, ['running', 'paused', 'crashed'], { shutdown: 'start it' })
  },
  async gather(p, cx) {
    const row = cx.view.needVm(p.vm)
    const facts = await gatherRunning(p, cx)
    await needSoleUse(cx, row, usedBy(row, cx.view), { use: 'write' })
    return facts
  },
  plan: (_params, facts) => [
    { ...destroyStep(facts, { rebuilt: true }), pivot: true },
    { ...createStep(facts), undo: undefined },
  ],
})

export const vmSuspend = vmOperation<VmParams, DomainFacts>({
  name: 'vm.suspend',
  title: 'pause',
  help: 'Stops the guest where it is; it keeps its memory and goes on when resumed (xl pause).',
  danger: 'safe',
  params: vmParams,
  refuse: ({ vm }, view) => refuseState(view.needVm(vm), view, ['running']),
  gather: gatherRunning,
  plan: (_params, facts) => [
    {
      name: 'pause',
      shows: [`xl pause ${facts.domid}`],
      async do(cx) {
        await cx.hypervisor.pause(cx.host(facts.pm), facts.domid, cx.tag)
        return null
      },
      isApplied: async (cx) => (await ownState(cx, facts)) === 'paused',
      undo: (cx) => whilePresent(cx, facts, () => cx.hypervisor.unpause(cx.host(facts.pm), facts.domid, cx.tag)),
    },
  ],
})

export const vmResume = vmOperation<VmParams, DomainFacts>({
  name: 'vm.resume',
  title: 'resume',
  help: 'Lets a paused guest go on (xl unpause).',
  danger: 'safe',
  params: vmParams,
  refuse: ({ vm }, view) => refuseState(view.needVm(vm), view, ['paused'], { shutdown: 'start it' }),
  gather: gatherRunning,
  plan: (_params, facts) => [
    {
      name: 'unpause',
      shows: [`xl unpause ${facts.domid}`],
      async do(cx) {
        await cx.hypervisor.unpause(cx.host(facts.pm), facts.domid, cx.tag)
        return null
      },
      async isApplied(cx) {
        const state = await ownState(cx, facts)
        return state !== undefined && state !== 'paused'
      },
      undo: (cx) => whilePresent(cx, facts, () => cx.hypervisor.pause(cx.host(facts.pm), facts.domid, cx.tag)),
    },
  ],
})

/** Of the domain that the facts name; undefined where it is no more. */
async function ownState(cx: Context, { uuid, pm, domid }: DomainFacts): Promise<VmState | undefined> {
  const domain = await findDomain(cx, { uuid, pm })
  return domain?.domid === domid ? domain.state : undefined
}

/** A guest may have left meanwhile; then there is nothing to turn back. */
async function whilePresent(cx: Context, facts: DomainFacts, act: () => Promise<void>): Promise<void> {
  const domain = await findDomain(cx, facts)
  if (lives(domain) && domain.domid === facts.domid) await act()
}
