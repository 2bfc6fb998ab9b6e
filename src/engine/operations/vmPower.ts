import { z } from 'zod'
import { PengxError, toPengxError } from '../../model/error.ts'
import type { Vm } from '../../model/vm.ts'
import type { Context, Step } from '../jobs/operation.ts'
import { field } from '../jobs/params.ts'
import {
  configPathFor,
  findDomain,
  needDomain,
  needNoDomain,
  refuseState,
  type VmParams,
  vmField,
  vmOperation,
  vmParams,
} from './vmSubject.ts'

/**
 * Power: what becomes of a VM's domain. A domid is looked up in `gather`, at the moment of acting; Xen does not
 * give one out again before all have been used, so an old one hits nobody else.
 */

type Facts = {
  readonly uuid: string
  readonly pm: string
  readonly name: string
  readonly domid: number
  readonly configPath: string
}

const patience = field(z.number().int().min(1).max(86_400).default(120), {
  title: 'Wait',
  help: 'how long the guest may take',
  unit: 's',
})
const patientParams = z.object({ vm: vmField, timeout: patience })
type PatientParams = z.infer<typeof patientParams>

function factsOf(vm: Vm, domid: number): Facts {
  return { uuid: vm.uuid, pm: vm.pm, name: vm.name, domid, configPath: vm.configPath ?? configPathFor(vm.uuid) }
}

async function gatherRunning({ vm }: VmParams, cx: Context): Promise<Facts> {
  const row = cx.view.needVm(vm)
  return factsOf(row, (await needDomain(cx, row)).domid)
}

/** Builds the domain; where it fails, what was half built of this VM's domain is taken down again. */
function createStep(facts: Facts): Step {
  return {
    name: 'create the domain',
    weight: 10,
    shows: [`xl create ${facts.configPath} 'uuid="${facts.uuid}"'`],
    async do(cx) {
      const vm = cx.view.needVm(facts.uuid)
      const text = vm.configForeign ? {} : { text: cx.hypervisor.formatConfig(vm.uuid, vm) }
      const config = { path: facts.configPath, uuid: vm.uuid, domainName: vm.domainName, ...text }
      try {
        const made = await cx.hypervisor.create(cx.host(facts.pm), config, cx.tag, cx.signal)
        await cx.saw(facts.pm, made.domains)
        return { domid: made.domid }
      } catch (error) {
        // Done before: this step is repeated after a crash, and the domain in the way is this VM's own.
        const present = toPengxError(error).code === 'conflict' ? await findDomain(cx, vm) : undefined
        if (present && present.state !== 'dying') return { domid: present.domid }
        throw error
      }
    },
    async undo(cx) {
      const domain = await findDomain(cx, { uuid: facts.uuid, pm: facts.pm })
      if (domain) await cx.hypervisor.destroy(cx.host(facts.pm), domain.domid, cx.tag)
    },
  }
}

function destroyStep(facts: Facts): Step {
  return {
    name: 'destroy the domain',
    shows: [`xl destroy ${facts.domid}`],
    async do(cx) {
      await cx.hypervisor.destroy(cx.host(facts.pm), facts.domid, cx.tag)
      return null
    },
  }
}

export const vmStart = vmOperation<VmParams, Facts>({
  name: 'vm.start',
  title: 'start',
  help: 'Builds the domain of a VM that is shut down and lets it run.',
  danger: 'safe',
  params: vmParams,
  refuse({ vm }, view) {
    const row = view.needVm(vm)
    return refuseState(row, view, ['shutdown'], { paused: 'resume it instead' })
  },
  async gather({ vm }, cx) {
    const row = cx.view.needVm(vm)
    await needNoDomain(cx, row)
    const bridges = cx.view.needPm(row.pm).seen.bridges
    for (const nic of row.nics) {
      if (bridges && bridges.length > 0 && !bridges.includes(nic.bridge)) {
        const pm = cx.view.needPm(row.pm).name
        throw new PengxError(
          'refused',
          `${row.name}: bridge ${nic.bridge} of ${nic.name} is not on ${pm}, which has ${bridges.join(', ')}`,
        )
      }
    }
    return factsOf(row, 0)
  },
  plan: (_params, facts) => [createStep(facts)],
})

