import { canonicalPath } from '../../model/storage/volumePath.ts'
import type { Vm } from '../../model/vm.ts'
import type { WrongVolume } from '../../model/wrongVolume.ts'
import type { KnownVolume, VolumeIndex } from './volumeIndex.ts'
import type { BuiltDomain } from './whose.ts'

/**
 * What a domain really writes to, as against what its VM's disks are. libxl tells what the domain was built from, and
 * what was attached since; QEMU tells what it has open, which a live snapshot moves and libxl never hears of.
 */
export interface Written {
  readonly built: BuiltDomain
  /** What QEMU writes to, by the disk's name; disks that go through the kernel are not in it. Absent: not asked. */
  readonly images?: ReadonlyMap<string, string>
  /** Where paths lead to by symbolic links, as far as they were looked at. */
  readonly real?: ReadonlyMap<string, string>
}

/** A volume of a VM under pengx's care that another's domain has open for writing. */
interface Intrusion {
  readonly vm: string
  readonly vdev: string
  readonly path: string
}

export interface Judgement {
  readonly wrong: readonly WrongVolume[]
  readonly intrusions: readonly Intrusion[]
}

const FINE: Judgement = { wrong: [], intrusions: [] }

/** What of a row counts here; of a domain that nobody has written down yet it is `found` and without disks. */
export type Judged = Pick<Vm, 'uuid' | 'origin' | 'disks'>

/** Each disk that is written to is what is written down of it: by far the most are, at each look. */
export function isAsWritten(vm: Judged, written: Written): boolean {
  return vm.origin !== 'found' && pathsOf(written).every((one) => isOwn(vm, one.path))
}

/** Pure. `vm`: the row that the domain belongs to, which may be one that was only found. */
export function judge(vm: Judged, pm: string, written: Written, index: VolumeIndex, now: number): Judgement {
  if (isAsWritten(vm, written)) return FINE
  const wrong: WrongVolume[] = []
  const intrusions: Intrusion[] = []
  const realOf = (path: string) => written.real?.get(path) ?? path
  const ownReal = new Set(vm.disks.map(({ path }) => canonicalPath(realOf(path))))
  for (const { vdev, path } of pathsOf(written)) {
    const real = realOf(path)
    if (vm.origin !== 'found' && (isOwn(vm, path) || ownReal.has(canonicalPath(real)))) continue
    const known = [...index.at(pm, path), ...(real === path ? [] : index.at(pm, real))]
    const frozen = known.find(({ role }) => role === 'frozen')
    const theirs = known.find((one) => one.role === 'current' && one.vm !== vm.uuid)
    const kind = frozen ? 'frozen' : theirs ? 'others' : 'foreign'
    if (kind === 'foreign' && vm.origin === 'found') continue
    const whose = frozen ?? theirs
    const expected = vm.origin === 'found' ? undefined : vm.disks.find((disk) => disk.vdev === vdev)?.path
    wrong.push({
      vdev,
      path,
      kind,
      ...(whose === undefined || whose.vm === vm.uuid ? {} : { of: whose.name }),
      ...(expected === undefined ? {} : { expected }),
      since: now,
    })
    intrusions.push(...known.flatMap((one) => intrusionOf(one, vm, path)))
  }
  return wrong.length === 0 ? FINE : { wrong, intrusions }
}

function intrusionOf({ vm: owner, vdev }: KnownVolume, vm: Judged, path: string): Intrusion[] {
  return owner === undefined || owner === vm.uuid ? [] : [{ vm: owner, vdev, path }]
}

function pathsOf({ built, images }: Written): readonly { readonly vdev: string; readonly path: string }[] {
  if (images === undefined) return built.disks
  return built.disks.map(({ vdev, path }) => ({ vdev, path: images.get(vdev) ?? path }))
}

/** Under whichever name the guest has it. */
function isOwn(vm: Judged, path: string): boolean {
  if (vm.disks.some((disk) => disk.path === path)) return true
  const same = canonicalPath(path)
  return vm.disks.some((disk) => canonicalPath(disk.path) === same)
}

/** What was seen before stays the object that it was, with the time at which it was seen first. */
export function sinceBefore(
  before: readonly WrongVolume[] | undefined,
  now: readonly WrongVolume[],
): readonly WrongVolume[] | undefined {
  if (now.length === 0) return undefined
  const kept = now.map(
    (one) =>
      before?.find(
        (was) =>
          was.vdev === one.vdev &&
          was.path === one.path &&
          was.kind === one.kind &&
          was.of === one.of &&
          was.expected === one.expected,
      ) ?? one,
  )
  return before?.length === kept.length && kept.every((one, at) => one === before[at]) ? before : kept
}
