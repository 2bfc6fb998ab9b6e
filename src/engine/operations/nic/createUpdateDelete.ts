import { z } from 'zod'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import { type Nic, refuseMac } from '../../../model/nic.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { formatNic } from '../../tools/xl/nic.ts'
import { unseenBridgeField } from '../vm/bridges.ts'
import { type Change, type ChangeFacts, configStep, gatherChange, recordStep, refuseChange } from '../vm/change.ts'
import { findDomain, isPresent, lives, receivingDomain } from '../vm/domain.ts'
import { bridgeName, pickNics } from '../vm/pickNics.ts'
import { vmField, vmOperation } from '../vm/target.ts'
import { isSame, needNic, nicField, refuseBridge, refuseRunning } from './target.ts'

/**
 * A VM's network interfaces. One comes to a running guest; none is taken from it, and none is changed under it: what a
 * guest has configured on an interface does not survive its loss.
 */

/** A QEMU emulates a card beside each interface of an HVM guest, and has no room for more. */
const MOST_EMULATED = 8

const bridgeField = z.string().min(1)
const ipField = z.string().refine(isAddress, 'is not an IP address')

function isAddress(text: string): boolean {
  const [address, prefix, ...rest] = text.split('/')
  if (rest.length > 0 || (prefix !== undefined && !/^\d{1,3}$/.test(prefix))) return false
  return z.ipv4().safeParse(address).success || z.ipv6().safeParse(address).success
}

/** Whose interface has that address already, on any PM: domains that were only found count too. */
function ownerOfMac(mac: string, view: View): Vm | undefined {
  return view.vms().find((vm) => vm.nics.some((nic) => nic.mac.toLowerCase() === mac))
}

const createNicParams = z.object({
  vm: vmField,
  bridge: field(bridgeField, { title: 'Bridge', from: 'bridge', help: 'a number N means xenbrN' }),
  ip: field(ipField.optional(), { title: 'IP address', help: 'kept and shown; pengx does not configure the guest' }),
  mac: field(z.string().optional(), {
    title: 'MAC',
    help: 'none given: a new one that nobody on the site has',
    advanced: true,
  }),
  unseenBridge: unseenBridgeField,
})
type CreateParams = z.infer<typeof createNicParams>
type CreateFacts = ChangeFacts & { readonly nic: Nic & Json }

/** `eth0`, `eth1`, …: the first that the VM does not have. */
function freeName(vm: Vm): string {
  const taken = new Set(vm.nics.map((nic) => nic.name))
  let index = 0
  while (taken.has(`eth${index}`)) index++
  return `eth${index}`
}

function withNic(nic: Nic): Change {
  return (vm) => ({ ...vm, nics: [...vm.nics.filter((one) => one.mac !== nic.mac), nic] })
}

function attachStep({ before, domid }: ChangeFacts, nic: Nic): Step {
  return {
    name: `attach ${nic.name}`,
    weight: 3,
    shows: [`xl network-attach ${domid} ${formatNic(nic).replaceAll(',', ' ')}`],
    async do(cx) {
      const domain = await receivingDomain(cx, before)
      if (domain) await cx.hypervisor.attachNic(cx.host(before.pm), domain.domid, nic, cx.tag)
      return null
    },
    async isApplied(cx) {
      const domain = await findDomain(cx, before)
      if (!isPresent(domain)) return true
      const { nics } = await cx.hypervisor.devices(cx.host(before.pm), domain.domid, cx.signal)
      return nics.some(({ mac }) => mac.toLowerCase() === nic.mac.toLowerCase()) || 'again'
    },
    async undo(cx) {
      const domain = await findDomain(cx, before)
      if (lives(domain)) await cx.hypervisor.detachNic(cx.host(before.pm), domain.domid, nic.mac, cx.tag)
    },
  }
}

function refuseCreate({ vm, bridge, mac, unseenBridge }: CreateParams, view: View): string | undefined {
  const row = view.needVm(vm)
  const reason = refuseChange(row, view) ?? refuseBridge(row, bridge, view, { unseen: unseenBridge })
  if (reason) return reason
  if (row.type === 'hvm' && row.nics.length >= MOST_EMULATED)
    return `it has ${row.nics.length} interfaces: an HVM guest has at most ${MOST_EMULATED}`
  if (mac === undefined) return undefined
  const wrong = refuseMac(mac)
  if (wrong) return wrong
  const owner = ownerOfMac(mac.toLowerCase(), view)
  return owner && `the address ${mac} is that of ${owner.uuid === vm ? 'its own' : owner.name} already`
}

