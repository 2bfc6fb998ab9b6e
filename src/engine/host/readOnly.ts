import { PengxError } from '../../model/error.ts'
import { shortCommand } from './bounded.ts'
import type { Host } from './host.ts'

/** A host on which nothing is changed while `isReadOnly` says so; looking at it goes on. */
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
