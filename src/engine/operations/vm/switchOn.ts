import { volumesOf } from '../../../model/layer.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Context } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'
import type { Image, Users } from '../../volumes/volumeDriver.ts'

/**
 * Logical volumes of groups that several PMs see are switched on where a VM starts or goes to, and made there what the group
 * says of them by now: another PM may have made them larger, or have made them at all, since this one looked.
 */
export function sharedVolumes(vm: Vm, view: View): readonly Image[] {
  return volumesOf(vm).filter(({ storlink }) => {
    const row = storlink === undefined ? undefined : view.getStorlink(storlink)
    return row?.level === 'BL' && row.shared
  })
}

/** Switches a VM's disks on on a PM, by its UUID, with all that they lie on. Fails as `VolumeDriver.activate` does. */
export async function switchOn(cx: Context, vm: Vm, pm: string): Promise<void> {
  const paths = new Set(vm.disks.map((disk) => disk.path))
  const disks = sharedVolumes(vm, cx.view).filter((volume) => paths.has(volume.path))
  await switchOnImages(cx, disks, pm)
}

/** Switches images on on a PM, each once, those that others lie on behind them; `several`: for as long as two PMs have them. */
export async function switchOnImages(cx: Context, images: readonly Image[], pm: string, users?: Users): Promise<void> {
  const on = new Set<string>()
  for (const image of images) {
    if (on.has(image.path)) continue
    for (const path of await cx.volumes('BL').activate(cx.host(pm), image, cx.tag, users)) on.add(path)
  }
}
