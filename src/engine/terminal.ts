import { PengxError } from '../model/error.ts'
import type { Pm } from '../model/pm.ts'
import type { Host } from './host/host.ts'
import type { Hypervisor } from './hypervisor/hypervisor.ts'
import type { View } from './store/view.ts'

/** A guest's console, or a shell on a PM: their UUIDs. */
export type TerminalTarget = { readonly console: string } | { readonly shell: string }

export interface TerminalSession {
  readonly host: Host
  /** To be opened with a pty. */
  readonly argv: readonly [string, ...string[]]
  /** What a person types to come back. */
  readonly leave: string
}

/** Where a person's terminal is handed over to: a guest's console, or a shell on a PM. */
export function terminalTo(
  what: TerminalTarget,
  view: View,
  hypervisor: Hypervisor,
  hostOf: (pm: Pm) => Host,
): TerminalSession {
  if ('shell' in what) return { host: hostOf(view.needPm(what.shell)), argv: ['sh', '-l'], leave: 'exit' }
  const vm = view.needVm(what.console)
  if (vm.seen.domid === undefined || vm.seen.state === 'shutdown' || vm.seen.state === 'unknown') {
    throw new PengxError(
      'refused',
      `${vm.name} has no console: it is ${vm.seen.state === 'unknown' ? 'on a PM that cannot be reached' : 'not running'}`,
    )
  }
  return { host: hostOf(view.needPm(vm.pm)), argv: hypervisor.consoleArgv(vm.seen.domid), leave: 'ctrl-]' }
}
