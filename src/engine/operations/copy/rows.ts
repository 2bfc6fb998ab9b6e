import { newSecret, newUuid } from '../../../lib/ids.ts'
import { specOf } from '../../../model/backup.ts'
import type { Disk } from '../../../model/disk.ts'
import { cdDrives, emptied, isDrive, withoutDisk } from '../../../model/drive.ts'
import type { Json } from '../../../model/json.ts'
import { domainNameFor, type Vm, type Vnc } from '../../../model/vm.ts'
import type { Context } from '../../jobs/operation.ts'
import { hostnameOf, parseSeedAddress, type Seed } from '../../tools/cloudInit.ts'
import { parseStatements } from '../../tools/xl/syntax.ts'
import { missingBridge, UNSEEN_HINT } from '../vm/bridges.ts'
import { configPathFor } from '../vm/domain.ts'
import { freeMacs, renewedNics } from '../vm/pickNics.ts'
import { isSeed, placeSeed } from '../vm/seed.ts'
import { diskOn } from '../volume/copies.ts'
import type { CopiedDisk } from './disks.ts'

/**
 * The copies as they will stand in the store: what the VM is, and of their own what no two may have: UUID, name, addresses,
 * VNC password and display, and what a seed says of them.
 */
export type CopyRows = {
  readonly rows: readonly (Vm & Json)[]
  /** Their VNC passwords, by UUID. */
  readonly secrets: Readonly<Record<string, string>>
  /** What the seed of each says, in their order; none: the VM has no seed. */
  readonly seeds: readonly (Seed & Json)[]
}

export interface RowsRequest {
  readonly vm: Vm
  readonly names: readonly string[]
  readonly uuids: readonly string[]
  /** The PM that they come to. */
  readonly target: string
  readonly disks: readonly CopiedDisk[]
  readonly seed: Seed | undefined
  readonly seedAddress: string | undefined
  /** Where their seeds shall lie; else where the VM's lies. */
  readonly storlink: number | undefined
}

export function copyRows(request: RowsRequest, cx: Context): CopyRows {
  const { vm, names, uuids, seed, seedAddress } = request
  const base = shareable(request, cx)
  const nextMac = freeMacs(cx.view)
  const rows = uuids.map((uuid, index) => rowOf(uuid, names[index]!, base, nextMac, request, cx))
  const password = vm.vnc?.password !== undefined
  if (password) cx.notice('its VNC password is not that of a copy, which gets one of its own')
  return {
    rows: rows as (Vm & Json)[],
    secrets: password ? Object.fromEntries(uuids.map((uuid) => [uuid, newSecret(8)])) : {},
    seeds: rows.flatMap((row) => (seed ? [seedFor(row, seed, seedAddress) as Seed & Json] : [])),
  }
}

type Base = Pick<Vm, 'disks' | 'drives'>

/** What it has among its disks that a copy can have, too; the rest is told. */
function shareable({ vm, target, disks, seed }: RowsRequest, cx: Context): Base {
  let base: Base = { disks: vm.disks, drives: vm.drives }
  const isMade = (disk: Disk) => disks.some((one) => one.disk === disk.uuid) || (seed !== undefined && isSeed(disk))
  for (const disk of vm.disks.filter((one) => !isMade(one))) {
    if (target === vm.pm) {
      cx.notice(`${disk.vdev} (${disk.path}) is only read: a copy has the same`)
      continue
    }
    cx.notice(`${disk.vdev} (${disk.path}) is only read, and of ${cx.view.needPm(vm.pm).name}: left out`)
    base = withoutDisk(base, (one) => one.uuid === disk.uuid)
  }
  for (const { vdev, path } of base.drives.filter((drive) => isDrive(drive) && !drive.cdrom))
    cx.notice(`${vdev} (${path}) is of a format that is not copied: left out`)
  if (target === vm.pm) return { ...base, drives: cdDrives(base) }
  for (const { vdev, path } of cdDrives(base))
    if (path !== '') cx.notice(`its CD drive ${vdev} is empty in a copy: it has ${path}`)
  return { ...base, drives: emptied(base.drives) }
}

function rowOf(
  uuid: string,
  name: string,
  base: Base,
  nextMac: () => string,
  { vm, target, disks, seed, storlink }: RowsRequest,
  cx: Context,
): Vm {
  const at = cx.clock.now()
  const { drives: _own, domainName: _old, vnc, ...spec } = specOf(vm)
  const diskFor = (disk: Disk): Disk => {
    if (seed && isSeed(disk)) return placeSeed(uuid, cx.view.needStorlink(storlink ?? disk.storlink!), cx)
    const copied = disks.find((one) => one.disk === disk.uuid)
    if (!copied) return { ...disk, uuid: newUuid(), owned: false, createdAt: at }
    const { format, sizeMib, storlink: id } = copied
    const row = cx.view.needStorlink(id)
    const path = cx.volumes(row.level).locate({ storlink: row, uuid: newUuid(), format })
    return { ...diskOn(disk, { path, format, storlink: id, sizeMib }), uuid: newUuid(), createdAt: at }
  }
  return {
    ...spec,
    ...(vnc ? { vnc: ownDisplay(vnc) } : {}),
    uuid,
    pm: target,
    origin: 'created',
    name,
    domainName: domainNameFor(name, uuid),
    disks: base.disks.map(diskFor),
    drives: base.drives,
    nics: renewedNics(spec.nics, nextMac),
    createdAt: at,
    configPath: configPathFor(uuid),
    configForeign: false,
    seen: { state: 'shutdown', since: at, drift: [] },
  }
}

/** One display is one guest's: a copy takes what is free. An address may carry one along (xl.cfg(5), `vnclisten`). */
function ownDisplay({ display: _fixed, listen, ...vnc }: Vnc): Vnc {
  return { ...vnc, listen: listen.replace(/^(\d+(?:\.\d+){3}|\[.*\]):\d+$/, '$1') }
}

function seedFor({ uuid, name, nics }: Vm, seed: Seed, seedAddress: string | undefined): Seed {
  const { address: _theirs, mac: _other, ...rest } = seed
  const address = seedAddress === undefined ? undefined : parseSeedAddress(seedAddress)
  const mac = nics[0]?.mac
  return {
    ...rest,
    instanceId: uuid,
    hostname: hostnameOf(name, uuid),
    ...(address ? { address } : {}),
    ...(mac === undefined ? {} : { mac }),
  }
}

/** A device of the PM that is given to one guest (xl.cfg(5)). */
const GIVEN = new Set(['pci', 'usbdev', 'irqs', 'ioports', 'iomem', 'dtdev'])

/** Told of what two cannot have at once. */
export function noticeShared({ vm, target }: RowsRequest, cx: Context): void {
  const given = parseStatements(vm.extraConfig).flatMap(({ key }) => (GIVEN.has(key) ? [key] : []))
  if (given.length > 0)
    cx.notice(
      `its configuration gives it devices of its PM (${given.join(', ')}): a copy cannot run beside it with them`,
    )
  const pm = cx.view.needPm(target)
  for (const nic of vm.nics) {
    const missing = missingBridge(nic, pm)
    if (missing) cx.notice(`bridge ${nic.bridge} of ${nic.name} ${missing}: ${UNSEEN_HINT}`)
  }
}
