import { formatDate } from '../../../lib/age.ts'
import { PengxError } from '../../../model/error.ts'
import type { Vm, VmState } from '../../../model/vm.ts'
import { wrongVolumeText } from '../../../model/wrongVolume.ts'
import type { DomainSeen } from '../../hypervisor/domain.ts'
import type { Context } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'

/** The domain of a VM: in which state it has to be, whether there is one, and what it is built from. */

const WORDS: Record<VmState, string> = {
  running: 'it is running',
  paused: 'it is paused',
  shutdown: 'it is shut down',
  crashed: 'it has crashed',
  broken: 'its domain is half built or half torn down',
  dying: 'its domain is being torn down',
  starting: 'it is starting',
  unknown: 'its PM cannot be reached',
}

/** All that helps. */
const BROKEN_HINT = 'power it off'

/**
 * Why the VM's state, as it was seen last, does not allow something, or undefined where it does; a PM that is read-only
 * or cannot be reached allows nothing. `hint` says what would help, by state.
 */
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
  const more = hint[vm.seen.state] ?? (vm.seen.state === 'broken' ? BROKEN_HINT : undefined)
  return more ? `${WORDS[vm.seen.state]}: ${more}` : WORDS[vm.seen.state]
}

/**
 * Why nothing may be done that touches the VM's volumes, or undefined: its domain writes to others than its own, or
 * another domain has one of its own open. What is frozen, copied or merged then is not what a person takes it for.
 */
export function refuseVolumes(vm: Vm): string | undefined {
  // A disk that is not written down is in the way of nothing that is.
  const wrong = vm.seen.wrongVolumes?.find(({ kind, expected }) => kind !== 'foreign' || expected !== undefined)
  return wrong && wrongVolumeText(wrong, formatDate(vm.bootedAt ?? wrong.since))
}

/** The VM's domain as its PM shows it now, or undefined where there is none. Throws what a look does: `unreachable`. */
export async function findDomain(cx: Context, vm: { uuid: string; pm: string }): Promise<DomainSeen | undefined> {
  const domains = await cx.look(vm.pm)
  return domains.find((domain) => domain.uuid === vm.uuid)
}

/** A domain that can be worked with: it is there, whole, and not on its way out. */
export function lives(domain: DomainSeen | undefined): domain is DomainSeen {
  return domain !== undefined && domain.state !== 'dying' && domain.state !== 'broken'
}

/** A guest that has gone away finds in its configuration what it was to be given; one whose QEMU has ended has not got it. */
export function isPresent(domain: DomainSeen | undefined): domain is DomainSeen {
  return domain !== undefined && domain.state !== 'dying'
}

/** The domain that is to be given something now; undefined: its guest has gone away. `commandFailed` for a broken one. */
export async function receivingDomain(
  cx: Context,
  vm: { readonly uuid: string; readonly pm: string; readonly name: string },
): Promise<DomainSeen | undefined> {
  const domain = await findDomain(cx, vm)
  if (domain?.state === 'broken') throw new PengxError('commandFailed', `${vm.name}: ${WORDS.broken}: ${BROKEN_HINT}`)
  return lives(domain) ? domain : undefined
}

/**
 * The VM's domain as its PM shows it now. Throws `refused` where there is none, or only one on its way out or that is
 * broken.
 */
export async function needDomain(cx: Context, vm: Vm): Promise<DomainSeen> {
  const domain = await findDomain(cx, vm)
  if (domain?.state === 'broken') throw new PengxError('refused', `${vm.name}: ${WORDS.broken}: ${BROKEN_HINT}`)
  if (lives(domain)) return domain
  throw new PengxError('refused', `${vm.name} has no domain on ${cx.view.needPm(vm.pm).name}: it is shut down`)
}

/**
 * The VM's domain as its PM shows it now, running or paused, or undefined for a VM that is shut down. Throws `refused`
 * where it is in any other state: starting, crashed, broken, on its way out.
 */
export async function livingDomain(
  cx: Context,
  vm: { uuid: string; pm: string; name?: string },
): Promise<DomainSeen | undefined> {
  const domain = await findDomain(cx, vm)
  if (domain === undefined || domain.state === 'running' || domain.state === 'paused') return domain
  const hint = domain.state === 'broken' ? BROKEN_HINT : 'wait, and try again'
  throw new PengxError('refused', `${vm.name ?? vm.uuid} is ${domain.state} right now: ${hint}`)
}

/**
 * Looks at the VM's PM, and at others where it was seen. Throws `refused` where its domain exists, or where another has its
 * name: one VM never runs twice. Who has its disks `needSoleUse` asks.
 */
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

/** Where pengx keeps the configuration of a VM on its PM, by its UUID; /etc/xen/*.cfg stays the administrator's. */
export function configPathFor(uuid: string): string {
  return `/etc/xen/pengx/${uuid}.cfg`
}
