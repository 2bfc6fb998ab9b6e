import { type Disk, vdevNumber } from '../../../model/disk.ts'
import type { Nic } from '../../../model/nic.ts'
import { changes, type Program, reads } from '../program.ts'
import { readStore } from '../xenstore.ts'
import { formatDisk, toDiskSpec } from './disk.ts'
import { nicWords } from './nic.ts'

/** Disks and network interfaces of a domain that is there: how xl(1) is told, and what libxl keeps of them. */

export function attachDisk(domid: number, disk: Disk): Program {
  return changes('xl', 'block-attach', String(domid), formatDisk(toDiskSpec(disk)))
}

/** The guest is asked to let go, and libxl waits about ten seconds for it. */
export function detachDisk(domid: number, vdev: string): Program {
  return changes('xl', 'block-detach', String(domid), vdev)
}

export function attachNic(domid: number, nic: Nic): Program {
  return changes('xl', 'network-attach', String(domid), ...nicWords(nic))
}

/** By the number that libxl gave it: a MAC address is not looked for where the interface is half attached. */
export function detachNic(domid: number, devid: number): Program {
  return changes('xl', 'network-detach', String(domid), String(devid))
}

/** The drive must be there since the domain was built; what is in it is exchanged. */
export function insertCd(domid: number, vdev: string, path: string): Program {
  return changes('xl', 'cd-insert', String(domid), vdev, path)
}

export function ejectCd(domid: number, vdev: string): Program {
  return changes('xl', 'cd-eject', String(domid), vdev)
}

/**
 * Three trees: what libxl keeps, the guest's side and dom0's side; a domain without devices has none of them. xenstore-ls
 * asks XenStore's daemon twice about each node, and a device has dozens: so all devices only where all are wanted.
 */
export function listDevices(domid: number): Program[] {
  return listTrees(domid, '', ['qdisk', 'vbd', 'vif'], '')
}

function listDisks(domid: number): Program[] {
  return listTrees(domid, '/vbd', ['qdisk', 'vbd'], '')
}

export function listNics(domid: number): Program[] {
  return listTrees(domid, '/vif', ['vif'], '')
}

/** One disk; all of them where its name does not tell under which number it is. */
export function listDisk(domid: number, vdev: string): Program[] {
  const number = vdevNumber(vdev)
  return number === undefined ? listDisks(domid) : listTrees(domid, `/vbd/${number}`, ['qdisk', 'vbd'], `/${number}`)
}

/** What libxl keeps of a domain's disks, those that somebody else has attached too: `parseDevices` finds no ends in it. */
export function listDiskNames(domid: number): Program {
  return listTree(`/libxl/${domid}/device/vbd`)
}

/** Dom0's side of one disk, whichever way it is served; 1: that way it is not. Undefined as in `listDisk`. */
export function backendStates(domid: number, vdev: string): Program[] | undefined {
  const number = vdevNumber(vdev)
  if (number === undefined) return undefined
  return ['qdisk', 'vbd'].map((kind) => readStore(`/local/domain/0/backend/${kind}/${domid}/${number}/state`))
}

function listTrees(domid: number, under: string, backends: readonly string[], underBackend: string): Program[] {
  return [
    listTree(`/libxl/${domid}/device${under}`),
    listTree(`/local/domain/${domid}/device${under}`),
    ...backends.map((kind) => listTree(`/local/domain/0/backend/${kind}/${domid}${underBackend}`)),
  ]
}

function listTree(path: string): Program {
  return { ...reads('xenstore-ls', '-f', path), okExits: [0, 1] }
}

/** How far the two sides of a device are with each other (xen/include/public/io/xenbus.h); 0: that side is not there. */
export interface DeviceStates {
  readonly frontend: number
  readonly backend: number
}

export interface DiskDevice extends DeviceStates {
  readonly devid: number
  readonly vdev: string
  readonly cdrom: boolean
  /** Empty for a drive without a medium. */
  readonly path: string
  /** `qdisk`, `phy`. */
  readonly backendType: string
}

/**
 * An empty CD drive of which QEMU has made nothing, since it was empty when the guest was built: QEMU 7.2 cannot open "no
 * file", leaves dom0's side where libxl has begun it, and ends with a segmentation fault when it is told to put something in.
 */
export function isUnserved({ cdrom, path, backend, backendType }: DiskDevice): boolean {
  return cdrom && path === '' && backendType === 'qdisk' && backend === INITIALISING
}

const INITIALISING = 1

export interface NicDevice extends DeviceStates {
  readonly devid: number
  readonly mac: string
  readonly bridge: string
}

export interface Devices {
  readonly disks: readonly DiskDevice[]
  readonly nics: readonly NicDevice[]
}

/** From the values of `listDevices`, by path. */
export function parseDevices(domid: number, store: ReadonlyMap<string, string>): Devices {
  const get = (path: string) => store.get(path) ?? ''
  const numbers = (kind: string) => {
    const pattern = new RegExp(`^/libxl/${domid}/device/${kind}/(\\d+)/backend$`)
    return [...store.keys()].flatMap((path) => pattern.exec(path)?.[1] ?? []).map(Number)
  }
  const ends = (kind: string, devid: number): DeviceStates => ({
    frontend: Number(get(`/local/domain/${domid}/device/${kind}/${devid}/state`)),
    backend: Number(get(`${get(`/libxl/${domid}/device/${kind}/${devid}/backend`)}/state`)),
  })
  const disks = numbers('vbd').map((devid): DiskDevice => {
    const own = `/libxl/${domid}/device/vbd/${devid}`
    const live = get(`${own}/backend`)
    const params = get(`${live}/params`) || get(`${own}/params`)
    return {
      devid,
      vdev: get(`${own}/dev`),
      cdrom: get(`${own}/device-type`) === 'cdrom',
      // `DRIVER:PATH` for QEMU, the path alone for the kernel
      path: params.replace(/^[a-z0-9]*:/, ''),
      backendType: get(`${own}/type`),
      ...ends('vbd', devid),
    }
  })
  const nics = numbers('vif').map((devid): NicDevice => {
    const own = `/libxl/${domid}/device/vif/${devid}`
    return { devid, mac: get(`${own}/mac`).toLowerCase(), bridge: get(`${own}/bridge`), ...ends('vif', devid) }
  })
  return { disks, nics }
}

const STATES = ['not there', 'initialising', 'waiting', 'initialised', 'connected', 'closing', 'closed']

/** `connected`, `closing`, …, for a person. */
export function stateName(state: number): string {
  return STATES[state] ?? `in state ${state}`
}
