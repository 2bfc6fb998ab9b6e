import type { Disk } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import { type Layer, type LayerVolume, lineOf, type Stacked, stackOf } from '../../../model/layer.ts'
import type { Level } from '../../../model/storlink.ts'
import type { Vm } from '../../../model/vm.ts'
import type { BlockJobOptions } from '../../hypervisor/blockJobs.ts'
import { STREAM_NAME } from '../../hypervisor/monitor.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import type { Image } from '../../volumes/volumeDriver.ts'
import { volumeLevel } from '../disk/layers.ts'
import { livingDomain } from '../vm/domain.ts'

/**
 * Layers are collapsed by streaming what they hold into the volumes on them, each of which reads as before at every
 * moment, keeps its place and its name, and needs no change of any configuration. So nothing is lost wherever this is
 * cut short, and doing it again goes on. Several layers that go together are one stream a volume: from the one that stays
 * above them down to what the lowest lies on.
 */
export type Merge = {
  readonly vdev: string
  readonly path: string
  readonly level: Level
  /** Whose bytes come into it, as a person calls them. */
  readonly of: string
  /** The new backing file, or none. */
  readonly base: { readonly path: string; readonly format: Image['format'] } | null
  /** The template's disk (its UUID) that this is. */
  readonly template: string | null
  /** In the backing chain of one of the VM's own disks, so a running QEMU has it open. */
  readonly inUse: boolean
}

/** What goes of one disk, by path, and how far below the snapshot its layer is. */
type Going = ReadonlyMap<string, { readonly volume: LayerVolume; readonly depth: number }>

/**
 * What has to be merged so that these layers, named from above, can go: by the row, and the headers have the last word
 * on what lies on what. Looks only. Throws `refused` where a header tells otherwise than is written down; what an
 * attempt before has merged already is not otherwise.
 */
export async function gatherMerges(row: Vm, gone: readonly Layer[], name: string, cx: Context): Promise<Merge[]> {
  const merges: Merge[] = []
  for (const disk of new Set(gone.flatMap(({ volumes }) => volumes.map((volume) => volume.disk)))) {
    const goes: Going = new Map(
      gone.flatMap(({ volumes }, depth) =>
        volumes.filter((volume) => volume.disk === disk).map((volume) => [volume.path, { volume, depth }]),
      ),
    )
    const stack = stackOf(row, disk)
    for (const { volume, below } of stack) {
      if (goes.has(volume.path) || below === undefined || !goes.has(below.path)) continue
      merges.push({ ...(await gatherMerge(row, { volume, below }, goes, name, cx)), inUse: isOpen(row, disk, volume) })
    }
  }
  return merges
}

async function gatherMerge(
  row: Vm,
  { volume, below }: Required<Stacked>,
  goes: Going,
  name: string,
  cx: Context,
): Promise<Omit<Merge, 'inUse'>> {
  const level = volumeLevel(volume, cx.view)
  const chainOf = (one: Disk | LayerVolume) =>
    cx.volumes(volumeLevel(one, cx.view)).chain(cx.host(row.pm), { path: one.path, format: one.format })
  const lower = await chainOf(below)
  const stays = lower.findIndex(({ path }) => !goes.has(path))
  const merged = (stays < 0 ? lower : lower.slice(0, stays)).map(({ path }) => goes.get(path)!)
  const base = stays < 0 ? null : { path: lower[stays]!.path, format: lower[stays]!.format }
  const need = (good: boolean, path: string, lies: string | undefined, written: string) => {
    if (good) return
    const text = `${path} lies on ${lies ?? 'nothing'}, as its header tells, and not on ${written}, as is written down`
    throw new PengxError('refused', `${volume.vdev} of ${row.name}: ${text}: nothing is merged`)
  }
  const { backing } = (await chainOf(volume))[0]!
  const isMerged = (path: string | undefined) => path === base?.path || merged.some((one) => one.volume.path === path)
  need(isMerged(backing), volume.path, backing, below.path)
  const lowest = merged.at(-1)!.volume
  for (const { volume: other, depth } of goes.values())
    need(depth < merged[0]!.depth || isMerged(other.path), lowest.path, base?.path, other.path)
  return {
    vdev: volume.vdev,
    path: volume.path,
    level,
    of: wordsFor(
      name,
      merged.map(({ depth }) => depth),
    ),
    base,
    template: lowest.base ?? null,
  }
}

