import { PengxError, toPengxError } from '../../../model/error.ts'
import type { Vm } from '../../../model/vm.ts'
import { digestOf } from '../../hypervisor/configs.ts'
import type { CreateConfig } from '../../hypervisor/create.ts'
import type { DomainSeen } from '../../hypervisor/domain.ts'
import type { ChangingStep, Context, Step } from '../../jobs/operation.ts'
import { secretsOf } from '../../tools/xl/error.ts'
import { usedBy } from '../volume/asked.ts'
import { type ClaimOptions, claimVolumes, noteDomid, releaseVolumes } from '../volume/claims.ts'
import { needSoleUse } from '../volume/users.ts'
import { configNow, configPathOf, takenIn } from './configNow.ts'
import { configPathFor, findDomain, lives } from './domain.ts'
import { switchOn } from './switchOn.ts'

/** Steps on the domain of a VM, as more than one operation takes them. */

/** What they need of the VM and its PM, by UUID; a domid of 0 stands for a domain that is still to be built. */
export type DomainFacts = {
  readonly uuid: string
  readonly pm: string
  readonly name: string
  readonly domid: number
  readonly configPath: string
}

/** The facts of a VM and its domid; one without a file of its own gets the path of pengx's. */
export function factsOf(vm: Vm, domid: number): DomainFacts {
  return { uuid: vm.uuid, pm: vm.pm, name: vm.name, domid, configPath: configPathOf(vm) }
}

/** How often a domain is tried to be built on a PM that is too busy for its own time-outs. */
const CREATE_ATTEMPTS = 3

/**
 * Builds it. libxl gives each hotplug script 40 s and takes the domain down where one needs more, which many starts at
 * once can bring about: that is tried again, behind the others that wait for their turn.
 */
async function create(cx: Context, facts: DomainFacts, config: CreateConfig): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      const made = await cx.hypervisor.create(cx.host(facts.pm), config, cx.tag, cx.signal)
      await cx.saw(facts.pm, made.domains)
      return made.domid
    } catch (error) {
      const { code, message } = toPengxError(error)
      if (code !== 'busy' || attempt === CREATE_ATTEMPTS) throw error
      cx.notice(`${message} It is tried again.`)
      const left = await findDomain(cx, facts)
      if (left) await cx.hypervisor.destroy(cx.host(facts.pm), left.domid, cx.tag)
    }
  }
}

/** `xl create` builds a domain paused and lets it go last: one that has never run is half built, and holds nothing. */
function hasNeverRun({ state, cpuSeconds }: DomainSeen): boolean {
  return state === 'starting' || ((state === 'paused' || state === 'broken') && cpuSeconds === 0)
}

/** How long a domain that is there and has not run yet may be about to. */
const BUILT_MS = 10_000

/**
 * The domain in the way, where it is this VM's own, by an earlier attempt; what of it never runs is taken away. Throws
 * `refused` for one that has run and is broken.
 */
async function ownDomain(cx: Context, vm: Vm): Promise<DomainSeen | undefined> {
  const until = cx.clock.now() + BUILT_MS
  for (;;) {
    const present = await findDomain(cx, vm)
    if (!present || present.state === 'dying') return undefined
    if (present.state === 'broken' && !hasNeverRun(present))
      throw new PengxError('refused', `domain ${present.domid} of ${vm.name} is broken: power it off first`)
    if (!hasNeverRun(present)) return present
    if (cx.clock.now() >= until) {
      await cx.hypervisor.destroy(cx.host(vm.pm), present.domid, cx.tag)
      return undefined
    }
    await cx.clock.sleep(500, cx.signal)
  }
}

/**
 * What the VM is built from: its file as it is at this moment, which the row follows, or what pengx prints for one that it
 * has made. `refused` where the file is gone, or names other volumes than those that the VM's snapshots lie under.
 */
async function startedFrom(cx: Context, row: Vm): Promise<CreateConfig> {
  const config = await configNow(cx, row)
  const { uuid } = row
  if (config === undefined)
    return { path: configPathOf(row), uuid, domainName: row.domainName, text: cx.hypervisor.formatConfig(uuid, row) }
  const vm = takenIn(cx, row, config)
  if (vm !== row) {
    const { fileSays: _followed, ...seen } = cx.view.needVm(uuid).seen
    await cx.inventory.putVm({ ...vm, seen })
  }
  return {
    path: config.path,
    uuid,
    domainName: vm.domainName,
    digest: digestOf(config.text),
    secrets: secretsOf(config.text),
  }
}

async function createOnce(cx: Context, facts: DomainFacts, vm: Vm, config: CreateConfig): Promise<number> {
  try {
    return await create(cx, facts, config)
  } catch (error) {
    if (toPengxError(error).code !== 'conflict' || !(await findDomain(cx, vm))) throw error
    // This step is repeated after a crash, and the domain in the way is this VM's own.
    const present = await ownDomain(cx, vm)
    return present ? present.domid : await create(cx, facts, config)
  }
}

