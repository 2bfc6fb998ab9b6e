import type { Disk } from './disk.ts'
import { PengxError } from './error.ts'

/**
 * What stands in a configuration's list of disks beside a VM's own disks: a CD drive, which may be empty, or a disk of a
 * format that pengx has no word for. It keeps its name and its place: the order of the list is what a guest, and pygrub,
 * count on.
 */
export interface Drive {
  readonly vdev: string
  readonly cdrom: boolean
  /** The image in it; empty: none. */
  readonly path: string
  /** How many of the VM's disks stand before it. */
  readonly after: number
  /** Its specification as it was read (xl-disk-configuration(5)); absent for a drive that pengx has made. */
  readonly text?: string
}

interface Driven {
  readonly disks: readonly Disk[]
  readonly drives: readonly Drive[]
}

/** Disks and drives in the order of the configuration's list. */
export function inListOrder({ disks, drives }: Driven): readonly (Disk | Drive)[] {
  const places = [...Array(disks.length + 1).keys()]
  const at = (place: number) => drives.filter(({ after }) => Math.min(after, disks.length) === place)
  return places.flatMap((place) => [...at(place), ...disks.slice(place, place + 1)])
}

export function isDrive(one: Disk | Drive): one is Drive {
  return 'after' in one
}

/** CD drives, in their order. */
export function cdDrives({ drives }: Pick<Driven, 'drives'>): readonly Drive[] {
  return drives.filter(({ cdrom }) => cdrom)
}

/** The images in CD drives: paths on the PM. */
export function loadedCds(vm: Pick<Driven, 'drives'>): readonly string[] {
  return cdDrives(vm).flatMap(({ path }) => (path === '' ? [] : [path]))
}

/** The drive that an image is put into where none is named: the first that is empty, or else the first. */
export function driveToLoad(vm: Pick<Driven, 'drives'>): Drive | undefined {
  return cdDrives(vm).find(({ path }) => path === '') ?? cdDrives(vm)[0]
}

/** What no new disk of a VM may be called; an HVM guest without a CD drive is kept the name of one. */
export function takenVdevs(vm: Driven & { readonly type: string }): string[] {
  const drive = vm.type === 'hvm' && cdDrives(vm).length === 0 ? freeCdVdev(vm) : undefined
  return [...inListOrder(vm).map(({ vdev }) => vdev), ...(drive === undefined ? [] : [drive])]
}

/** Where guests expect a CD drive, unless something has that name; undefined: all four of the bus are taken. */
export function freeCdVdev(vm: Driven): string | undefined {
  const letters = new Set(inListOrder(vm).map(({ vdev }) => vdev.replace(/^(xv|h|s)d/, '')))
  const letter = ['c', 'd', 'b', 'a'].find((one) => !letters.has(one))
  return letter === undefined ? undefined : `hd${letter}`
}

/** With another image in one drive; an empty path empties it. */
export function withImage<T extends Driven>(vm: T, vdev: string, path: string): T {
  const loaded = vm.drives.map((drive): Drive => {
    if (drive.vdev !== vdev || drive.path === path) return drive
    const { text: _then, ...rest } = drive
    return { ...rest, path }
  })
  return { ...vm, drives: loaded }
}

/** The CD drives alone, with nothing in them. */
export function emptied(drives: readonly Drive[]): Drive[] {
  return cdDrives({ drives }).map(({ text: _then, ...drive }) => ({ ...drive, path: '' }))
}

/** With one drive more, behind all that there is. */
export function withDrive<T extends Driven>(vm: T, vdev: string, path: string): T {
  return { ...vm, drives: [...vm.drives, { vdev, cdrom: true, path, after: vm.disks.length }] }
}

/** The disks of a new VM, and a drive for its image, if it has one; `invalid` where disks have all four names. */
export function drivesFor(disks: readonly Disk[], image: string | undefined): Driven {
  const vm: Driven = { disks, drives: [] }
  if (image === undefined) return vm
  const vdev = freeCdVdev(vm)
  if (vdev === undefined) throw new PengxError('invalid', `there is no free drive for ${image}: hda to hdd`)
  return withDrive(vm, vdev, image)
}

/** Without one disk: the drives behind it keep their place among the others. */
export function withoutDisk<T extends Driven>(vm: T, isIt: (disk: Disk) => boolean): T {
  const at = vm.disks.findIndex(isIt)
  if (at < 0) return vm
  return {
    ...vm,
    disks: vm.disks.filter((_disk, index) => index !== at),
    drives: vm.drives.map((drive) => (drive.after > at ? { ...drive, after: drive.after - 1 } : drive)),
  }
}
