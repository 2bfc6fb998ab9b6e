import { PengxError, toPengxError } from '../../../model/error.ts'
import { isProvisional } from '../../../model/provisional.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Context } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'

/**
 * A VM whose disks several PMs see may run on any of them, and what was seen a moment ago is no proof: each is asked before
 * it is started. Image locks do not help, since QEMU takes none for Xen's guests.
 */

/** One of its disks lies where other PMs see it too. */
function isShared(vm: Vm, view: View): boolean {
  return vm.disks.some(({ storlink }) => storlink !== undefined && view.getStorlink(storlink)?.shared)
}

/**
 * Fails where another PM that sees its disks has a domain of it, or cannot be asked; the latter can be overruled by who
 * begins to start it.
 */
export async function needNowhereElse(cx: Context, vm: Vm, overrule?: boolean): Promise<void> {
  if (!isShared(vm, cx.view)) return
  const others = cx.view.pms().filter((pm) => pm.uuid !== vm.pm && !isProvisional(pm))
  const silent = await Promise.all(
    others.map(async (pm) => {
      const domains = await cx.look(pm.uuid).catch((error: unknown) => toPengxError(error))
      if (domains instanceof PengxError) return `${pm.name} (${domains.message})`
      const domain = domains.find((one) => one.uuid === vm.uuid)
      if (!domain) return undefined
      throw new PengxError(
        'refused',
        `${vm.name} has a domain on ${pm.name}: domid ${domain.domid}, ${domain.name}; starting it on ${cx.view.needPm(vm.pm).name} too would run it twice`,
      )
    }),
  )
  const unasked = silent.filter((one) => one !== undefined)
  if (unasked.length === 0) return
  const text = `its disks are seen by ${unasked.join(' and ')}, which cannot be asked whether it runs there`
  const hint = overrule === undefined ? 'try again when it can' : '--force starts it all the same'
  if (!overrule) throw new PengxError('refused', `${vm.name}: ${text}: ${hint}`)
  cx.notice(`${text}; it was started all the same`)
}
