import { layersOf } from '../../../model/layer.ts'
import { canonicalPath } from '../../../model/storage/volumePath.ts'
import { hasDomain, type Vm } from '../../../model/vm.ts'
import type { View } from '../../store/view.ts'
import { isSameVolume, type VolumeIdentity } from '../../volumes/identity.ts'
import type { AskedVolume, Owner, Use } from './asked.ts'

/** Who has a volume as is written down: VMs whose domains cannot be looked for now, and, for what goes, all. */

export interface RowVolume {
  /** Of which VM; absent: of a template. */
  readonly vm?: Vm
  readonly name: string
  readonly path: string
  readonly readOnly: boolean
  /** It lies on the PM that is asked; else it is the same only if that is shared. */
  readonly isHere: boolean
}

/**
 * Volumes of others that may be one of those asked: of VMs in state `unknown`, of VMs with a domain that name the same path,
 * and, where more than writing is meant, of all. Pure.
 */
export function rowVolumes(view: View, vm: Owner, volumes: readonly AskedVolume[], use: Use): RowVolume[] {
  const paths = new Set(volumes.map(({ path }) => canonicalPath(path)))
  const counts = (other: Vm, path: string) => {
    if (other.seen.state === 'unknown' || use !== 'write') return true
    return hasDomain(other.seen.state) && paths.has(canonicalPath(path))
  }
  const isShared = (id: number | undefined) => id === undefined || view.getStorlink(id)?.shared === true
  const ofVms = view.vms().flatMap((other) => {
    if (other.uuid === vm.uuid) return []
    const all = [...other.disks, ...layersOf(other).flatMap((layer) => layer.volumes)]
    return all
      .filter(({ path, storlink }) => path !== '' && (other.pm === vm.pm || isShared(storlink)) && counts(other, path))
      .map((volume): RowVolume => {
        // a frozen layer is only read
        const readOnly = !('readOnly' in volume) || volume.readOnly
        return { vm: other, name: other.name, path: volume.path, readOnly, isHere: other.pm === vm.pm }
      })
  })
  if (use === 'write') return ofVms
  const templates = view.templates().filter(({ uuid }) => uuid !== vm.uuid)
  const ofTemplates = templates.flatMap(({ name, pm, disks }) =>
    disks
      .filter(({ storlink }) => pm === vm.pm || isShared(storlink))
      .map(({ path }) => ({ name, path, readOnly: true, isHere: pm === vm.pm })),
  )
  return [...ofVms, ...ofTemplates]
}

interface RowsQuestion {
  readonly volumes: readonly AskedVolume[]
  /** Of those, what other PMs can see too. */
  readonly seen: readonly AskedVolume[]
  readonly rows: readonly RowVolume[]
  /** On the PM that is asked, of both. */
  readonly identities: ReadonlyMap<string, VolumeIdentity>
  readonly use: Use
}

/** Why one of the volumes is another's too, or undefined; `isGuess`: whether that has it now cannot be asked. Pure. */
export function refuseRows(
  view: View,
  { volumes, seen, rows, identities, use }: RowsQuestion,
): { readonly text: string; readonly isGuess: boolean } | undefined {
  for (const volume of volumes) {
    for (const row of rows) {
      if (use === 'write' && volume.readOnly && row.readOnly) continue
      if (use === 'freeze' && row.readOnly) continue
      if (!(row.isHere || seen.includes(volume)) || !isSameRow(volume, row, identities)) continue
      const what = `${volume.vdev ? `disk ${volume.vdev} (${volume.path})` : volume.path}`
      if (!row.vm) return { text: `${what} is a disk of template ${row.name}`, isGuess: false }
      const { state, domid } = row.vm.seen
      const pm = view.getPm(row.vm.pm)?.name ?? row.vm.pm
      const isUnknown = state === 'unknown'
      const has = hasDomain(state) ? `in use by ${row.name} (domain ${domid} on ${pm})` : `also a disk of ${row.name}`
      const why = isUnknown ? `: whether that runs nobody can say, since its PM ${pm} cannot be reached` : ''
      return { text: `${what} is ${has}${why}`, isGuess: isUnknown }
    }
  }
  return undefined
}

/** Both are looked at from here: where others see the volume, what is here is what they have. */
function isSameRow(volume: AskedVolume, row: RowVolume, identities: ReadonlyMap<string, VolumeIdentity>): boolean {
  const [own, other] = [identities.get(volume.path), identities.get(row.path)]
  return own && other ? isSameVolume(own, other, true) : canonicalPath(volume.path) === canonicalPath(row.path)
}
