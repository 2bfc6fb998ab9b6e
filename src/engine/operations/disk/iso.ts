import { z } from 'zod'
import { cdDrives, driveToLoad, freeCdVdev, loadedCds, withDrive, withImage } from '../../../model/drive.ts'
import { PengxError } from '../../../model/error.ts'
import type { Vm } from '../../../model/vm.ts'
import { run } from '../../host/run.ts'
import { UNSERVED } from '../../hypervisor/devices.ts'
import type { DomainSeen } from '../../hypervisor/domain.ts'
import type { Applied, Context, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { fileExists } from '../../tools/files.ts'
import { type DiskDevice, isUnserved } from '../../tools/xl/devices.ts'
import { type ChangeFacts, configStep, gatherChange, recordStep, refuseChange } from '../vm/change.ts'
import { findDomain, isPresent, lives, receivingDomain } from '../vm/domain.ts'
import { vmField, vmOperation, vmParams } from '../vm/target.ts'

/** The CD drives of an HVM guest, which runs or not: an image put into one, and taken out again. */

type Facts = ChangeFacts & {
  readonly vdev: string
  /** What was in the running domain's drive; null where it has none of that name. */
  readonly loaded: string | null
}

const driveField = field(z.string().optional(), {
  title: 'Drive',
  help: 'as the guest names it: hdc; none given: the first that fits',
  advanced: true,
})

function refuseDrive(vm: Vm, view: View): string | undefined {
  if (vm.type !== 'hvm') return `a ${vm.type.toUpperCase()} guest has no CD drive: give it the image as a disk`
  return refuseChange(vm, view)
}

function refuseNamed(vm: Vm, drive: string | undefined): string | undefined {
  if (drive === undefined || cdDrives(vm).some(({ vdev }) => vdev === drive)) return undefined
  const there = cdDrives(vm).map(({ vdev }) => vdev)
  return `it has no CD drive ${drive}${there.length === 0 ? '' : `, but ${there.join(', ')}`}`
}

/** That drive of the running domain, if it has one. */
async function driveOf({ before, domid }: ChangeFacts, vdev: string, cx: Context): Promise<DiskDevice | undefined> {
  if (domid === null) return undefined
  const { disks } = await cx.hypervisor.devices(cx.host(before.pm), domid, cx.signal)
  return disks.find((disk) => disk.cdrom && disk.vdev === vdev)
}

/** An empty path: nothing in it. */
async function load(cx: Context, { before, vdev }: Facts, path: string, domain: DomainSeen | undefined): Promise<void> {
  if (!lives(domain)) return
  const host = cx.host(before.pm)
  if (path === '') await cx.hypervisor.ejectCd(host, domain.domid, vdev, cx.tag)
  else await cx.hypervisor.insertCd(host, domain.domid, { vdev, path }, cx.tag)
}

/** A guest that has gone away meanwhile finds it in its configuration. */
async function isLoaded(cx: Context, { before, vdev }: Facts, path: string): Promise<Applied> {
  const domain = await findDomain(cx, before)
  if (!isPresent(domain)) return true
  const { disks } = await cx.hypervisor.devices(cx.host(before.pm), domain.domid, cx.signal)
  return disks.some((disk) => disk.cdrom && disk.vdev === vdev && disk.path === path) || 'again'
}

function loadStep(facts: Facts, path: string): Step[] {
  const { loaded, domid, vdev } = facts
  if (loaded === null) return []
  return [
    {
      name: path === '' ? 'eject' : 'insert',
      shows: [path === '' ? `xl cd-eject ${domid} ${vdev}` : `xl cd-insert ${domid} ${vdev} ${path}`],
      async do(cx) {
        await load(cx, facts, path, await receivingDomain(cx, facts.before))
        return null
      },
      isApplied: (cx) => isLoaded(cx, facts, path),
      async undo(cx) {
        try {
          await load(cx, facts, loaded, await findDomain(cx, facts.before))
        } catch (error) {
          // a guest that has rebooted since, with its drive empty
          if (!(error instanceof PengxError) || error.code !== 'refused') throw error
          cx.notice(error.message)
        }
      },
    },
  ]
}

const insertParams = z.object({
  vm: vmField,
  path: field(
    z.string().refine((path) => path.startsWith('/'), 'is not an absolute path'),
    {
      title: 'Image',
      from: 'iso',
      help: 'an ISO image on the PM',
    },
  ),
  drive: driveField,
})
type InsertParams = z.infer<typeof insertParams>

export const isoInsert = vmOperation<InsertParams, Facts>({
  name: 'iso.insert',
  title: 'insert a CD into',
  help: 'Puts an ISO image into the CD drive of an HVM guest.',
  danger: 'safe',
  params: insertParams,
  refuse({ vm, drive }, view) {
    const row = view.needVm(vm)
    return refuseDrive(row, view) ?? refuseNamed(row, drive)
  },
  async gather({ vm, path, drive }, cx) {
    const row = cx.view.needVm(vm)
    const there = await run(cx.host(row.pm), { ...fileExists(path), timeoutMs: 60_000 }, cx.signal)
    if (there.exit !== 0)
      throw new PengxError('invalid', `path: there is no file ${path} on ${cx.view.needPm(row.pm).name}`)
    const facts = await gatherChange(vm, cx)
    const vdev = drive ?? driveToLoad(facts.base)?.vdev ?? freeCdVdev(facts.base)
    if (vdev === undefined) throw new PengxError('refused', `${row.name} has no free drive for ${path}: hda to hdd`)
    const device = await driveOf(facts, vdev, cx)
    if (facts.domid !== null && device === undefined)
      throw new PengxError('refused', `${row.name} was started without a CD drive: shut it down first`)
    if (device && isUnserved(device)) throw new PengxError('refused', `drive ${vdev} of ${row.name}: ${UNSERVED}`)
    return { ...facts, vdev, loaded: device?.path ?? null }
  },
  plan({ path }, facts) {
    const change = (vm: Vm): Vm =>
      vm.drives.some(({ vdev }) => vdev === facts.vdev)
        ? withImage(vm, facts.vdev, path)
        : withDrive(vm, facts.vdev, path)
    return [recordStep(facts, change), configStep(facts, change), ...loadStep(facts, path)]
  },
})

const ejectParams = vmParams.extend({ drive: driveField })
type EjectParams = z.infer<typeof ejectParams>

export const isoEject = vmOperation<EjectParams, Facts>({
  name: 'iso.eject',
  title: 'eject the CD of',
  help: 'Takes the ISO image out of a CD drive of an HVM guest; the drive stays.',
  danger: 'safe',
  params: ejectParams,
  refuse({ vm, drive }, view) {
    const row = view.needVm(vm)
    const nothing = loadedCds(row).length === 0 ? 'there is nothing in its CD drive' : undefined
    return refuseDrive(row, view) ?? refuseNamed(row, drive) ?? nothing
  },
  async gather({ vm, drive }, cx) {
    const facts = await gatherChange(vm, cx)
    const loaded = cdDrives(facts.base).find(({ path }) => path !== '')
    const vdev = drive ?? loaded?.vdev
    if (vdev === undefined) throw new PengxError('refused', `there is nothing in a CD drive of ${facts.base.name}`)
    return { ...facts, vdev, loaded: (await driveOf(facts, vdev, cx))?.path ?? null }
  },
  plan(_params, facts) {
    const change = (vm: Vm) => withImage(vm, facts.vdev, '')
    return [recordStep(facts, change), configStep(facts, change), ...loadStep(facts, '')]
  },
})
