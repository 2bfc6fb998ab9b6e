import { layersOf } from '../../model/layer.ts'
import { canonicalPath } from '../../model/storage/volumePath.ts'
import type { Vm } from '../../model/vm.ts'
import type { View } from '../store/view.ts'

/** A volume that is written down, and whose it is. */
export interface KnownVolume {
  /** Of a VM; absent: of a template. */
  readonly vm?: string
  readonly name: string
  readonly vdev: string
  /** `frozen`: nobody may write to it. */
  readonly role: 'current' | 'frozen'
  /** The PM on which it is to be seen; absent: on all that have its storlink. */
  readonly pm?: string
}

export interface VolumeIndex {
  /** Whose a path on a PM is. */
  at(pm: string, path: string): readonly KnownVolume[]
}

/**
 * Gives the index of all volumes of VMs under pengx's care, and of templates. It is made anew when one of them has other
 * disks or layers, and not when something else of them was seen: of thousands hardly one changes its disks.
 */
export function createVolumeIndex(view: Pick<View, 'vms' | 'templates' | 'getStorlink'>): () => VolumeIndex {
  let index: VolumeIndex | undefined
  let vms: readonly Vm[] = []
  let templates: ReturnType<View['templates']> = []
  return () => {
    const [now, made] = [view.vms(), view.templates()]
    if (index === undefined || made !== templates || !haveSameVolumes(vms, now)) index = indexOf(view)
    vms = now
    templates = made
    return index
  }
}

function haveSameVolumes(before: readonly Vm[], now: readonly Vm[]): boolean {
  if (before === now) return true
  if (before.length !== now.length) return false
  return now.every((vm, at) => {
    const was = before[at]!
    if (was === vm) return true
    const isSame = was.disks === vm.disks && was.layers === vm.layers && was.template === vm.template
    return isSame && was.uuid === vm.uuid && was.pm === vm.pm && was.origin === vm.origin && was.name === vm.name
  })
}

function indexOf(view: Pick<View, 'vms' | 'templates' | 'getStorlink'>): VolumeIndex {
  const all = new Map<string, KnownVolume[]>()
  const isShared = (storlink: number | undefined) =>
    storlink !== undefined && view.getStorlink(storlink)?.shared === true
  const add = (path: string, storlink: number | undefined, pm: string, volume: KnownVolume) => {
    const known = isShared(storlink) ? volume : { ...volume, pm }
    const key = canonicalPath(path)
    const there = all.get(key)
    if (there) there.push(known)
    else all.set(key, [known])
  }
  for (const vm of view.vms()) {
    if (vm.origin === 'found') continue
    const base = { vm: vm.uuid, name: `VM ${vm.name}` }
    for (const { path, storlink, vdev, readOnly } of vm.disks)
      if (!readOnly && path !== '') add(path, storlink, vm.pm, { ...base, vdev, role: 'current' })
    for (const layer of layersOf(vm)) {
      for (const { path, storlink, vdev } of layer.volumes)
        add(path, storlink, vm.pm, { ...base, vdev, role: 'frozen' })
    }
  }
  for (const template of view.templates()) {
    for (const { path, storlink } of template.disks)
      add(path, storlink, template.pm, { name: `template ${template.name}`, vdev: '', role: 'frozen' })
  }
  return { at: (pm, path) => all.get(canonicalPath(path))?.filter((one) => (one.pm ?? pm) === pm) ?? [] }
}