/**
 * Builds the domain (`xl create`, xl(1)) from the VM's file; a PM that is too
 * busy is tried again. Output: `domid`. The undo destroys what is there of this VM, half built or whole. `anew`: after a
 * gap it is built where it is not there, since what was made before it counts on it. `disposable`: the job takes it away
 * again whatever it has done, so its undo may too. Claims stand on its disks before it is there; `force` goes past those of
 * which nobody can tell what they are worth.
 */
export function createStep(
  facts: DomainFacts,
  { anew, disposable, force }: ClaimOptions & { readonly anew?: true; readonly disposable?: true } = {},
): ChangingStep {
  const { uuid, pm, name } = facts
  return {
    name: 'create the domain',
    weight: 10,
    onward: true,
    shows: [`xl create ${facts.configPath} 'uuid="${facts.uuid}"'`],
    async do(cx) {
      const vm = cx.view.needVm(facts.uuid)
      // Somebody may have started it by other means since it was looked for.
      if (cx.afterGap) await needSoleUse(cx, vm, usedBy(vm, cx.view), { use: 'write' })
      const config = await startedFrom(cx, vm)
      const started = cx.view.needVm(facts.uuid)
      await switchOn(cx, started, facts.pm)
      const claim = await claimVolumes(cx, started, { force })
      const domid = await createOnce(cx, facts, started, config).catch(async (error: unknown) => {
        if (toPengxError(error).code === 'conflict') await releaseVolumes(cx, facts, { passing: true })
        throw error
      })
      await noteDomid(cx, started, claim, domid)
      return { domid }
    },
    async isApplied(cx) {
      const domain = await findDomain(cx, { uuid, pm })
      if (lives(domain) && !hasNeverRun(domain)) return true
      return anew ? 'again' : false
    },
    async mayBeUsed(cx) {
      const domain = disposable ? undefined : await findDomain(cx, { uuid, pm })
      if (!domain || domain.state === 'dying' || hasNeverRun(domain)) return undefined
      return `domain ${domain.domid} of ${name} is there (${domain.state})`
    },
    async undo(cx) {
      const domain = await findDomain(cx, { uuid, pm })
      if (domain) await cx.hypervisor.destroy(cx.host(pm), domain.domid, cx.tag)
      await releaseVolumes(cx, facts)
      const own = configPathFor(uuid)
      if (facts.configPath === own) await cx.hypervisor.removeConfigDraft(cx.host(pm), own, cx.tag)
    },
  }
}

/** `rebuilt`: a step behind it builds the domain again, and the claims stay for that. */
export function destroyStep(facts: DomainFacts, { rebuilt }: { readonly rebuilt?: true } = {}): ChangingStep {
  return {
    name: 'destroy the domain',
    shows: [`xl destroy ${facts.domid}`],
    async do(cx) {
      await cx.hypervisor.destroy(cx.host(facts.pm), facts.domid, cx.tag)
      if (!rebuilt) await releaseVolumes(cx, facts)
      return null
    },
    /** What is on its way out goes on its way: half of a domain helps nobody. Who was cut off may not have come to the claims. */
    async isApplied(cx) {
      const domain = (await cx.look(facts.pm)).find(({ domid }) => domid === facts.domid)
      if (domain?.uuid !== facts.uuid) return cx.afterGap && !rebuilt ? 'again' : true
      return lives(domain) ? false : 'again'
    },
  }
}

/**
 * A step that counts on the VM being off, as it was when the job began: somebody may have started it since by other
 * means. `refused` then, with nothing done.
 */
export function whileOff(step: ChangingStep, vm: Pick<Vm, 'uuid' | 'pm' | 'name'>): ChangingStep {
  return {
    ...step,
    async do(cx) {
      const domain = await findDomain(cx, vm)
      if (domain)
        throw new PengxError('refused', `${vm.name} was started meanwhile: it has domain ${domain.domid}, and was off`)
      return await step.do(cx)
    },
  }
}

/** Whether the domain that the facts name is no more, or is on its way out. */
export async function isGone(cx: Context, { pm, uuid, domid }: DomainFacts): Promise<boolean> {
  const domain = (await cx.look(pm)).find((one) => one.domid === domid && one.uuid === uuid)
  return !lives(domain)
}

/** Waits for a state, looking once a second; what the guest does not do in time is said, not forced. */
export async function waitFor(
  cx: Context,
  facts: DomainFacts,
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

/**
 * Asks the guest (`xl shutdown`), and waits at most `timeout` seconds until its domain is gone, else throws
 * `commandFailed`; one that stays behind as a shell is destroyed.
 */
export function shutdownSteps(facts: DomainFacts, timeout: number): Step[] {
  return [
    {
      name: 'ask the guest',
      shows: [`xl shutdown ${facts.domid}`],
      async do(cx) {
        await cx.hypervisor.shutdown(cx.host(facts.pm), facts.domid, cx.tag)
        return null
      },
      isApplied: (cx) => isGone(cx, facts),
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
        await releaseVolumes(cx, facts)
        return null
      },
      /** Who was cut off behind it may not have come to the claims. */
      async isApplied(cx) {
        const gone = (await cx.look(facts.pm)).every((domain) => domain.domid !== facts.domid)
        return gone && !cx.afterGap ? true : 'again'
      },
    },
  ]
}
