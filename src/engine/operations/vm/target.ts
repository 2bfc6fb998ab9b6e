import { z } from 'zod'
import { isUuid } from '../../../lib/ids.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import { hasDomain, type Vm, type VmState } from '../../../model/vm.ts'
import type { DomainSeen } from '../../hypervisor/domain.ts'
import type { Context, Operation } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'

/** What the operations on one VM have in common: who is acted on, what is locked, what is looked at again. */

export const vmField = field(z.string().refine(isUuid, 'is not a UUID'), { title: 'VM', from: 'vm' })

export const vmParams = z.object({ vm: vmField })
export type VmParams = z.infer<typeof vmParams>

type Common = 'subjectKind' | 'target' | 'subject' | 'locks' | 'touches'

/** An operation on one VM: the VM is its own, and its PM has to stay. */
export function vmOperation<P extends VmParams, F extends Json>(
  operation: Omit<Operation<P, F>, Common> & Partial<Pick<Operation<P, F>, 'locks' | 'touches'>>,
): Operation<P, F> {
  return {
    subjectKind: 'vm',
    target: { param: 'vm', kind: 'vm' },
    subject: ({ vm }, view) => ({ kind: 'vm', id: vm, name: view.needVm(vm).name }),
    locks: ({ vm }, view) => [
      { key: `vm:${vm}`, mode: 'exclusive' },
      { key: `pm:${view.needVm(vm).pm}`, mode: 'shared' },
    ],
    touches: ({ vm }, view) => {
      const pm = view.getVm(vm)?.pm
      return pm === undefined ? [] : [pm]
    },
    ...operation,
  }
}

const WORDS: Record<VmState, string> = {
  running: 'it is running',
  paused: 'it is paused',
  shutdown: 'it is shut down',
  crashed: 'it has crashed',
  dying: 'its domain is being torn down',
  starting: 'it is starting',
  unknown: 'its PM cannot be reached',
}

/** Why the VM's state does not allow something, or undefined where it does. */
export function refuseState(
  vm: Vm,
  view: View,
  allowed: readonly VmState[],
  hint: Partial<Record<VmState, string>> = {},
): string | undefined {
  if (view.getPm(vm.pm)?.readOnly) return `its PM ${view.getPm(vm.pm)?.name} is read-only`
  if (vm.seen.state === 'unknown') {
    const pm = view.getPm(vm.pm)
    return `its PM ${pm?.name ?? vm.pm} cannot be reached${pm?.seen.problem ? `: ${pm.seen.problem}` : ''}`
  }
  if (allowed.includes(vm.seen.state)) return undefined
  const more = hint[vm.seen.state]
  return more ? `${WORDS[vm.seen.state]}: ${more}` : WORDS[vm.seen.state]
}

/** The VM's domain as its PM shows it now, or undefined where there is none. */
export async function findDomain(cx: Context, vm: { uuid: string; pm: string }): Promise<DomainSeen | undefined> {
  const domains = await cx.look(vm.pm)
  return domains.find((domain) => domain.uuid === vm.uuid)
}

/** The VM's domain, which must be there. */
export async function needDomain(cx: Context, vm: Vm): Promise<DomainSeen> {
  const domain = await findDomain(cx, vm)
  if (domain && domain.state !== 'dying') return domain
  throw new PengxError('refused', `${vm.name} has no domain on ${cx.view.needPm(vm.pm).name}: it is shut down`)
}

/** Fails where somebody else runs on a disk of this VM or has its name, or its domain exists: one VM never runs twice. */
export async function needNoDomain(cx: Context, vm: Vm): Promise<void> {
  const pmName = cx.view.needPm(vm.pm).name
  const domains = await cx.look(vm.pm)
  const domain = domains.find((one) => one.uuid === vm.uuid)
  if (domain) {
    throw new PengxError(
      'refused',
      `${vm.name} already has a domain on ${pmName}: domid ${domain.domid}, ${WORDS[domain.state]}`,
    )
  }
  const namesake = domains.find((one) => one.name === vm.domainName)
  if (namesake) {
    throw new PengxError(
      'refused',
      `another domain (${namesake.domid}, UUID ${namesake.uuid}) has the name ${vm.domainName} on ${pmName}: rename one of them`,
    )
  }
  await needNoStray(cx, vm)
  const rival = rivalOnDisk(vm, cx.view)
  if (rival) throw new PengxError('refused', rival)
}

/** What was seen elsewhere may have been a domain on its way out: it is looked for again where it was seen. */
async function needNoStray(cx: Context, vm: Vm): Promise<void> {
  for (const pm of cx.view.pms()) {
    const wasSeen = pm.uuid !== vm.pm && pm.seen.reach === 'up' && pm.seen.strays?.some(({ uuid }) => uuid === vm.uuid)
    const stray = wasSeen ? (await cx.look(pm.uuid)).find(({ uuid }) => uuid === vm.uuid) : undefined
    if (stray) {
      throw new PengxError(
        'refused',
        `${vm.name} runs on ${pm.name} as domid ${stray.domid}: starting it here would run it twice`,
      )
    }
  }
}

/** Names a VM with a domain that has one of this VM's disks, unless both only read it. */
export function rivalOnDisk(vm: Vm, view: View): string | undefined {
  const disks = new Map(vm.disks.map((disk) => [disk.path, disk]))
  for (const other of view.vms()) {
    if (other.uuid === vm.uuid || !hasDomain(other.seen.state)) continue
    for (const disk of other.disks) {
      const own = disks.get(disk.path)
      const reachesSame = other.pm === vm.pm || (disk.storlink !== undefined && disk.storlink === own?.storlink)
      if (own && reachesSame && !(own.readOnly && disk.readOnly)) {
        return `disk ${own.vdev} (${own.path}) is in use by ${other.name}: two guests writing one disk ruin it`
      }
    }
  }
  return undefined
}

/** Where pengx keeps the configuration of a VM on its PM; /etc/xen/*.cfg stays the administrator's. */
export function configPathFor(uuid: string): string {
  return `/etc/xen/pengx/${uuid}.cfg`
}

/** Facts hold no password: they are journalled, and what stands under `secrets` is kept apart until the job is over. */
export interface VmSecrets {
  readonly [key: string]: string | undefined
  readonly vncPassword?: string
}

/** A row as facts may hold it, and its secret beside it. */
export function splitSecret(vm: Vm): { readonly vm: Vm & Json; readonly secrets: VmSecrets } {
  const password = vm.vnc?.password
  if (!vm.vnc || password === undefined) return { vm: vm as Vm & Json, secrets: {} }
  const { password: _taken, ...vnc } = vm.vnc
  return { vm: { ...vm, vnc } as Vm & Json, secrets: { vncPassword: password } }
}

/** The row with the secret that was kept apart. */
export function joinSecret(vm: Vm, secrets: VmSecrets): Vm {
  if (!vm.vnc || secrets.vncPassword === undefined) return vm
  return { ...vm, vnc: { ...vm.vnc, password: secrets.vncPassword } }
}

/** Restores a forgotten row; while it was away its domain may have been found again. */
export async function putBack(cx: Context, vm: Vm, secrets: VmSecrets): Promise<void> {
  const now = cx.view.getVm(vm.uuid)
  if (now && now.origin !== 'found') return
  await cx.inventory.putVm({ ...joinSecret(vm, secrets), ...(now ? { seen: now.seen } : {}) })
}
