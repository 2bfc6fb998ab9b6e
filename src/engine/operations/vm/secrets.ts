import type { Json } from '../../../model/json.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Context } from '../../jobs/operation.ts'

/** Facts hold no password: they are journalled, and what stands under `secrets` is kept apart until the job is over. */
export interface VmSecrets {
  readonly [key: string]: string | undefined
  readonly vncPassword?: string
}

/** A row as facts may hold it, without its VNC password, and that beside it. */
export function splitSecret(vm: Vm): { readonly vm: Vm & Json; readonly secrets: VmSecrets } {
  const password = vm.vnc?.password
  if (!vm.vnc || password === undefined) return { vm: vm as Vm & Json, secrets: {} }
  const { password: _taken, ...vnc } = vm.vnc
  return { vm: { ...vm, vnc } as Vm & Json, secrets: { vncPassword: password } }
}

/** The row with the secret that `splitSecret` kept apart; without one it stays as it is. */
export function joinSecret(vm: Vm, secrets: VmSecrets): Vm {
  if (!vm.vnc || secrets.vncPassword === undefined) return vm
  return { ...vm, vnc: { ...vm.vnc, password: secrets.vncPassword } }
}

/** Nobody's care any more: the row is gone, or stands for a domain that was found again since. */
export function isForgotten(vm: Vm | undefined): boolean {
  return vm === undefined || vm.origin === 'found'
}

/**
 * Writes a forgotten row into the store again. While it was away its domain may have been found again, whose state is
 * kept; a VM that was adopted meanwhile is left alone.
 */
export async function putBack(cx: Context, vm: Vm, secrets: VmSecrets): Promise<void> {
  const now = cx.view.getVm(vm.uuid)
  if (now && !isForgotten(now)) return
  await cx.inventory.putVm({ ...joinSecret(vm, secrets), ...(now ? { seen: now.seen } : {}) })
}
