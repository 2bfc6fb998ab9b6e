import { PengxError } from '../../../model/error.ts'
import type { Pm } from '../../../model/pm.ts'
import type { Storlink } from '../../../model/storlink.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Context } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'

/** Which PM reaches a storlink, why none does, and whether there is room. */

/** The PM through which a storlink is worked on: its own, or for a shared one another that is up. */
export function accessPm(storlink: Storlink, view: View): Pm | undefined {
  const own = view.getPm(storlink.pm)
  if (own && own.seen.reach !== 'down') return own
  return storlink.shared ? view.pms().find((pm) => pm.seen.reach === 'up') : undefined
}

/** Why nothing can be done on the PM that sees a storlink, or undefined. */
export function refusePm(pm: Pm | undefined, own: Pm | undefined): string | undefined {
  if (pm === undefined) {
    return `PM ${own?.name ?? 'of the storlink'} cannot be reached: ${own?.seen.problem ?? 'it does not answer'}`
  }
  return pm.readOnly ? `PM ${pm.name} is read-only` : undefined
}

/** Why a PM cannot reach a storlink, or undefined. */
export function refuseReach(storlink: Storlink, pm: string, view: View): string | undefined {
  if (storlink.pm === pm || storlink.shared) return undefined
  const [there, here] = [storlink.pm, pm].map((one) => view.getPm(one)?.name ?? one)
  return `storlink ${storlink.id} (${storlink.name}) is on ${there} alone, and the VM is on ${here}`
}

/** Why a storlink cannot take a layer of the VM, or undefined. */
export function refuseStorlink(vm: Vm, storlink: Storlink, view: View): string | undefined {
  if (storlink.pm === vm.pm || storlink.shared) return undefined
  return `storlink ${storlink.name} is on ${view.getPm(storlink.pm)?.name}, and ${vm.name} runs on ${view.getPm(vm.pm)?.name}`
}

/** Where volumes take only what is written to them, a new one takes hardly anything. */
export async function needRoom(cx: Context, vm: Vm, storlink: Storlink, size: number, sparse: boolean): Promise<void> {
  const { freeMib } = await cx.volumes(storlink.level).inspect(cx.host(vm.pm), storlink.link)
  const needed = sparse ? 1 : size
  if (freeMib >= needed) return
  throw new PengxError(
    'noSpace',
    `cannot make a disk of ${size} MiB on ${storlink.name} (${storlink.link} on ${cx.view.needPm(vm.pm).name}): ${freeMib} MiB free`,
  )
}
