import { formatConfig } from '../tools/xl/config.ts'
import { consoleOf, renameDomain, setMemory, setVcpus, updateConfig } from '../tools/xl/xl.ts'
import { addAutostartLink, autostart, hasAutostartLink, removeAutostartLink } from './autostart.ts'
import { backupDisks, refuseBackup } from './backup.ts'
import { cancelJobs } from './blockJobs.ts'
import { change, changeDomain } from './change.ts'
import {
  configFiles,
  forgetOriginal,
  linkConfig,
  readConfig,
  removeConfig,
  removeConfigDraft,
  replaceConfig,
  setConfigAside,
  unlinkConfig,
  writeConfig,
} from './configs.ts'
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
  hasOpen,
  insertCd,
  isConnected,
  vdevs,
} from './devices.ts'
import { openImages, rereadImages, waitForQemu } from './handOver.ts'
import type { Hypervisor } from './hypervisor.ts'
import { switchDisks, tellLibxl, writtenImages } from './layers.ts'
import { domains, look } from './look.ts'
import { abilities, isMigrating, isSuspended, migrate, resumeSuspended } from './migrate.ts'
import { compareLeft, compareMirrors } from './mirror/compare.ts'
import { completeMirrors, endMirrors, holdMirrors, mirrorDisks, refuseMirror } from './mirror/mirror.ts'
import { copyMoment, forgetBitmaps, holdMoment, momentMeans, needMoment, releaseMoment } from './moment/moment.ts'
import { destroy, pause, reboot, shutdown, unpause } from './power.ts'
import { resizeDisk } from './resizeDisk.ts'
import { closeImages, streamLayer } from './stream.ts'

/** Xen as xl(1) shows and drives it; what it knows it looks up each time, so one serves all PMs. */
export const xen: Hypervisor = {
  look,
  domains,
  details,
  configFiles: (host, signal) => configFiles(host, signal),
  readConfig,
  writeConfig,
  replaceConfig,
  forgetOriginal,
  linkConfig,
  setConfigAside,
  unlinkConfig,
  removeConfig,
  removeConfigDraft,
  autostart,
  hasAutostartLink,
  addAutostartLink,
  removeAutostartLink,
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
  hasOpen,
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
  refuseMirror,
  mirrorDisks,
  compareMirrors,
  compareLeft,
  holdMirrors,
  completeMirrors,
  endMirrors,
  switchDisks,
  tellLibxl,
  writtenImages,
  streamLayer,
  closeImages,
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

  shutdown,
  reboot,
  pause,
  unpause,
  destroy,
  async setMemory(host, domid, mib, tag) {
    await changeDomain(host, domid, setMemory(domid, mib), tag, `give domain ${domid} ${mib} MiB`, {
      isThere: (domain) => domain?.memoryMib === mib,
      takesTime: true,
    })
  },
  async setVcpus(host, domid, count, tag) {
    await changeDomain(host, domid, setVcpus(domid, count), tag, `give domain ${domid} ${count} VCPUs`, {
      isThere: (domain) => domain?.vcpuCount === count,
      takesTime: true,
    })
  },
  async rename(host, domid, name, tag) {
    await changeDomain(host, domid, renameDomain(domid, name), tag, `rename domain ${domid} to ${name}`, {
      isThere: (domain) => domain?.name === name,
    })
  },
  updateConfig: (host, domid, { path, uuid, secrets = [] }, tag) =>
    change(host, { ...updateConfig(domid, path, uuid), secrets }, tag, `give domain ${domid} its new configuration`),
}