/** Waits for a state, looking once a second; what the guest does not do in time is said, not forced. */
async function waitFor(
  cx: Context,
  facts: Facts,
  timeoutS: number,
  reached: () => Promise<boolean>,
  complaint: string,
): Promise<void> {
  const began = cx.clock.now()
  while (!(await reached())) {
    const waitedS = (cx.clock.now() - began) / 1000
    if (waitedS >= timeoutS) throw new PengxError('commandFailed', `${facts.name} ${complaint} within ${timeoutS} s`)
    cx.progress(Math.min(0.99, waitedS / timeoutS), `waited ${Math.floor(waitedS)} s of at most ${timeoutS}`)
    await cx.clock.sleep(waitedS < 3 ? 300 : 1000, cx.signal)
  }
}

/** A domain that has shut down but is not taken away (its `xl` is gone) is destroyed after this long. */
const LINGER_MS = 15_000

export const vmShutdown = vmOperation<PatientParams, Facts>({
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
  plan: ({ timeout }, facts) => [
    {
      name: 'ask the guest',
      shows: [`xl shutdown ${facts.domid}`],
      async do(cx) {
        await cx.hypervisor.shutdown(cx.host(facts.pm), facts.domid, cx.tag)
        return null
      },
    },
    {
      name: 'wait until it is off',
      weight: 10,
      async do(cx) {
        let dyingSince: number | undefined
        const gone = async () => {
          const domain = (await cx.look(facts.pm)).find((other) => other.domid === facts.domid)
          if (!domain) return true
          if (domain.state !== 'dying') return false
          dyingSince ??= cx.clock.now()
          if (cx.clock.now() - dyingSince < LINGER_MS) return false
          await cx.hypervisor.destroy(cx.host(facts.pm), facts.domid, cx.tag)
          cx.notice('its domain had shut down and was not taken away; it was destroyed')
          return true
        }
        const complaint = 'ignores the request to shut down: look at its console, or power it off; it did not stop'
        await waitFor(cx, facts, timeout, gone, complaint)
        return null
      },
    },
  ],
})

export const vmReboot = vmOperation<PatientParams, Facts>({
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
    },
    {
      name: 'wait until it is back',
      weight: 10,
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

export const vmPoweroff = vmOperation<VmParams, Facts>({
  name: 'vm.poweroff',
  title: 'power off',
  help: 'Takes the domain away at once, as pulling the plug does; the guest may lose what it had not written.',
  danger: 'disrupts',
  params: vmParams,
  refuse: ({ vm }, view) => refuseState(view.needVm(vm), view, ['running', 'paused', 'crashed', 'dying', 'starting']),
  async gather({ vm }, cx) {
    const row = cx.view.needVm(vm)
    const domain = await findDomain(cx, row)
    if (!domain)
      throw new PengxError('refused', `${row.name} has no domain on ${cx.view.needPm(row.pm).name}: it is shut down`)
    return factsOf(row, domain.domid)
  },
  plan: (_params, facts) => [destroyStep(facts)],
})

export const vmReset = vmOperation<VmParams, Facts>({
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
  gather: gatherRunning,
  plan: (_params, facts) => [
    { ...destroyStep(facts), pivot: true },
    { ...createStep(facts), undo: undefined },
  ],
})

export const vmSuspend = vmOperation<VmParams, Facts>({
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
      undo: (cx) => whilePresent(cx, facts, () => cx.hypervisor.unpause(cx.host(facts.pm), facts.domid, cx.tag)),
    },
  ],
})

export const vmResume = vmOperation<VmParams, Facts>({
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
      undo: (cx) => whilePresent(cx, facts, () => cx.hypervisor.pause(cx.host(facts.pm), facts.domid, cx.tag)),
    },
  ],
})

/** A guest may have left meanwhile; then there is nothing to turn back. */
async function whilePresent(cx: Context, facts: Facts, act: () => Promise<void>): Promise<void> {
  const domain = await findDomain(cx, facts)
  if (domain?.domid === facts.domid && domain.state !== 'dying') await act()
}
