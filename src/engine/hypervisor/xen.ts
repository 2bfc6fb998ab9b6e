import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Command, Host } from '../host/host.ts'
import { run, runAll } from '../host/run.ts'
import { removeFile, writeFileAtomically } from '../tools/files.ts'
import type { Program } from '../tools/program.ts'
import { consoleOf, destroyDomain, pauseDomain, rebootDomain, shutdownDomain, unpauseDomain } from '../tools/xl.ts'
import { formatConfig } from '../tools/xlConfig.ts'
import { configFiles, readConfig } from './configs.ts'
import { diskCounters } from './counters.ts'
import { create } from './create.ts'
import { details } from './details.ts'
import type { Hypervisor } from './hypervisor.ts'
import { domains, look } from './look.ts'
import { xlFailure } from './xlFailure.ts'

const CHANGE_TIMEOUT_MS = 120_000

/** Xen as xl(1) shows and drives it; what it knows it looks up each time, so one serves all PMs. */
export const xen: Hypervisor = {
  look,
  domains,
  details,
  configFiles,
  readConfig,
  diskCounters,
  create,
  formatConfig,
  consoleArgv: consoleOf,

  async writeConfig(host, path, text, tag) {
    await runAll(host, { ...batch(writeFileAtomically(path, text), { stopOnFailure: true }), tag })
  },
  async removeConfig(host, path, tag) {
    await run(host, { ...removeFile(path), tag })
  },
  shutdown: (host, domid, tag) => change(host, shutdownDomain(domid), tag, `shut down domain ${domid}`),
  reboot: (host, domid, tag) => change(host, rebootDomain(domid), tag, `reboot domain ${domid}`),
  pause: (host, domid, tag) => change(host, pauseDomain(domid), tag, `pause domain ${domid}`),
  unpause: (host, domid, tag) => change(host, unpauseDomain(domid), tag, `unpause domain ${domid}`),
  async destroy(host, domid, tag) {
    try {
      await change(host, destroyDomain(domid), tag, `destroy domain ${domid}`)
    } catch (error) {
      // what is gone already is destroyed
      if (!(error instanceof PengxError && error.code === 'notFound')) throw error
    }
  },
}

async function change(host: Host, program: Program, tag: string, doing: string): Promise<void> {
  const command: Command = { ...program, tag, timeoutMs: CHANGE_TIMEOUT_MS, okExits: [0, 1, 2, 3, 255] }
  const output = await run(host, command)
  // xl pause and unpause end with 0 whatever libxl told them
  if (output.exit !== 0 || /^libxl: error: /m.test(output.stderr))
    throw xlFailure(`cannot ${doing} on ${host.name}`, output)
}
