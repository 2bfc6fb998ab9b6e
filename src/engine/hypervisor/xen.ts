import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import { run, runAll } from '../host/run.ts'
import { draftOf, removeFile, writeFileAtomically } from '../tools/files.ts'
import { formatConfig } from '../tools/xl/config.ts'
import {
  consoleOf,
  destroyDomain,
  pauseDomain,
  rebootDomain,
  renameDomain,
  setMemory,
  setVcpus,
  shutdownDomain,
  unpauseDomain,
  updateConfig,
} from '../tools/xl/xl.ts'
import { backupDisks, refuseBackup } from './backup.ts'
import { cancelJobs } from './blockJobs.ts'
import { change } from './change.ts'
import { configFiles, readConfig } from './configs.ts'
import { diskCounters } from './counters.ts'
import { create } from './create.ts'
import { details } from './details.ts'
import {
  attachDisk,
  attachNic,
  detachDisk,
  detachNic,
  device,
  devices,
  ejectCd,
  insertCd,
  isConnected,
  vdevs,
} from './devices.ts'
import { openImages, rereadImages, waitForQemu } from './handOver.ts'
import type { Hypervisor } from './hypervisor.ts'
import { streamLayer, switchDisks, writtenImages } from './layers.ts'
import { domains, look } from './look.ts'
import { abilities, isMigrating, isSuspended, migrate, resumeSuspended } from './migrate.ts'
import { copyMoment, forgetBitmaps, holdMoment, momentMeans, needMoment, releaseMoment } from './moment.ts'
import { resizeDisk } from './resizeDisk.ts'

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
  devices,
  device,
  isConnected,
  vdevs,
  attachDisk,
  detachDisk,
  resizeDisk,
  refuseBackup,
  backupDisks,
  momentMeans,
  holdMoment,
  needMoment,
  copyMoment,
  releaseMoment,
  forgetBitmaps,
  cancelJobs,
  switchDisks,
  writtenImages,
  streamLayer,
  attachNic,
  detachNic,
  insertCd,
  ejectCd,
  abilities,
  migrate,
  isMigrating,
  isSuspended,
  resumeSuspended,
  openImages,
  waitForQemu,
  rereadImages,

  async writeConfig(host, path, text, tag) {
    await runAll(host, { ...batch(writeFileAtomically(path, text), { stopOnFailure: true }), tag })
  },
  async removeConfig(host, path, tag) {
    await runAll(host, { ...batch([removeFile(path), removeFile(draftOf(path))]), tag })
  },
  async removeConfigDraft(host, path, tag) {
    await run(host, { ...removeFile(draftOf(path)), tag })
  },
  shutdown: (host, domid, tag) => change(host, shutdownDomain(domid), tag, `shut down domain ${domid}`),
  reboot: (host, domid, tag) => change(host, rebootDomain(domid), tag, `reboot domain ${domid}`),
  pause: (host, domid, tag) => change(host, pauseDomain(domid), tag, `pause domain ${domid}`),
  unpause: (host, domid, tag) => change(host, unpauseDomain(domid), tag, `unpause domain ${domid}`),
  setMemory: (host, domid, mib, tag) => change(host, setMemory(domid, mib), tag, `give domain ${domid} ${mib} MiB`),
  setVcpus: (host, domid, count, tag) =>
    change(host, setVcpus(domid, count), tag, `give domain ${domid} ${count} VCPUs`),
  rename: (host, domid, name, tag) => change(host, renameDomain(domid, name), tag, `rename domain ${domid} to ${name}`),
  updateConfig: (host, domid, path, tag) =>
    change(host, updateConfig(domid, path), tag, `give domain ${domid} its new configuration`),
  async destroy(host, domid, tag) {
    try {
      await change(host, destroyDomain(domid), tag, `destroy domain ${domid}`)
    } catch (error) {
      // what is gone already is destroyed
      if (!(error instanceof PengxError && error.code === 'notFound')) throw error
    }
  },
}
