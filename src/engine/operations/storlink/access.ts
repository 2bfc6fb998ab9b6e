import { PengxError } from '../../../model/error.ts'
import type { Pm } from '../../../model/pm.ts'
import { isProvisional } from '../../../model/provisional.ts'
import type { Storlink } from '../../../model/storlink.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Context } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'
import { changerTag, type NamedChanger } from '../../tools/lvmTags.ts'
import { lookForMarker, refuseMarker } from '../../volumes/marker.ts'

/** Which PM reaches a storlink, why none does, and whether there is room. */

/** Whether what lies on a storlink is there for a PM, by its UUID: it is the PM's own, or shared. Asks nobody. */
export function isReached(storlink: Pick<Storlink, 'pm' | 'shared'>, pm: string): boolean {
  return storlink.pm === pm || storlink.shared
}

/** The PM through which a storlink is worked on: its own, or for a shared one another that is up. Asks nobody. */
export function accessPm(storlink: Storlink, view: View): Pm | undefined {
  const own = view.getPm(storlink.pm)
  if (own && own.seen.reach !== 'down') return own
  return storlink.shared ? view.pms().find((pm) => pm.seen.reach === 'up') : undefined
}

/** The PM through which a storlink is worked on. Throws `unreachable` where none that sees it is up. Asks nobody. */
export function needAccessPm(storlink: Storlink, view: View): Pm {
  const pm = accessPm(storlink, view)
  if (pm) return pm
  throw new PengxError('unreachable', `nobody that sees storlink ${storlink.name} can be reached`)
}

/** Why nothing can be done on the PM that a storlink is worked on through, or undefined; `own` is the storlink's. */
export function refusePm(pm: Pm | undefined, own: Pm | undefined): string | undefined {
  if (pm === undefined) {
    return `PM ${own?.name ?? 'of the storlink'} cannot be reached: ${own?.seen.problem ?? 'it does not answer'}`
  }
  return pm.readOnly ? `PM ${pm.name} is read-only` : undefined
}

/** Why nothing can be done on a storlink, or undefined: nobody that sees it is up, or who is may only be looked at. */
export function refuseAccess(storlink: Storlink, view: View): string | undefined {
  return refusePm(accessPm(storlink, view), view.getPm(storlink.pm))
}

/**
 * Why a PM, by its UUID, cannot have a storlink's volumes made, grown or removed, or undefined: a volume group that several
 * PMs see is changed by the storlink's PM alone. Asks nobody.
 */
export function refuseGroupChange(storlink: Storlink, pm: string, view: View): string | undefined {
  const { id, name, level, shared, link } = storlink
  if (level !== 'BL' || !shared || storlink.pm === pm) return undefined
  const owner = view.getPm(storlink.pm)
  const what = `volume group ${link} (storlink ${id}, ${name}) is changed by PM ${owner?.name ?? '(forgotten)'} alone`
  return refuseChanger(what, owner)
}

function refuseChanger(what: string, owner: Pm | undefined): string | undefined {
  const help = 'storlink.update with pm= makes another PM that sees it do that'
  if (!owner || owner.seen.reach === 'down')
    return `${what}, which cannot be reached: ${owner?.seen.problem ?? 'it does not answer'}; ${help}`
  return owner.readOnly ? `${what}, which is read-only; ${help}` : undefined
}

/**
 * Why the PM that a group's tag names as its changer cannot change it for us, or undefined. One that is not known here may
 * be at work on it for another pengx, and nobody can tell. Asks nobody.
 */
export function refuseNamedChanger(group: string, { pm, name }: NamedChanger, view: View): string | undefined {
  const known = view.getPm(pm)
  const what = `volume group ${group} is changed by PM ${known?.name ?? name ?? '(without a name)'} (${pm}) alone, as its tag says`
  if (known && !isProvisional(known)) return refuseChanger(what, known)
  const help = `add it here, or make another PM change the group where it is known (storlink.update with pm=)`
  const tag = changerTag({ pm, ...(name === undefined ? {} : { name }) })
  return `${what}, which is not known here: ${help}; where it is gone for good, vgchange --deltag ${tag} ${group}`
}

/** Throws `refused` with what `refuseGroupChange` says. */
export function needGroupChange(storlink: Storlink, pm: string, view: View): void {
  const refusal = refuseGroupChange(storlink, pm, view)
  if (refusal !== undefined) throw new PengxError('refused', refusal)
}

/** Why the PM of a VM, by its UUID, cannot have a volume on a storlink, or undefined. */
export function refuseReach(storlink: Storlink, pm: string, view: View): string | undefined {
  if (isReached(storlink, pm)) return refuseGroupChange(storlink, pm, view)
  const [there, here] = [storlink.pm, pm].map((one) => view.getPm(one)?.name ?? one)
  return `storlink ${storlink.id} (${storlink.name}) is on ${there} alone, and the VM is on ${here}`
}

/** Why a storlink cannot take an overlay of the VM's disks, or undefined. */
export function refuseStorlink(vm: Vm, storlink: Storlink, view: View): string | undefined {
  if (isReached(storlink, vm.pm)) return refuseGroupChange(storlink, vm.pm, view)
  return `storlink ${storlink.name} is on ${view.getPm(storlink.pm)?.name}, and ${vm.name} runs on ${view.getPm(vm.pm)?.name}`
}

/**
 * Looks from a PM, by its UUID, whether a storlink has room for a volume of so many MiB. Throws `noSpace` where it has not,
 * `refused` where nobody can make it there now, and what the driver throws where it is not there. A sparse volume takes only what is written to it: 1 MiB is enough.
 */
export async function needRoom(
  cx: Context,
  pm: string,
  storlink: Storlink,
  sizeMib: number,
  sparse: boolean,
): Promise<void> {
  needGroupChange(storlink, pm, cx.view)
  const { freeMib, refusal } = await cx.volumes(storlink.level).inspect(cx.host(pm), storlink.link)
  if (refusal !== undefined) throw new PengxError('refused', refusal)
  const neededMib = sparse ? 1 : sizeMib
  if (freeMib >= neededMib) return
  throw new PengxError(
    'noSpace',
    `cannot make a disk of ${sizeMib} MiB on ${storlink.name} (${storlink.link} on ${cx.view.needPm(pm).name}): ${freeMib} MiB free`,
  )
}

/** Asks a PM whether what it has under the link is the storage that is meant; `refused` where it is another, or none. */
export async function needSeen(cx: Context, storlink: Storlink, pm: Pm): Promise<void> {
  if (storlink.uuid === undefined) return
  const reason = refuseMarker(storlink, await lookForMarker(cx.host(pm.uuid), storlink), cx.view.storlinks())
  if (reason === undefined) return
  throw new PengxError('refused', `storlink ${storlink.name} (${storlink.link}) on ${pm.name}: ${reason}`)
}
