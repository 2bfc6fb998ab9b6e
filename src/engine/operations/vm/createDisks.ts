import { newUuid } from '../../../lib/ids.ts'
import type { Disk, DiskFormat } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Pm } from '../../../model/pm.ts'
import type { Level, Storlink } from '../../../model/storlink.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import { VOLUME_BACKEND } from '../../volumes/volumeDriver.ts'
import { needGroupChange } from '../storlink/access.ts'
import { madeVolume } from '../storlink/madeVolume.ts'
import { needSoleUse } from '../volume/users.ts'
import type { CreateParams } from './createParams.ts'

/**
 * The disks of a new VM: empty ones, one filled from an image, or one for each disk of a template, copied or laid on it
 * as an overlay. A template's and an image's size is the least that the disk can have.
 */
export type NewDisk = Disk & Json

/** What a disk is made from. */
export interface Source {
  readonly path: string
  readonly format: DiskFormat
  readonly sizeMib: number
  readonly [key: string]: Json
}

export type NewDisks = {
  readonly disks: readonly NewDisk[]
  /** By the UUID of the disk that is made. */
  readonly sources: Readonly<Record<string, Source>>
}

/** A disk that is wanted: empty, or with what a source holds, of which so many MiB will be taken. */
export interface DiskRequest {
  readonly source?: Source & { readonly usedMib: number; readonly base?: string }
  readonly sizeMib: number
  /** The image itself is the disk. */
  readonly inPlace?: true
}

export async function gatherDisks(p: CreateParams, storlink: Storlink, pm: Pm, cx: Context): Promise<NewDisks> {
  const requests = p.template === undefined ? await fromImage(p, storlink, pm, cx) : await fromTemplate(p, pm, cx)
  if (p.extraDiskSize !== undefined) requests.push({ sizeMib: p.extraDiskSize })
  return await placeDisks(requests, p, storlink, pm, cx)
}

/** What such disks take from the parameters of a VM. */
type DiskParams = Pick<CreateParams, 'diskFormat' | 'overlay'>

/** Picks where disks will lie. Throws `noSpace` where there is no room for them, and what the driver throws. */
export async function placeDisks(
  requests: readonly DiskRequest[],
  p: DiskParams,
  storlink: Storlink,
  pm: Pm,
  cx: Context,
): Promise<NewDisks> {
  await needRoom(requests, p, storlink, pm, cx)
  const driver = cx.volumes(storlink.level)
  const createdAt = cx.clock.now()
  const sources: Record<string, Source> = {}
  const disks = requests.map(({ source, sizeMib, inPlace }, index): NewDisk => {
    const uuid = newUuid()
    const format = inPlace ? source!.format : p.diskFormat
    const { path, base, usedMib: _used, ...rest } = source ?? {}
    if (source && !inPlace) sources[uuid] = { ...rest, path: source.path } as Source
    return {
      uuid,
      vdev: `xvd${String.fromCharCode(97 + index)}`,
      format,
      sizeMib,
      path: inPlace ? path! : driver.locate({ storlink, uuid, format }),
      ...(inPlace ? {} : { storlink: storlink.id }),
      ...(p.overlay && base !== undefined ? { base } : {}),
      ...(inPlace ? {} : { backend: VOLUME_BACKEND }),
      readOnly: false,
      owned: !inPlace,
      desc: '',
      createdAt,
    }
  })
  return { disks, sources }
}

async function fromImage(p: CreateParams, storlink: Storlink, pm: Pm, cx: Context): Promise<DiskRequest[]> {
  if (p.image === undefined) return [{ sizeMib: p.diskSize! }]
  const info = await cx.volumes(storlink.level).stat(cx.host(pm.uuid), p.image)
  if (!info) throw new PengxError('invalid', `image: ${p.image} on ${pm.name} is not a disk image`)
  if (p.diskSize !== undefined && p.diskSize < info.sizeMib)
    throw new PengxError('invalid', `diskSize: ${p.diskSize} MiB is less than the image has: ${info.sizeMib} MiB`)
  if (!p.copyImage) {
    const owner = { uuid: p.uuid!, pm: pm.uuid, name: p.name }
    const volume = { path: p.image, storlink: storlink.id, format: info.format }
    await needSoleUse(cx, owner, [volume], { use: 'write', begins: true })
  }
  const { format, sizeMib, usedMib } = info
  const source = { path: p.image, format, sizeMib, usedMib }
  return [{ source, sizeMib: p.diskSize ?? sizeMib, ...(p.copyImage ? {} : { inPlace: true as const }) }]
}

