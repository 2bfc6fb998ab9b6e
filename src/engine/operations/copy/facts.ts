import { shortUuid } from '../../../lib/ids.ts'
import { backedUpDisks } from '../../../model/backup.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Level } from '../../../model/storlink.ts'
import type { Vm } from '../../../model/vm.ts'
import { batch } from '../../host/batch.ts'
import { runBatch } from '../../host/run.ts'
import type { DomainSeen } from '../../hypervisor/domain.ts'
import type { Context } from '../../jobs/operation.ts'
import type { Seed } from '../../tools/cloudInit.ts'
import { fileExists } from '../../tools/files.ts'
import type { GuestMoment } from '../disk/moment.ts'
import { gatherScratch } from '../disk/scratch.ts'
import { levelOf } from '../disk/target.ts'
import { livingDomain, needNoDomain } from '../vm/domain.ts'
import { isSeed, readSeed } from '../vm/seed.ts'
import { readFrom } from '../volume/asked.ts'
import { needSoleUse } from '../volume/users.ts'
import { type CopiedDisk, gatherDisks, needRoom } from './disks.ts'
import { type CopyParams, namesOf, pmForCopy } from './params.ts'
import { type CopyRows, copyRows, noticeShared } from './rows.ts'

export type CopyFacts = CopyRows & {
  readonly vm: string
  readonly vmName: string
  /** The VM's PM, and the copies'. */
  readonly pm: string
  readonly target: string
  readonly disks: readonly CopiedDisk[]
  /** Of the storlink that seeds lie on; null: there are none. */
  readonly seedLevel: Level | null
  /** How the moment of a VM that runs is kept; null: it does not run. */
  readonly moment: Omit<GuestMoment, 'isRead'> | null
}

export async function gatherCopy(p: CopyParams, cx: Context): Promise<CopyFacts & Json> {
  const vm = cx.view.needVm(p.vm)
  const target = pmForCopy(p, cx.view)
  const domain = await livingDomain(cx, vm)
  if (!domain) await needNoDomain(cx, vm)
  await needSoleUse(cx, vm, readFrom(backedUpDisks(vm)), { use: 'write', silence: 'told' })
  const disks = await gatherDisks(p, vm, cx)
  const seed = await gatherSeed(p, vm, cx)
  const moment = domain ? await gatherMoment({ p, vm, domain, disks, target }, cx) : null
  await needRoom(disks, p.count, target, cx)
  if (target !== vm.pm) await needBootFiles(vm, target, cx)
  const { storlink, seedAddress, uuids } = p
  const request = { vm, names: namesOf(p), uuids, target, disks, seed, seedAddress, storlink }
  noticeShared(request, cx)
  const rows = copyRows(request, cx)
  const seeded = rows.rows[0]?.disks.find(isSeed)
  const seedLevel = seeded ? levelOf(seeded, cx.view) : null
  return {
    ...rows,
    vm: vm.uuid,
    vmName: vm.name,
    pm: vm.pm,
    target,
    disks,
    seedLevel,
    moment,
  } as unknown as CopyFacts & Json
}

async function gatherSeed(p: CopyParams, vm: Vm, cx: Context): Promise<Seed | undefined> {
  const disk = vm.disks.find(isSeed)
  const seed = disk && (await readSeed(cx, vm.pm, disk))
  if (disk && !seed)
    throw new PengxError(
      'refused',
      `${vm.name}: its cloud-init seed ${disk.path} is not as it was made, so it cannot be made anew for a copy, which would take itself for ${vm.name}: detach it first (disk.delete)`,
    )
  if (!seed && p.seedAddress !== undefined)
    throw new PengxError('invalid', `seedAddress: ${vm.name} has no cloud-init seed that could say it`)
  if (seed?.address && p.seedAddress === undefined)
    cx.notice(
      `the seed of ${vm.name} gives it the address ${seed.address.address}, which is not given to a copy: it asks by DHCP`,
    )
  return seed
}

interface Running {
  readonly p: CopyParams
  readonly vm: Vm
  readonly domain: DomainSeen
  readonly disks: readonly CopiedDisk[]
  readonly target: string
}

async function gatherMoment({ p, vm, domain, disks, target }: Running, cx: Context): Promise<CopyFacts['moment']> {
  const host = cx.host(vm.pm)
  const written = disks.filter(({ isWritten }) => isWritten)
  if (written.length === 0) return null
  const sources = written.map(({ vdev, source }) => ({ vdev, path: source.path }))
  const why = await cx.hypervisor.refuseBackup(host, domain.domid, sources)
  if (why) throw new PengxError('refused', `cannot copy ${vm.name} while it runs: ${why}`)
  const { canHold } = await cx.hypervisor.momentMeans(host, domain.domid, sources)
  // What QEMU shows can be read on its own PM alone.
  const way = canHold && target === vm.pm ? 'held' : 'copied'
  if (!canHold) cx.notice('its QEMU cannot show a moment, so all of it is copied beside the disks first')
  const requests = written.map(({ disk, source, vdev, storlink }) => {
    const own = vm.disks.find((one) => one.uuid === disk)?.storlink
    const place = p.scratch ?? own ?? (target === vm.pm ? storlink : undefined)
    if (place !== undefined) return { source, storlink: place }
    const text = `scratch is missing: ${vdev} (${source.path}) lies on no storlink, and what the guest overwrites meanwhile is kept on one of its PM`
    throw new PengxError('invalid', text)
  })
  const scratch = await gatherScratch(vm, requests, `cannot copy ${vm.name} while it runs`, cx)
  cx.notice('copied while it runs: a copy is what a power cut would have left of the VM')
  return {
    vm: vm.uuid,
    pm: vm.pm,
    domid: domain.domid,
    name: `pengx-${shortUuid(p.uuids[0]!)}`,
    way,
    rateMib: p.rate,
    disks: written.map(({ vdev, source, sizeMib }, index) => ({ vdev, source, sizeMib, scratch: scratch[index]! })),
  }
}

/** What a guest is booted from beside its disks has to be on the other PM, too. */
async function needBootFiles({ name, boot }: Vm, target: string, cx: Context): Promise<void> {
  const files = [boot.kernel, boot.ramdisk].flatMap((path) => (path?.startsWith('/') ? [path] : []))
  if (files.length === 0) return
  const outputs = await runBatch(cx.host(target), batch(files.map(fileExists)), cx.signal)
  const missing = files.find((_path, index) => outputs[index]?.exit !== 0)
  if (missing === undefined) return
  const where = cx.view.needPm(target).name
  throw new PengxError('refused', `${name} is booted from ${missing}, which is not on ${where}: put it there first`)
}
