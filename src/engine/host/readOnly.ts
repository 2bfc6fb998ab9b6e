import { PengxError } from '../../model/error.ts'
import { shortCommand } from './bounded.ts'
import type { Host } from './host.ts'

/**
 * A host on which nothing is changed while `isReadOnly` says so: such a command is not run, such a connection not made,
 * and both fail with `readOnly`. Either is believed by its `effect`.
 */
export function readOnlyHost(host: Host, isReadOnly: () => boolean): Host {
  return {
    ...host,
    open: async (command, signal, onWait) => {
      if (command.effect === 'change' && isReadOnly()) {
        throw new PengxError('readOnly', `${host.name} is read-only: ${shortCommand(command)} is not run`)
      }
      return host.open(command, signal, onWait)
    },
    connect: async (socketPath, effect, signal) => {
      if (effect === 'change' && isReadOnly())
        throw new PengxError('readOnly', `${host.name} is read-only: nothing is changed through ${socketPath}`)
      return host.connect(socketPath, effect, signal)
    },
  }
}
