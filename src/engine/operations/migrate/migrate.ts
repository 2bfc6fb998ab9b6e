import { z } from 'zod'
import { newUuid } from '../../../lib/ids.ts'
import { PengxError } from '../../../model/error.ts'
import type { Pm } from '../../../model/pm.ts'
import { isProvisional } from '../../../model/provisional.ts'
import { isUpkeep } from '../../../model/template.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { parseStatements } from '../../tools/xl/syntax.ts'
import { gatherMoved } from '../vm/autostart.ts'
import { needBridges, unseenBridgeField } from '../vm/bridges.ts'
import { gatherChange, refuseChange } from '../vm/change.ts'
import { needOneConfig, refuseManyConfigs } from '../vm/configNow.ts'
import { configPathFor, needNoDomain, refuseVolumes } from '../vm/domain.ts'
import { sharedVolumes } from '../vm/switchOn.ts'
import { vmField, vmOperation } from '../vm/target.ts'
import { usedBy } from '../volume/asked.ts'
import { forceField } from '../volume/force.ts'
import { needSoleUse } from '../volume/users.ts'
import { needAbilities, needBootFiles, needFree, needLogin } from './destination.ts'
import { needSameDisks, refuseUnshared } from './disks.ts'
import {
  asideOf,
  type LiveGuest,
  leaveConfigStep,
  type MigrateFacts,
  moveRowStep,
  proveStep,
  relinkSteps,
  resumeStep,
  sendStep,
  unlinkSteps,
  writeConfigStep,
} from './steps.ts'
import { letGoSteps, receiveSteps } from './switched.ts'

/**
 * A VM goes to another PM. Its disks stay where they are: both PMs have to see them. A running guest is sent by xl and is
 * paused when it arrives; it is let go on when it is certain that nothing of it is left here. A VM that is shut down is
 * moved by moving its configuration.
 */
const params = z.object({
  vm: vmField,
  pm: field(z.string().min(1), { title: 'To PM', from: 'pm' }),
  address: field(
    z
      .string()
      .regex(/^[A-Za-z0-9_][A-Za-z0-9_.@:%-]*$/, 'is not an address')
      .optional(),
    {
      title: 'Address',
      help: 'where its PM reaches the other one over SSH: the network that memory is sent over; of a VM that runs',
      advanced: true,
    },
  ),
  unseenBridge: unseenBridgeField,
  force: forceField,
})
type Params = z.infer<typeof params>

/** Keys of a configuration that tie a guest to its machine. */
const TIED: Readonly<Record<string, string>> = {
  pci: 'a PCI device of this machine',
  usbctrl: 'a USB controller',
  usbdev: 'a USB device of this machine',
  dtdev: 'a device of this machine',
  ioports: 'I/O ports of this machine',
  iomem: 'I/O memory of this machine',
  irqs: 'interrupts of this machine',
  vtpm: 'a virtual TPM',
  p9: 'a directory of this machine',
  pvcalls: 'sockets of this machine',
  gfx_passthru: 'the graphics card of this machine',
  vdispl: 'a display of this machine',
  nestedhvm: 'a hypervisor of its own',
}

function refuseTied(vm: Vm): string | undefined {
  const statements = parseStatements(vm.extraConfig)
  const set = (key: string) =>
    statements.find((one) => one.key === key && !/=\s*(0|\[\s*\]|"0?"|'0?')\s*$/.test(one.text))
  if (set('nomigrate')) return 'its configuration says nomigrate'
  const tied = Object.keys(TIED).find(set)
  return tied && `it has ${TIED[tied]} (${tied}), which cannot go with it while it runs`
}

function refuse({ vm, pm }: Params, view: View): string | undefined {
  const row = view.needVm(vm)
  const target = view.needPm(pm)
  if (row.pm === pm) return `it is on ${target.name} already`
  const reason = refuseChange(row, view) ?? refuseVolumes(row) ?? refuseManyConfigs(row, view)
  if (reason) return reason
  if (isUpkeep(row)) return 'it is the upkeep of a template: template.shutdown ends it'
  if (row.seen.state === 'paused') return 'a paused guest cannot be asked to suspend: resume it first, or power it off'
  if (isProvisional(target) || target.seen.reach !== 'up')
    return `${target.name} cannot be reached${target.seen.problem ? `: ${target.seen.problem}` : ''}`
  if (target.readOnly) return `${target.name} is read-only`
  const name = view.vmsOn(pm).find((other) => other.uuid !== vm && other.domainName === row.domainName)
  if (name) return `${target.name} has a VM whose domain is called ${row.domainName} too: rename one of them`
  return refuseUnshared(row, view) ?? (row.seen.state === 'running' ? refuseTied(row) : undefined)
}

async function gather({ vm, pm, address, unseenBridge, force }: Params, cx: Context): Promise<MigrateFacts> {
  const facts = await gatherChange(vm, cx)
  const [source, target] = [cx.view.needPm(facts.before.pm), cx.view.needPm(pm)]
  const { base } = facts
  if (facts.domid === null) await needNoDomain(cx, cx.view.needVm(vm))
  await needOneConfig(cx, base)
  await needFree(cx, base, target)
  await needSoleUse(cx, base, usedBy(base, cx.view), { use: 'write', ends: [source.uuid, target.uuid], force })
  needBridges(base, target, unseenBridge)
  await needBootFiles(cx, base, target)
  const disks = await needSameDisks(cx, base, source, target)
  const same = `${source.name} and ${target.name} have the same ${disks.images.length} images of its disks`
  const found = facts.domid === null ? undefined : await gatherLive(cx, base, facts.domid, target, address)
  if (facts.before.configForeign)
    cx.notice(
      `${facts.configPath} on ${source.name} is set aside as ${asideOf(facts.configPath, facts.secrets.config!)}: xl create from it would run the VM twice`,
    )
  const links = await gatherMoved(cx, facts.before, { pm, configPath: configPathFor(vm) })
  const names = { sourceName: source.name, targetName: target.name }
  const { live = null, checked = [] } = found ?? {}
  const switched = sharedVolumes(base, cx.view).map(({ path, format }) => ({ path, format }))
  return {
    ...facts,
    ...disks,
    ...names,
    switched,
    links,
    target: pm,
    mark: newUuid(),
    live,
    checked: [same, ...checked],
  }
}

