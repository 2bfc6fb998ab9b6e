/** `xl` of Xen 4.17: which subcommand, which domain. Texts and exit statuses are those of a real host. */
import type { Program } from '../../machine/program.ts'
import { xlConsole } from './console.ts'
import {
  blockAttach,
  blockDetach,
  blockList,
  cdEject,
  cdInsert,
  networkAttach,
  networkDetach,
  networkList,
} from './devices.ts'
import { configUpdate, memMax, memSet, rename, vcpuSet } from './edit.ts'
import { info } from './info.ts'
import { domid, domname, list, uptime, vcpuList } from './list.ts'
import { migrate } from './migrate.ts'
import { create, destroy, pause, reboot, shutdown, unpause } from './power.ts'
import { restore, save } from './save.ts'

/**
 * By their names.
 *
 * @internal Exported for the test that asks of each whether it is compared with the real one.
 */
export const XL_COMMANDS: Record<string, Program> = {
  list,
  info,
  create,
  shutdown,
  reboot,
  destroy,
  pause,
  unpause,
  domid,
  domname,
  uptime,
  'vcpu-list': vcpuList,
  'block-list': blockList,
  'block-attach': blockAttach,
  'block-detach': blockDetach,
  'cd-insert': cdInsert,
  'cd-eject': cdEject,
  'network-list': networkList,
  'network-attach': networkAttach,
  'network-detach': networkDetach,
  'mem-set': memSet,
  'mem-max': memMax,
  'vcpu-set': vcpuSet,
  'config-update': configUpdate,
  rename,
  save,
  restore,
  migrate,
  console: xlConsole,
  dmesg: () => 0,
}

export const xl: Program = (call) => {
  const at = call.argv.findIndex((word, index) => index > 0 && !word.startsWith('-'))
  const name = call.argv[at]
  if (at === -1 || name === undefined) {
    call.err('Usage xl [-vfN] <subcommand> [args]\n')
    return 1
  }
  const command = XL_COMMANDS[name]
  if (command === undefined) {
    call.err('command not implemented\n')
    return 1
  }
  return command({ ...call, argv: call.argv.slice(at) })
}