async function fromTemplate(p: CreateParams, pm: Pm, cx: Context): Promise<DiskRequest[]> {
  const template = cx.view.needTemplate(p.template!)
  const requests: DiskRequest[] = []
  for (const [index, { uuid, path, format, storlink }] of template.disks.entries()) {
    const driver = cx.volumes(cx.view.needStorlink(storlink).level)
    const info = await driver.stat(cx.host(pm.uuid), path, format)
    if (!info)
      throw new PengxError('refused', `template ${template.name} lacks its disk ${path} on ${pm.name}: it is not there`)
    const source = { path, format, sizeMib: info.sizeMib, usedMib: info.usedMib, base: uuid }
    const sizeMib = index === 0 ? Math.max(p.diskSize ?? 0, info.sizeMib) : info.sizeMib
    requests.push({ source, sizeMib })
  }
  return requests
}

/** Where volumes take only what is written to them, the bytes that are copied count; else all of it. */
async function needRoom(
  requests: readonly DiskRequest[],
  p: DiskParams,
  storlink: Storlink,
  pm: Pm,
  cx: Context,
): Promise<void> {
  needGroupChange(storlink, pm.uuid, cx.view)
  const driver = cx.volumes(storlink.level)
  const { freeMib, refusal } = await driver.inspect(cx.host(pm.uuid), storlink.link)
  if (refusal !== undefined) throw new PengxError('refused', refusal)
  const made = requests.filter((one) => !one.inPlace)
  const neededMib = made.reduce((sum, { source, sizeMib }) => {
    if (!driver.traits.sparse) return sum + sizeMib
    return sum + (p.overlay || !source ? (p.diskFormat === 'raw' ? 0 : 1) : source.usedMib)
  }, 0)
  if (freeMib >= neededMib) return
  const where = `${storlink.name} (${storlink.link} on ${pm.name})`
  throw new PengxError('noSpace', `cannot create disks on ${where}: ${freeMib} MiB free, ${neededMib} needed`)
}

export function diskStep(
  disk: Disk,
  source: Source | undefined,
  location: { pm: string; level: Level },
  vm: { readonly uuid: string; readonly name: string },
): Step {
  return {
    name: `make disk ${disk.vdev}`,
    weight: source && disk.base === undefined ? 20 : 2,
    shows: [showMake(disk, source)],
    async do(cx) {
      await make(cx, disk, source, location)
      return null
    },
    ...madeVolume(location.pm, { ...disk, level: location.level }, vm),
  }
}

function showMake({ path, format, sizeMib, base }: Disk, source: Source | undefined): string {
  if (!source) return `qemu-img create -f ${format} ${path} ${sizeMib}M`
  if (base === undefined) return `qemu-img convert -O ${format} ${source.path} ${path}`
  return `qemu-img create -f qcow2 -b ${source.path} -F ${source.format} ${path} ${sizeMib}M`
}

async function make(
  cx: Context,
  disk: Disk,
  source: Source | undefined,
  { pm, level }: { pm: string; level: Level },
): Promise<void> {
  const driver = cx.volumes(level)
  const host = cx.host(pm)
  const { path, format } = disk
  const sizeMib = disk.sizeMib!
  if (!source) return await driver.create(host, path, format, sizeMib, cx.tag)
  const larger = sizeMib > source.sizeMib
  if (disk.base !== undefined) return await driver.overlay(host, path, source, larger ? sizeMib : undefined, cx.tag)
  const say = (done: number) => cx.progress(done, `${Math.floor(done * source.sizeMib)} of ${source.sizeMib} MiB`)
  await driver.importImage(host, source, disk, cx.tag, say, cx.signal)
  if (larger) await driver.resize(host, path, format, sizeMib, cx.tag)
}
