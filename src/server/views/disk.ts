import type { Disk } from '../../model/disk.ts'
import type { Vm } from '../../model/vm.ts'
import type { Shape } from './shape.ts'

interface PlacedDisk {
  readonly disk: Disk
  readonly vm: string
  readonly order: number
}

export function disksOf(vm: Vm): PlacedDisk[] {
  return vm.disks.map((disk, order) => ({ disk, vm: vm.uuid, order }))
}

export const diskShape: Shape<PlacedDisk> = {
  name: 'disk',
  id: ({ disk }) => disk.uuid,
  fields: [
    { kind: 'text', name: 'name', help: 'the same as the id', get: ({ disk }) => disk.uuid },
    { kind: 'number', name: 'order', get: ({ order }) => order },
    { kind: 'number', name: 'size', help: 'MiB', get: ({ disk }) => disk.sizeMib },
    { kind: 'ref', name: 'vm', get: ({ vm }) => vm },
    { kind: 'text', name: 'desc', get: ({ disk }) => disk.desc },
    { kind: 'time', name: 'created', get: ({ disk }) => disk.createdAt },
    { kind: 'text', name: 'format', get: ({ disk }) => disk.format },
    { kind: 'text', name: 'type', help: 'always empty', get: () => undefined },
    { kind: 'number', name: 'storlink', get: ({ disk }) => disk.storlink },
  ],
}

/** A disk that was just made: the document gives it no order. */
export const newDiskShape: Shape<PlacedDisk> = {
  ...diskShape,
  fields: diskShape.fields.filter((field) => field.name !== 'order'),
}
