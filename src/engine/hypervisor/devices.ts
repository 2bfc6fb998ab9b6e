import type { Clock } from '../../lib/clock.ts'
import type { Disk } from '../../model/disk.ts'
import { PengxError, toPengxError } from '../../model/error.ts'
import type { Nic } from '../../model/nic.ts'
import { batch } from '../host/batch.ts'
import type { Host } from '../host/host.ts'
import { run, runBatch } from '../host/run.ts'
import type { Program } from '../tools/program.ts'
import { parseOpenFiles } from '../tools/qmp.ts'
import { parseStoreList, writeStore } from '../tools/xenstore.ts'
import * as xl from '../tools/xl/devices.ts'
import { change } from './change.ts'
import { closeTarget } from './mirror/targets.ts'
import { listNodes, withMonitor } from './monitor.ts'

/**
 * Disks and network interfaces of a domain that runs. xl's exit status is half the truth here: it ends with 0 while a
 * disk is still connecting, and leaves an interface half attached where it fails; so what there is is read from
 * XenStore before and after.
 */
const CONNECTED = 4
const CLOSING = 5
const POLL_MS = 500

export interface Timeouts {
  readonly clock: Clock
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/**
 * All disks and interfaces of a domain, from libxl's, the guest's and dom0's nodes in XenStore (/libxl/DOMID/device,
 * /local/domain/DOMID/device, /local/domain/0/backend; docs/misc/xenstore-paths). Looks only; costly: dozens of nodes
 * a device.
 */
export async function devices(host: Host, domid: number, signal?: AbortSignal): Promise<xl.Devices> {
  return await find(host, domid, xl.listDevices(domid), signal)
}

/** One disk by its name in the guest, from its own nodes of the same trees. Looks only. */
export async function device(
  host: Host,
  domid: number,
  vdev: string,
  signal?: AbortSignal,
): Promise<xl.DiskDevice | undefined> {
  const { disks } = await find(host, domid, xl.listDisk(domid, vdev), signal)
  return disks.find((disk) => disk.vdev === vdev)
}

/**
 * Whether dom0's side of a disk is connected, which it is once the guest has taken it: node `state` of its backend is
 * 4 (xen/include/public/io/xenbus.h). Looks only; false for a disk that is not there.
 */
export async function isConnected(host: Host, domid: number, vdev: string, signal?: AbortSignal): Promise<boolean> {
  const asked = xl.backendStates(domid, vdev)
  if (asked === undefined) return (await device(host, domid, vdev, signal))?.backend === CONNECTED
  const states = await runBatch(host, batch(asked, { timeoutMs: 60_000 }), signal)
  return states.some(({ exit, stdout }) => exit === 0 && Number(stdout) === CONNECTED)
}

/** The names of a domain's disks in the guest, from what libxl keeps alone (/libxl/DOMID/device/vbd). Looks only. */
export async function vdevs(host: Host, domid: number, signal?: AbortSignal): Promise<readonly string[]> {
  return (await find(host, domid, [xl.listDiskNames(domid)], signal)).disks.map((disk) => disk.vdev)
}

async function find(host: Host, domid: number, lists: readonly Program[], signal?: AbortSignal): Promise<xl.Devices> {
  const outputs = await runBatch(host, batch(lists, { timeoutMs: 60_000 }), signal)
  return xl.parseDevices(domid, new Map(outputs.flatMap((output) => [...parseStoreList(output.stdout)])))
}

/**
 * `xl block-attach` (xl-disk-configuration(5)). A disk that is attached as asked for is done, and one that the guest
 * was asked to let go of, and has not, is told to stay. Where xl fails, what is there counts: a disk that the guest has
 * is attached, what else a failed attempt leaves behind is taken away. `conflict`
 * where another image has that name, `busy` where the disk is just being detached.
 */
export async function attachDisk(host: Host, domid: number, disk: Disk, tag: string): Promise<void> {
  const there = await device(host, domid, disk.vdev)
  if (there) return await keepDisk(host, domid, disk, there, tag)
  try {
    await change(host, xl.attachDisk(domid, disk), tag, `attach ${disk.path} to domain ${domid} as ${disk.vdev}`)
  } catch (error) {
    const left = await device(host, domid, disk.vdev)
    if (left?.path === disk.path && left.backend === CONNECTED) return
    if (left) await run(host, { ...xl.detachDisk(domid, disk.vdev), tag, okExits: [0, 1] })
    throw error
  }
}

/** Attached already; a guest that was asked to let go of it and has not is told to keep it. */
async function keepDisk(host: Host, domid: number, disk: Disk, there: xl.DiskDevice, tag: string): Promise<void> {
  if (there.path !== disk.path) {
    throw new PengxError(
      'conflict',
      `cannot attach ${disk.path} to domain ${domid} on ${host.name}: its ${disk.vdev} is ${there.path || 'empty'}`,
    )
  }
  if (there.backend < CLOSING) return
  if (there.frontend !== CONNECTED) {
    throw new PengxError(
      'busy',
      `${disk.vdev} of domain ${domid} on ${host.name} is being detached (${sides(there)}): try again when it is gone`,
    )
  }
  const backend = `/local/domain/0/backend/${there.backendType === 'qdisk' ? 'qdisk' : 'vbd'}/${domid}/${there.devid}`
  await run(host, { ...writeStore({ [`${backend}/online`]: '1', [`${backend}/state`]: String(CONNECTED) }), tag })
}

/**
 * `xl block-detach`, then waits until both sides and QEMU have let go: only then may anybody touch the volume. After
 * xl it takes `timeoutMs` at most for the sides, and as long again for QEMU; what counts is XenStore and QMP
 * `query-named-block-nodes`, not xl's exit. `commandFailed` names the side that holds it. A disk that is not there is
 * done, once QEMU has closed it.
 */
export async function detachDisk(
  host: Host,
  domid: number,
  disk: { readonly vdev: string; readonly path: string },
  tag: string,
  { clock, timeoutMs, signal }: Timeouts,
): Promise<void> {
  if (!(await device(host, domid, disk.vdev))) return await waitClosed()
  const said = await change(
    host,
    xl.detachDisk(domid, disk.vdev),
    tag,
    `detach ${disk.vdev} from domain ${domid}`,
  ).then(() => undefined, toPengxError)
  const until = clock.now() + timeoutMs
  for (;;) {
    const there = await device(host, domid, disk.vdev)
    if (!there) return await waitClosed()
    if (clock.now() >= until) throw stuck(there, said)
    await clock.sleep(POLL_MS, signal)
  }

  /** A QEMU that does not answer may hold it: it is asked again. */
  async function waitClosed(): Promise<void> {
    const end = clock.now() + timeoutMs
    for (;;) {
      const open = await hasOpen(host, domid, disk.path, 'change').catch(toPengxError)
      if (open === false) return
      if (open === true)
        await withMonitor(host, domid, 'libxenstat', 'change', (qmp) => closeTarget(qmp, disk.path)).catch(() => {})
      if (clock.now() >= end) throw held(open)
      await clock.sleep(POLL_MS, signal)
    }
  }

  function held(open: true | PengxError): PengxError {
    const gone = `${disk.vdev} is detached from domain ${domid} on ${host.name}`
    if (open === true) return new PengxError('commandFailed', `${gone}, and its QEMU still has ${disk.path} open`)
    const why = `whether its QEMU has let go of ${disk.path} cannot be told: ${open.message}`
    return new PengxError('commandFailed', `${gone}, and ${why}`, { cause: open })
  }

  function stuck(there: xl.DiskDevice, cause: PengxError | undefined): PengxError {
    const hangs =
      there.frontend === CONNECTED
        ? 'the guest does not let go of it; unmount it there'
        : `dom0 does not let go of it (${there.backendType}); the guest has`
    return new PengxError(
      'commandFailed',
      `cannot detach ${disk.vdev} from domain ${domid} on ${host.name}: ${hangs} (${sides(there)})`,
      {
        cause,
      },
    )
  }
}

function sides({ frontend, backend }: xl.DeviceStates): string {
  return `the guest’s side is ${xl.stateName(frontend)}, dom0’s ${xl.stateName(backend)}`
}

/**
 * Whether a domain's QEMU has an image open, as a disk or below one (QMP `query-named-block-nodes`); false where it has no
 * QEMU. Looks only, unless it is told that it may put away a stream that is over (`listNodes`). Fails, with `busy` where QEMU
 * does not answer: then nobody knows.
 */
export async function hasOpen(
  host: Host,
  domid: number,
  path: string,
  effect: 'read' | 'change' = 'read',
): Promise<boolean> {
  const files = await withMonitor(host, domid, 'libxenstat', effect, async (qmp) =>
    parseOpenFiles(await listNodes(qmp, effect)),
  )
  return files?.includes(path) ?? false
}

/**
 * `xl network-attach`; one of that MAC address is done. A missing bridge makes xl fail (`notFound`) and leaves the
 * interface half there, which later ruins a restore: it is taken away. One that the guest has all the same is attached.
 */
export async function attachNic(host: Host, domid: number, nic: Nic, tag: string): Promise<void> {
  if (await findNic(host, domid, nic.mac)) return
  try {
    await change(host, xl.attachNic(domid, nic), tag, `attach ${nic.mac} on ${nic.bridge} to domain ${domid}`)
  } catch (error) {
    if ((await findNic(host, domid, nic.mac))?.backend === CONNECTED) return
    const left = await detachNic(host, domid, nic.mac, tag).then(
      () => '',
      (also) => `; and what is left of it could not be taken away: ${toPengxError(also).message}`,
    )
    const { code, message, cause } = toPengxError(error)
    throw new PengxError(code, message + left, { cause })
  }
}

async function findNic(host: Host, domid: number, mac: string): Promise<xl.NicDevice | undefined> {
  return (await find(host, domid, xl.listNics(domid))).nics.find((nic) => nic.mac === mac)
}

/**
 * `xl network-detach`; done where it is not there, `commandFailed` where it is still there afterwards. Only for what
 * pengx has just attached, or half attached: a guest that uses its interface does not stand the loss of it.
 */
export async function detachNic(host: Host, domid: number, mac: string, tag: string): Promise<void> {
  const there = await findNic(host, domid, mac)
  if (!there) return
  const said = await change(host, xl.detachNic(domid, there.devid), tag, `detach ${mac} from domain ${domid}`).then(
    () => undefined,
    toPengxError,
  )
  const left = await findNic(host, domid, mac)
  if (left) {
    const why = said?.message ?? `cannot detach ${mac} from domain ${domid} on ${host.name}`
    throw new PengxError('commandFailed', `${why} (${sides(left)})`, { cause: said })
  }
}

/** Why nothing can be put into a drive that is `isUnserved`, and what would help. */
export const UNSERVED =
  'it was empty when the guest was started, and its QEMU would end with the guest: shut it down first, or use another drive'

/**
 * `xl cd-insert` into one CD drive of the domain, whatever is in it; done where that is in it. `refused` without such a
 * drive, and where that is `isUnserved`.
 */
export async function insertCd(
  host: Host,
  domid: number,
  { vdev, path }: { readonly vdev: string; readonly path: string },
  tag: string,
): Promise<void> {
  const drive = await needDrive(host, domid, vdev)
  if (drive.path === path) return
  const doing = `put ${path} into ${vdev} of domain ${domid}`
  if (xl.isUnserved(drive)) throw new PengxError('refused', `cannot ${doing} on ${host.name}: ${UNSERVED}`)
  await change(host, xl.insertCd(domid, vdev, path), tag, doing).catch(unlessDriveHas(host, domid, vdev, path))
}

/** `xl cd-eject` of one CD drive of the domain; done where it is empty, `refused` where there is none of that name. */
export async function ejectCd(host: Host, domid: number, vdev: string, tag: string): Promise<void> {
  if ((await needDrive(host, domid, vdev)).path === '') return
  const doing = `empty ${vdev} of domain ${domid}`
  await change(host, xl.ejectCd(domid, vdev), tag, doing).catch(unlessDriveHas(host, domid, vdev, ''))
}

/** What xl complained of counts where the drive does not hold what it shall. */
const unlessDriveHas = (host: Host, domid: number, vdev: string, path: string) => async (error: unknown) => {
  const drive = await needDrive(host, domid, vdev).catch(() => undefined)
  if (drive?.path !== path) throw error
}

async function needDrive(host: Host, domid: number, vdev: string): Promise<xl.DiskDevice> {
  const { disks } = await find(host, domid, xl.listDisk(domid, vdev))
  const drive = disks.find((disk) => disk.cdrom && disk.vdev === vdev)
  if (drive) return drive
  throw new PengxError('refused', `domain ${domid} on ${host.name} was started without a CD drive ${vdev}`)
}
