import type { Pm, PmSeen } from '../../model/pm.ts'
import type { Storlink } from '../../model/storlink.ts'
import type { Vm, VmSeen } from '../../model/vm.ts'

/**
 * What is remembered of the site. Every write is one transaction and repeatable (putting what is there is
 * done, dropping what is not there is done), and the view of this process has it when the promise resolves.
 */
export interface Inventory {
  putPm(pm: Pm): Promise<void>
  /** VMs that were only found there go with it; managed ones and storlinks are `conflict`. */
  dropPm(uuid: string): Promise<void>
  /** Inserts or replaces a VM with its disks and NICs; NICs with id 0 get one. A second VM of that name is `conflict`. */
  putVm(vm: Vm): Promise<void>
  dropVm(uuid: string): Promise<void>
  /** Many in one transaction: what a first look at a PM finds. */
  putVms(vms: readonly Vm[]): Promise<void>
  dropVms(uuids: readonly string[]): Promise<void>
  /** Gives it an id where that is 0, and returns the id. */
  putStorlink(storlink: Storlink): Promise<number>
  dropStorlink(id: number): Promise<void>
  /** What a look saw, in one transaction; only what differs is written. */
  recordSeen(seen: {
    pms?: readonly { uuid: string; seen: PmSeen; cpuCount?: number; memoryMib?: number }[]
    vms?: readonly { uuid: string; seen: VmSeen; bootedAt?: number }[]
  }): Promise<void>
  putSetting(key: string, value: string): Promise<void>
}