export const nicCreate = vmOperation<CreateParams, CreateFacts>({
  name: 'nic.create',
  title: 'add an interface to',
  help: 'Gives a VM a network interface on a bridge; a running guest sees it at once.',
  danger: 'safe',
  params: createNicParams,
  refuse: refuseCreate,
  async gather({ vm, bridge, ip, mac, unseenBridge }, cx) {
    const facts = await gatherChange(vm, cx)
    const picked: Nic = pickNics(cx.view.needPm(facts.before.pm), [bridge], cx.view, unseenBridge)[0]!
    const nic: Nic = { ...picked, name: freeName(facts.base), ip: ip ?? '', mac: mac?.toLowerCase() ?? picked.mac }
    return { ...facts, nic: nic as Nic & Json }
  },
  plan: (_params, facts) => [
    recordStep(facts, withNic(facts.nic)),
    configStep(facts, withNic(facts.nic)),
    ...(facts.domid === null ? [] : [attachStep(facts, facts.nic)]),
  ],
  result({ vm }, { nic }, view) {
    const made = view.getVm(vm)?.nics.find((one) => one.mac === nic.mac)
    return { id: made?.id ?? null, name: nic.name, mac: nic.mac }
  },
})

const deleteNicParams = z.object({ vm: vmField, nic: nicField })
type DeleteParams = z.infer<typeof deleteNicParams>
type NicFacts = ChangeFacts & { readonly nic: Nic & Json }

export const nicDelete = vmOperation<DeleteParams, NicFacts>({
  name: 'nic.delete',
  title: 'delete an interface of',
  help: 'Takes a network interface from a VM that is shut down.',
  danger: 'disrupts',
  params: deleteNicParams,
  refuse({ vm, nic }, view) {
    const row = view.needVm(vm)
    return refuseRunning(row, view, `taking ${needNic(row, nic).name} away`)
  },
  async gather({ vm, nic }, cx) {
    const facts = await gatherChange(vm, cx)
    if (facts.domid !== null) throw new PengxError('refused', `${facts.before.name} runs: shut it down first`)
    return { ...facts, nic: needNic(cx.view.needVm(vm), nic) as Nic & Json }
  },
  plan(_params, facts) {
    const change: Change = (vm) => ({ ...vm, nics: vm.nics.filter((one) => !isSame(facts.nic, one)) })
    return [recordStep(facts, change), configStep(facts, change)]
  },
})

const updateNicParams = z.object({
  vm: vmField,
  nic: nicField,
  ip: field(
    z
      .string()
      .refine((text) => text === '' || isAddress(text), 'is not an IP address')
      .optional(),
    {
      title: 'IP address',
      help: 'kept and shown; pengx does not configure the guest',
      clearable: true,
    },
  ),
  bridge: field(bridgeField.optional(), { title: 'Bridge', from: 'bridge' }),
  unseenBridge: unseenBridgeField,
})
type UpdateParams = z.infer<typeof updateNicParams>

function refuseUpdate({ vm, nic, ip, bridge, unseenBridge }: UpdateParams, view: View): string | undefined {
  const row = view.needVm(vm)
  const { name, bridge: now, extra } = needNic(row, nic)
  const reason = refuseChange(row, view) ?? (row.seen.state === 'shutdown' ? undefined : neverChanged(name, row))
  if (reason) return reason
  if (ip === undefined && bridge === undefined) return 'nothing is given to change: an IP address or a bridge'
  if (bridge === undefined || bridgeName(bridge) === now) return undefined
  return refuseBridge(row, bridge, view, { extra, unseen: unseenBridge })
}

/** Its address too: the guest goes on under the old one, whatever is written down. */
function neverChanged(name: string, { seen }: Vm): string {
  const [is, helps] = seen.state === 'paused' ? ['paused', 'power it off'] : ['running', 'shut it down']
  return `${name} of a ${is} VM is never changed: ${helps} first`
}

export const nicUpdate = vmOperation<UpdateParams, NicFacts>({
  name: 'nic.update',
  title: 'change an interface of',
  help: 'Writes down another address for an interface of a VM that is shut down, or puts it on another bridge.',
  danger: 'safe',
  params: updateNicParams,
  refuse: refuseUpdate,
  async gather({ vm, nic: named }, cx) {
    const nic = needNic(cx.view.needVm(vm), named)
    const facts = await gatherChange(vm, cx)
    if (facts.domid !== null) throw new PengxError('refused', neverChanged(nic.name, cx.view.needVm(vm)))
    return { ...facts, nic: nic as Nic & Json }
  },
  plan({ ip, bridge }, facts) {
    const given = {
      ...(ip === undefined ? {} : { ip }),
      ...(bridge === undefined ? {} : { bridge: bridgeName(bridge) }),
    }
    const change: Change = (vm) => ({
      ...vm,
      nics: vm.nics.map((one) => (isSame(facts.nic, one) ? { ...one, ...given } : one)),
    })
    return [recordStep(facts, change), configStep(facts, change)]
  },
})