async function gatherLive(
  cx: Context,
  vm: Vm,
  domid: number,
  target: Pm,
  address: string | undefined,
): Promise<{ readonly live: LiveGuest; readonly checked: readonly string[] }> {
  const source = cx.view.needPm(vm.pm)
  const host = cx.host(source.uuid)
  // The lease ends with the domain here, and nobody could hold it over there before: in between it is anybody's.
  if (cx.hypervisor.lockspace)
    throw new PengxError(
      'refused',
      `${vm.name} runs under a lease of sanlock's (lockspace ${cx.hypervisor.lockspace.name}), which xl cannot hand to ${target.name}: shut it down, migrate it, start it there`,
    )
  const [detail] = await cx.hypervisor.details(host, [domid], cx.signal)
  const domain = (await cx.look(source.uuid)).find((one) => one.domid === domid)
  if (!detail || !domain) throw new PengxError('refused', `${vm.name} went away while it was looked at`)
  if (domain.state !== 'running')
    throw new PengxError('refused', `${vm.name} is ${domain.state}: only a running guest migrates`)
  await needSameDevices(cx, vm, domid, detail.spec)
  const { vcpuCount, maxVcpuCount, memoryMib, maxmemMib, nics } = detail.spec
  const able = await needAbilities(cx, { name: vm.name, type: detail.spec.type, memoryMib }, source, target)
  const login = await needLogin(cx, source, target, address)
  return {
    live: { vcpuCount, maxVcpuCount, memoryMib, maxmemMib, nics: nics.map((nic) => ({ ...nic })), ...login },
    checked: [...able, `${source.name} logs in to ${target.name} as ${login.address}`],
  }
}

/** The guest finds over there what its configuration says, so that has to be what it has. */
async function needSameDevices(
  cx: Context,
  vm: Vm,
  domid: number,
  runs: Pick<Vm, 'type' | 'disks' | 'nics'>,
): Promise<void> {
  const pm = cx.view.needPm(vm.pm)
  const names = (list: readonly string[]) => [...list].sort().join(', ') || 'none'
  const compare = (what: string, own: readonly string[], other: readonly string[]) => {
    if (names(own) === names(other)) return
    throw new PengxError(
      'refused',
      `${vm.name} runs with the ${what} ${names(other)}, and its configuration has ${names(own)}: reboot it from its configuration first`,
    )
  }
  compare('type', [vm.type], [runs.type])
  compare(
    'disks',
    vm.disks.map((disk) => disk.vdev),
    runs.disks.map((disk) => disk.vdev),
  )
  compare(
    'interfaces',
    vm.nics.map((nic) => nic.mac),
    runs.nics.map((nic) => nic.mac),
  )
  const open = await cx.hypervisor.openImages(cx.host(pm.uuid), domid)
  const { disks } = await cx.hypervisor.devices(cx.host(pm.uuid), domid, cx.signal)
  for (const { vdev, path } of vm.disks) {
    const device = disks.find((disk) => disk.vdev === vdev)
    const isThere = device?.backendType === 'qdisk' ? open?.includes(path) : device?.path === path
    if (!isThere)
      throw new PengxError(
        'refused',
        `${vm.name}: ${vdev} of the running guest is ${device?.path ?? 'not there'}, and its configuration has ${path}: reboot it from its configuration first`,
      )
  }
}

function plan(facts: MigrateFacts): Step[] {
  const before = [...proveStep(facts), writeConfigStep(facts), ...unlinkSteps(facts)]
  const after = [...relinkSteps(facts), ...leaveConfigStep(facts), ...letGoSteps(facts)]
  if (facts.live === null) return [...before, moveRowStep(facts, { pivot: true }), ...after]
  const sent = [sendStep(facts, facts.live), resumeStep(facts)]
  return [...before, ...receiveSteps(facts), ...sent, moveRowStep(facts), ...after]
}

export const vmMigrate = vmOperation<Params, MigrateFacts>({
  name: 'vm.migrate',
  title: 'migrate',
  help: 'Moves a VM to another PM that sees the same disks; a running guest goes on there.',
  danger: 'disrupts',
  params,
  locks: ({ vm, pm }, view) => [
    { key: `vm:${vm}`, mode: 'exclusive' },
    ...[...new Set([view.needVm(vm).pm, pm])].map((one) => ({ key: `pm:${one}`, mode: 'shared' as const })),
  ],
  touches: ({ vm, pm }, view) => [...new Set([...(view.getVm(vm) ? [view.needVm(vm).pm] : []), pm])],
  refuse,
  gather,
  plan: (_params, facts) => plan(facts),
  effects: (_params, { images, checked }) => ({ keeps: images, notices: checked }),
  result: ({ vm, pm }, _facts, view) => ({ vm, pm, name: view.getPm(pm)?.name ?? null }),
})
