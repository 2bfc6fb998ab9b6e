import type { Disk, DiskFormat } from '../../../model/disk.ts'
import { type LayerVolume, layersOf } from '../../../model/layer.ts'
import { canonicalPath } from '../../../model/storage/volumePath.ts'
import type { Storlink } from '../../../model/storlink.ts'
import type { Template } from '../../../model/template.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Context } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'
import type { VolumeIdentity } from '../../volumes/identity.ts'
import { readChains } from '../../volumes/layers.ts'

/** Which volumes are asked about, and who may see them. */

export interface AskedVolume {
  readonly path: string
  readonly storlink?: number | undefined
  /** Its name in the guest. */
  readonly vdev?: string
  /** It is read, and not written to: others may read it, too. */
  readonly readOnly?: boolean
  /** Given for images whose header tells what they lie on, where nobody has written that down. */
  readonly format?: DiskFormat
}

/**
 * `write`: a guest will write to it, or what it holds is read at one moment. `freeze`: nobody may write to it from now on.
 * `rewrite`: it changes under whoever lies on it; `remove`: it goes.
 */
export type Use = 'write' | 'freeze' | 'rewrite' | 'remove'

/** On whose behalf it is asked: a VM, or a template by its UUID and the PM that it is worked on through. */
export type Owner = Pick<Vm, 'uuid' | 'pm' | 'name'> & Partial<Pick<Vm, 'domainName'>>

type Described = Pick<Disk | LayerVolume, 'path' | 'storlink' | 'vdev' | 'format' | 'owned'>

/** What pengx has made lies on what is written down. */
function askedOf({ path, storlink, vdev, format, owned }: Described, readOnly: boolean): AskedVolume {
  return { path, storlink, vdev, readOnly, ...(owned ? {} : { format }) }
}

/**
 * The volumes that a VM uses when it runs: its disks, which it writes to, and what they lie on, frozen layers and disks of
 * its template, which it reads.
 */
export function usedBy(vm: Vm, view: View): AskedVolume[] {
  const frozen = layersOf(vm).flatMap((layer) => layer.volumes)
  const bases = new Set([...vm.disks, ...frozen].flatMap(({ base }) => base ?? []))
  const templates = view.templates().flatMap((template) => template.disks.filter(({ uuid }) => bases.has(uuid)))
  return [
    ...vm.disks.map((disk) => askedOf(disk, disk.readOnly)),
    ...frozen.map((volume) => askedOf(volume, true)),
    ...templates.map(({ path, storlink }) => ({ path, storlink, readOnly: true })),
  ]
}

/** Disks whose bytes are read while nobody may write to them. */
export function readFrom(disks: readonly Disk[]): AskedVolume[] {
  return disks.map((disk) => askedOf(disk, true))
}

/** Volumes that shall be changed or go, with all that they are. */
export function changing(volumes: readonly Described[]): AskedVolume[] {
  return volumes.map((volume) => askedOf(volume, false))
}

/** A template's own disks. */
export function templateVolumes(template: Pick<Template, 'disks'>): AskedVolume[] {
  return template.disks.map(({ path, storlink }) => ({ path, storlink }))
}

/**
 * The volumes, each once, and those which they lie on as the headers say of images that pengx has not made: one round trip
 * where there are such. An image that cannot be read lies on nothing that could be asked about.
 */
export async function withChains(
  cx: Context,
  { pm }: Pick<Vm, 'pm'>,
  asked: readonly AskedVolume[],
): Promise<AskedVolume[]> {
  const volumes = asked.filter(({ path }) => path !== '')
  const images = volumes.flatMap(({ path, format }) => (format && format !== 'raw' ? [{ path, format }] : []))
  const chains = images.length === 0 ? [] : await readChains(cx.host(pm), images, cx.signal)
  const below = chains.flatMap((chain) => chain?.slice(1) ?? [])
  const all = [...volumes, ...below.map(({ path }): AskedVolume => ({ path, readOnly: true }))]
  return all.filter((one, at) => all.findIndex((other) => other.path === one.path) === at)
}

/**
 * Whether other PMs can see it: as a person has said of its storlink, or of the one in which it lies; else as what it is
 * tells. What is not there is nowhere.
 */
export function isSeenElsewhere(
  view: View,
  pm: string,
  volume: AskedVolume,
  identity: VolumeIdentity | undefined,
): boolean {
  const own = volume.storlink === undefined ? undefined : view.getStorlink(volume.storlink)
  const storlink = own ?? view.storlinks().find((one) => one.pm === pm && isWithin(one, volume.path))
  return storlink ? storlink.shared : (identity?.site.length ?? 0) > 0
}

function isWithin({ link }: Pick<Storlink, 'link'>, path: string): boolean {
  return canonicalPath(path).startsWith(`${canonicalPath(link).replace(/\/$/, '')}/`)
}
