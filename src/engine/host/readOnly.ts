import { PengxError } from '../../model/error.ts'
import { shortCommand } from './bounded.ts'
import type { Host } from './host.ts'

/**
 * A host on which no command changes anything while `isReadOnly` says so: such a one is not run and fails with
 * `readOnly`. A command is believed by its `effect`, and sockets (QMP) are reached all the same: their callers must
 * not be let in.
 */
export function readOnlyHost(host: Host, isReadOnly: () => boolean): Host {
  return {
    ...host,
    open: async (command, signal) => {
      if (command.effect === 'change' && isReadOnly()) {
        throw new PengxError('readOnly', `${host.name} is read-only: ${shortCommand(command)} is not run`)
      }
      return host.open(command, signal)
    },
  }
}
