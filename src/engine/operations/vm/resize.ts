import { z } from 'zod'
import { PengxError } from '../../../model/error.ts'
import type { Vm } from '../../../model/vm.ts'
import type { DomainSeen } from '../../hypervisor/domain.ts'
import type { Applied, Context, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { type Change, type ChangeFacts, configStep, gatherChange, recordStep, refuseChange } from './change.ts'
import { findDomain, lives } from './domain.ts'
import { vmField, vmOperation } from './target.ts'

/**
 * Processors and memory. A running guest gets what lies within the maximum that it was started with; the maximum itself
 * is the size of tables that are made at its start, so it changes only while the VM is shut down.
 */
const params = z.object({
  vm: vmField,
  vcpus: field(z.number().int().min(1).max(512).optional(), { title: 'VCPUs' }),
  memory: field(z.number().int().min(1).optional(), { title: 'Memory', unit: 'MiB' }),
  maxmem: field(z.number().int().min(1).optional(), {
    title: 'Maximum memory',
    unit: 'MiB',
    help: 'how much it can be given while it runs; of a VM that is shut down',
  }),
})
type Params = z.infer<typeof params>

/** What a running domain has, and what it can be given. */
type RunningSize = {
  readonly vcpus: number
  readonly memory: number
  readonly name: string
}
type Facts = ChangeFacts & { readonly live: RunningSize | null }

/** Of a VM that is shut down the maximum follows where it has to, and where it was the same. */
function resized({ vcpus, memory, maxmem }: Params, runs: boolean): Change {
  return (vm) => {
    const memoryMib = memory ?? vm.memoryMib
    if (runs) return { ...vm, memoryMib, vcpuCount: vcpus ?? vm.vcpuCount }
    const follows = vm.maxmemMib === vm.memoryMib ? memoryMib : Math.max(vm.maxmemMib, memoryMib)
    const vcpuCount = vcpus ?? vm.vcpuCount
    return {
      ...vm,
      vcpuCount,
      maxVcpuCount: Math.max(vm.maxVcpuCount, vcpuCount),
      memoryMib,
      maxmemMib: maxmem ?? follows,
    }
  }
}

function refuse(p: Params, view: View): string | undefined {
  const vm = view.needVm(p.vm)
  if (p.vcpus === undefined && p.memory === undefined && p.maxmem === undefined)
    return 'nothing is given to change: vcpus, memory or maxmem'
  const reason = refuseChange(vm, view)
  if (reason) return reason
  const online = vm.seen.state === 'shutdown' ? undefined : refuseOnline(p, vm, vm)
  if (online) return online
  const after = resized(p, vm.seen.state !== 'shutdown')(vm)
  if (after.maxmemMib < after.memoryMib)
    return `maxmem ${after.maxmemMib} MiB is less than memory ${after.memoryMib} MiB`
  const pm = view.getPm(vm.pm)
  if (pm && pm.memoryMib > 0 && p.memory !== undefined && p.memory > pm.memoryMib)
    return `memory ${p.memory} MiB is more than PM ${pm.name} has: ${pm.memoryMib} MiB`
  return undefined
}

/** `most` is what the domain was started with, as far as that is known. */
function refuseOnline(p: Params, vm: Vm, most: { maxVcpuCount: number; maxmemMib: number }): string | undefined {
  if (p.maxmem !== undefined && p.maxmem !== vm.maxmemMib)
    return `its maximum of ${vm.maxmemMib} MiB changes only while it is shut down`
  if (p.memory !== undefined && p.memory > most.maxmemMib)
    return `it was started with at most ${most.maxmemMib} MiB, and ${p.memory} are asked for: shut it down first`
  if (p.vcpus !== undefined && p.vcpus > most.maxVcpuCount)
    return `it was started with at most ${most.maxVcpuCount} VCPUs, and ${p.vcpus} are asked for: shut it down first`
  return undefined
}

async function gather(p: Params, cx: Context): Promise<Facts> {
  const facts = await gatherChange(p.vm, cx)
  const vm = cx.view.needVm(p.vm)
  if (facts.domid === null) return { ...facts, live: null }
  const host = cx.host(vm.pm)
  const [detail] = await cx.hypervisor.details(host, [facts.domid], cx.signal)
  if (!detail) throw new PengxError('refused', `${vm.name} went away while it was looked at`)
  const reason = refuseOnline(p, vm, detail.spec)
  if (reason) throw new PengxError('refused', `${vm.name}: ${reason}`)
  const { vcpuCount, memoryMib } = detail.spec
  const more = (p.memory ?? memoryMib) - memoryMib
  if (more > 0) {
    const { freeMib } = await cx.hypervisor.look(host, cx.signal)
    if (freeMib < more)
      throw new PengxError(
        'noSpace',
        `cannot give ${vm.name} ${more} MiB more: ${cx.view.needPm(vm.pm).name} has ${freeMib} MiB free`,
      )
  }
  return { ...facts, live: { vcpus: vcpuCount, memory: memoryMib, name: vm.name } }
}

/** How long a guest may take to do what Xen asks of it before that is worth a word. */
const GUEST_MS = 10_000
/** What Xen counts for itself, or not: screens, tables. */
const ABOUT_MIB = 16

/** Acts on the domain, if there is one, and gives its guest time to follow. */
async function give(
  cx: Context,
  facts: Facts,
  act: (domid: number) => Promise<void>,
  /** What is missing yet, as a sentence. */
  missing: (domain: DomainSeen) => string | undefined,
): Promise<void> {
  const find = () => findDomain(cx, facts.before)
  const domain = await find()
  if (!lives(domain)) return
  await act(domain.domid)
  const until = cx.clock.now() + GUEST_MS
  for (;;) {
    const now = await find()
    const words = now && missing(now)
    if (words === undefined) return
    if (domain.state === 'paused' || cx.clock.now() >= until)
      return cx.notice(`${words} so far: its guest decides when`)
    await cx.clock.sleep(500, cx.signal)
  }
}

/** A guest that is slow to follow, or has gone away since, has been told all the same, or is told again. */
async function isGiven(cx: Context, { before }: Facts, has: (domain: DomainSeen) => boolean): Promise<Applied> {
  const domain = await findDomain(cx, before)
  return !lives(domain) || has(domain) || 'again'
}

function setMemory(cx: Context, facts: Facts, mib: number): Promise<void> {
  return give(
    cx,
    facts,
    (domid) => cx.hypervisor.setMemory(cx.host(facts.before.pm), domid, mib, cx.tag),
    ({ memoryMib }) =>
      Math.abs(memoryMib - mib) <= ABOUT_MIB
        ? undefined
        : `${facts.before.name} is to have ${mib} MiB, and has ${memoryMib}`,
  )
}

function setVcpus(cx: Context, facts: Facts, count: number): Promise<void> {
  return give(
    cx,
    facts,
    (domid) => cx.hypervisor.setVcpus(cx.host(facts.before.pm), domid, count, cx.tag),
    ({ vcpuCount }) =>
      vcpuCount === count ? undefined : `${facts.before.name} is to have ${count} VCPUs, and has ${vcpuCount}`,
  )
}

function liveSteps(p: Params, facts: Facts): Step[] {
  const { live, domid } = facts
  if (live === null) return []
  const steps: Step[] = []
  const { memory, vcpus } = p
  if (memory !== undefined && memory !== live.memory) {
    steps.push({
      name: 'set the memory',
      shows: [`xl mem-set ${domid} ${memory}`],
      async do(cx) {
        await setMemory(cx, facts, memory)
        return null
      },
      isApplied: (cx) => isGiven(cx, facts, ({ memoryMib }) => Math.abs(memoryMib - memory) <= ABOUT_MIB),
      undo: (cx) => setMemory(cx, facts, live.memory),
    })
  }
  if (vcpus !== undefined && vcpus !== live.vcpus) {
    steps.push({
      name: 'set the VCPUs',
      shows: [`xl vcpu-set -i ${domid} ${vcpus}`],
      async do(cx) {
        await setVcpus(cx, facts, vcpus)
        return null
      },
      isApplied: (cx) => isGiven(cx, facts, ({ vcpuCount }) => vcpuCount === vcpus),
      undo: (cx) => setVcpus(cx, facts, live.vcpus),
    })
  }
  return steps
}

export const vmResize = vmOperation<Params, Facts>({
  name: 'vm.resize',
  title: 'resize',
  help: 'Gives a VM other processors and memory; a running one within what it was started with.',
  danger: 'safe',
  params,
  refuse,
  gather,
  plan(p, facts) {
    const change = resized(p, facts.domid !== null)
    return [recordStep(facts, change), configStep(facts, change), ...liveSteps(p, facts)]
  },
})
