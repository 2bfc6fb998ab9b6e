import type { Host } from '../../../src/engine/host/host.ts'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { PengxError } from '../../../src/model/error.ts'

/** This machine, and the same without OpenSSH's client. */
export const here = openLocalHost('here')
export const withoutClient: Host = {
  ...here,
  open: async (command, signal) => {
    if (command.argv[0] !== 'ssh') return here.open(command, signal)
    throw new PengxError('notFound', 'ssh is not installed on here')
  },
}
