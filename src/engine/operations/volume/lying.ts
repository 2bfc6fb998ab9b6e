import { PengxError } from '../../../model/error.ts'
import { volumesOf } from '../../../model/layer.ts'
import { canonicalPath } from '../../../model/storage/volumePath.ts'
import type { Context } from '../../jobs/operation.ts'
import { identify, isSameVolume, type VolumeIdentity } from '../../volumes/identity.ts'
import { readChains } from '../../volumes/layers.ts'
import type { AskedVolume, Owner } from './asked.ts'

/** Who lies on a volume that changes or goes, as the headers of images tell, remembered or not. */

/**
 * Throws `refused` for an image that lies on one of the volumes and is not the VM's own: one in the same storlink that nobody
 * has written down, or a disk of another VM wherever it lies. Looks from the VM's PM. Where a guest `begins` to write, volumes
 * that cannot be read are in nobody's way, and `force` goes past those that can.
 */
export async function needNothingLying(
  cx: Context,
  vm: Owner,
  volumes: readonly AskedVolume[],
  identities: ReadonlyMap<string, VolumeIdentity>,
  { begins, force }: { readonly begins?: true; readonly force?: boolean | undefined } = {},
): Promise<void> {
  const host = cx.host(vm.pm)
  const row = cx.view.getVm(vm.uuid)
  const own = [...volumes, ...(row ? volumesOf(row) : [])]
  const isOwn = (path: string) => own.some((one) => canonicalPath(one.path) === canonicalPath(path))
  const going = volumes.filter((volume) => !volume.readOnly)
  const refuse = (lying: string, path: string, whose = '') => {
    const text = `${lying}${whose} on ${host.name} lies on ${path}, and would be ruined`
    if (force) return cx.notice(`${text}; it was done all the same`)
    const help = force === undefined ? '' : ': where nobody needs that any more, --force does it all the same'
    throw new PengxError('refused', `${text}${help}`)
  }
  const known = cx.view.vms().flatMap((other) => volumesOf(other).flatMap(({ path, owned }) => (owned ? [path] : [])))
  const asleep = begins ? 'left out' : 'refused'
  const inPlace = going.map(async ({ path, storlink }) => {
    const level = storlink === undefined ? undefined : cx.view.getStorlink(storlink)?.level
    if (level === undefined || !identities.has(path)) return undefined
    const lying = await cx.volumes(level).dependents(host, path, { known, asleep })
    const stranger = lying.find((one) => !isOwn(one))
    return stranger === undefined ? undefined : { stranger, path }
  })
  for (const found of await Promise.all(inPlace)) if (found) refuse(found.stranger, found.path)
  // What pengx has made lies in its storlink, or on what is written down.
  const others = cx.view.vms().filter((other) => other.uuid !== vm.uuid && other.pm === vm.pm)
  const disks = others.flatMap(({ name, disks }) =>
    disks
      .filter(({ format, owned, path }) => format !== 'raw' && !owned && path !== '')
      .map((disk) => ({ ...disk, name })),
  )
  if (disks.length === 0) return
  const chains = await readChains(host, disks, cx.signal)
  const below = chains.flatMap((chain) => chain?.slice(1).map(({ path }) => path) ?? [])
  const identified = below.length === 0 ? new Map() : await identify(host, below, cx.signal)
  for (const [index, chain] of chains.entries()) {
    for (const { path } of chain?.slice(1) ?? []) {
      const lain = going.find((volume) => isSame(volume.path, path, identities, identified))
      if (lain) refuse(disks[index]!.path, lain.path, `, a disk of ${disks[index]!.name},`)
    }
  }
}

function isSame(
  one: string,
  other: string,
  ones: ReadonlyMap<string, VolumeIdentity>,
  others: ReadonlyMap<string, VolumeIdentity>,
): boolean {
  const [a, b] = [ones.get(one), others.get(other)]
  return a && b ? isSameVolume(a, b, true) : canonicalPath(one) === canonicalPath(other)
}
