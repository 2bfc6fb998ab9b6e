import { z } from 'zod'
import { PengxError } from '../../../model/error.ts'
import { isUpkeep } from '../../../model/template.ts'
import { domainNameFor, refuseName, type Vm } from '../../../model/vm.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { gatherLinks, type LinkChanges, linkSteps, NO_LINKS } from './autostart.ts'
import {
  type Change,
  type ChangeFacts,
  configStep,
  gatherChange,
  isSameRow,
  recordStep,
  refuseChange,
} from './change.ts'
import { findDomain, lives } from './domain.ts'
import { vmField, vmOperation } from './target.ts'

/**
 * A VM's name and what is written about it. A domain that runs is renamed with it: what `xl list` shows is then what
 * pengx shows, and the guest's own reboot comes back under the new name. Notes alone are pengx's own, and reach no PM.
 */
const params = z.object({
  vm: vmField,
  name: field(z.string().optional(), { title: 'Name' }),
  desc: field(z.string().optional(), { title: 'Description', clearable: true }),
  os: field(z.string().optional(), { title: 'OS', clearable: true, advanced: true }),
  osArch: field(z.string().optional(), { title: 'OS architecture', clearable: true, advanced: true }),
  autostart: field(z.enum(['yes', 'no']).optional(), {
    title: 'Start with its PM',
    help: 'by a link in /etc/xen/auto, which xendomains starts',
  }),
  order: field(z.number().int().min(0).max(99).optional(), {
    title: 'Order of start',
    help: 'among those that start with its PM: the first are those with the lowest; a VM without one comes behind them',
    advanced: true,
  }),
})
type Params = z.infer<typeof params>
type Notes = { readonly desc: string; readonly os: string; readonly osArch: string }
type Facts = {
  readonly uuid: string
  readonly pm: string
  /** What was written about it. */
  readonly notes: Notes
  /** Absent where its name stays. */
  readonly change: ChangeFacts | null
  /** How it starts with its PM from now on. */
  readonly links: LinkChanges
}

function isRenamed({ name }: Params, vm: Vm): boolean {
  return name !== undefined && name !== vm.name
}

/** How it starts with its PM is asked for. */
function isRewired({ autostart, order }: Params): boolean {
  return autostart !== undefined || order !== undefined
}

function isNoted({ desc, os, osArch }: Params): boolean {
  return [desc, os, osArch].some((value) => value !== undefined)
}

function edited({ name, desc, os, osArch }: Params): Change {
  return (vm) => ({
    ...vm,
    ...(name === undefined || name === vm.name ? {} : { name, domainName: domainNameFor(name, vm.uuid) }),
    ...(desc === undefined ? {} : { desc }),
    ...(os === undefined ? {} : { os }),
    ...(osArch === undefined ? {} : { osArch }),
  })
}

function refuse(p: Params, view: View): string | undefined {
  const vm = view.needVm(p.vm)
  const given = [p.name, p.desc, p.os, p.osArch, p.autostart, p.order].some((value) => value !== undefined)
  if (!given) return 'nothing is given to change: a name, a description, os, osArch, autostart or order'
  if (p.autostart === 'no' && p.order !== undefined) return 'an order is of what starts with its PM'
  if (isRewired(p)) {
    if (isUpkeep(vm)) return 'it is the upkeep of a template, which ends: it does not start with its PM'
    const reason = refuseChange(vm, view)
    if (reason) return reason
  }
  if (!isRenamed(p, vm)) return vm.origin === 'found' ? 'it is not adopted: adopt it first' : undefined
  const wrong = refuseName(p.name!)
  if (wrong) return wrong
  const other = view.vmsNamed(p.name!).find((one) => one.uuid !== vm.uuid)
  if (other)
    return `the name ${p.name} is taken by VM ${other.uuid} on ${view.getPm(other.pm)?.name ?? 'an unknown PM'}`
  return refuseChange(vm, view)
}

/** The name that the VM's domain has in Xen; another VM's domain may have it by then, and then nothing was done. */
function renameStep(facts: ChangeFacts, to: string): Step {
  const { uuid, pm, domainName: from } = facts.before
  const rename = async (cx: Context, name: string) => {
    const domain = await findDomain(cx, { uuid, pm })
    if (lives(domain) && domain.name !== name) await cx.hypervisor.rename(cx.host(pm), domain.domid, name, cx.tag)
  }
  return {
    name: 'rename the domain',
    shows: [`xl rename ${facts.domid} ${to}`],
    async do(cx) {
      await rename(cx, to)
      return null
    },
    async isApplied(cx) {
      const domain = await findDomain(cx, { uuid, pm })
      return !lives(domain) || domain.name === to || 'again'
    },
    undo: (cx) => rename(cx, from),
  }
}

function notesStep(p: Params, { uuid, notes }: Facts): Step {
  const { name: _same, ...given } = p
  return {
    name: 'record',
    async do(cx) {
      await cx.inventory.putVm(edited(given)(cx.view.needVm(uuid)))
      return null
    },
    async isApplied(cx) {
      const row = cx.view.needVm(uuid)
      return isSameRow(row, edited(given)(row)) || 'again'
    },
    undo: (cx) => cx.inventory.putVm({ ...cx.view.needVm(uuid), ...notes }),
  }
}

export const vmEdit = vmOperation<Params, Facts>({
  name: 'vm.edit',
  title: 'edit',
  help: 'Gives a VM another name or description, and says whether it starts with its PM; one that runs goes on running.',
  danger: 'safe',
  params,
  locks: ({ vm, name }, view) => [
    { key: `vm:${vm}`, mode: 'exclusive' },
    { key: `pm:${view.needVm(vm).pm}`, mode: 'shared' },
    ...(name === undefined ? [] : [{ key: `name:vm:${name}`, mode: 'exclusive' as const }]),
  ],
  refuse,
  async gather(p, cx) {
    const vm = cx.view.needVm(p.vm)
    const { desc, os, osArch } = vm
    const facts = { uuid: p.vm, notes: { desc, os, osArch }, pm: vm.pm, change: null }
    if (!isRenamed(p, vm)) return { ...facts, links: isRewired(p) ? await gatherLinks(cx, vm, vm, p) : NO_LINKS }
    const name = domainNameFor(p.name!, p.vm)
    const taken = (await cx.look(vm.pm)).find((domain) => domain.name === name && domain.uuid !== p.vm)
    if (taken)
      throw new PengxError('refused', `a domain named ${name} (${taken.domid}) runs on ${cx.view.needPm(vm.pm).name}`)
    const change = await gatherChange(p.vm, cx)
    return { ...facts, change, links: await gatherLinks(cx, vm, { ...vm, domainName: name }, p) }
  },
  plan(p, facts) {
    const { change, uuid, pm } = facts
    const links = linkSteps(facts.links, { uuid, pm })
    if (change === null) return [...(isNoted(p) || links.length === 0 ? [notesStep(p, facts)] : []), ...links]
    const to = domainNameFor(p.name!, uuid)
    const renames = change.domid !== null && to !== change.before.domainName
    return [
      recordStep(change, edited(p)),
      configStep(change, edited(p)),
      ...(renames ? [renameStep(change, to)] : []),
      ...links,
    ]
  },
})