/** Whether a QEMU has it open while the VM runs: in the chain of the VM's own disk. */
function isOpen(row: Vm, disk: string, { path }: Disk | LayerVolume): boolean {
  const own = row.disks.find((one) => one.uuid === disk)
  const frozen = lineOf(row, row.layer).flatMap(({ volumes }) => volumes.filter((volume) => volume.disk === disk))
  return own !== undefined && [own, ...frozen].some((volume) => volume.path === path)
}

/** What a person calls layers, by how far below the snapshot they are: those that go with it have no names. */
export function wordsFor(snapshot: string, depths: readonly number[]): string {
  const below = depths.filter((depth) => depth > 0)
  if (below.length === 0) return snapshot
  const [first, last] = [below[0], below.at(-1)]
  const words = first === last ? `the layer ${first} below` : `the layers ${first} to ${last} below`
  return depths.includes(0) ? `${snapshot} and ${words}` : words
}

/** At most 20 characters, and the same at each attempt of this step. */
function blockJobOptions(cx: Context): BlockJobOptions {
  const name = `${STREAM_NAME}-${cx.jobId.slice(0, 8)}`
  return { name, clock: cx.clock, signal: cx.signal, onProgress: (done) => cx.progress(done) }
}

export function mergeStep({ path, level, base, inUse, vdev, of }: Merge, vm: Pick<Vm, 'uuid' | 'pm'>): Step {
  const onto = base === null ? 'nothing' : base.path
  return {
    name: `merge ${vdev} of ${of}`,
    weight: 10,
    lasting: true,
    shows: [
      inUse ? `QMP block-stream ${path} down to ${onto}, or qemu-img rebase -b` : `qemu-img rebase -b ${onto} ${path}`,
    ],
    async do(cx) {
      const host = cx.host(vm.pm)
      const driver = cx.volumes(level)
      const say = (done: number) => cx.progress(done)
      const domain = inUse ? await livingDomain(cx, vm) : undefined
      if (domain) {
        if ((await baseOf(cx, vm.pm, { path, level })) === base?.path) return null
        await cx.hypervisor.streamLayer(
          host,
          domain.domid,
          { path, ...(base ? { base: base.path } : {}) },
          blockJobOptions(cx),
        )
      } else await driver.rebase(host, path, base ?? undefined, cx.tag, say, cx.signal)
      await needMerged(cx, vm.pm, { path, level, base })
      return null
    },
    isApplied: async (cx) => (await baseOf(cx, vm.pm, { path, level })) === base?.path || 'again',
    /** What has been copied stays: it reads the same. What is still copying ends. */
    async undo(cx) {
      const domain = (await cx.look(vm.pm)).find((one) => one.uuid === vm.uuid)
      if (domain && inUse) await cx.hypervisor.cancelJobs(cx.host(vm.pm), domain.domid, blockJobOptions(cx))
    },
  }
}

/** A running QEMU lets go of what was merged, all of it at once. */
export function closeStep(paths: readonly string[], vm: Pick<Vm, 'uuid' | 'pm'>): Step {
  return {
    name: 'close what was merged',
    shows: paths.map((path) => `QMP blockdev-del, of what QEMU has open of ${path}`),
    async do(cx) {
      const domain = await livingDomain(cx, vm)
      if (domain) await cx.hypervisor.closeImages(cx.host(vm.pm), domain.domid, paths)
      return null
    },
    isApplied: async () => 'again',
  }
}

async function needMerged(
  cx: Context,
  pm: string,
  { path, level, base }: Pick<Merge, 'path' | 'level' | 'base'>,
): Promise<void> {
  const lies = await baseOf(cx, pm, { path, level })
  if (lies === base?.path) return
  throw new PengxError('commandFailed', `${path} still lies on ${lies}: nothing is removed`)
}

/** What a volume lies on, as its header tells. */
async function baseOf(cx: Context, pm: string, { path, level }: Pick<Merge, 'path' | 'level'>) {
  return (await cx.volumes(level).chain(cx.host(pm), { path, format: 'qcow2' }))[0]!.backing
}
