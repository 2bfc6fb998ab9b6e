import type { Disk } from '../../model/disk.ts'
import type { Template } from '../../model/template.ts'
import type { Vm } from '../../model/vm.ts'
import type { Shape } from './shape.ts'

/** A disk among those of what it belongs to. */
export interface PlacedDisk {
  readonly disk: Pick<Disk, 'uuid' | 'sizeMib' | 'desc' | 'createdAt' | 'format' | 'storlink'>
  readonly owner: string
  readonly order: number
}

export function disksOf({ uuid: owner, disks }: Pick<Vm | Template, 'uuid' | 'disks'>): PlacedDisk[] {
  return disks.map((disk, order) => ({ disk, owner, order }))
}

function shapeFor(owner: 'vm' | 'template' | 'snapshot' | 'backup'): Shape<PlacedDisk> {
  return {
    name: 'disk',
    id: ({ disk }) => disk.uuid,
    fields: [
      { kind: 'text', name: 'name', help: 'the same as the id', get: ({ disk }) => disk.uuid },
      { kind: 'number', name: 'order', get: ({ order }) => order },
      { kind: 'number', name: 'size', help: 'MiB', get: ({ disk }) => disk.sizeMib },
      { kind: 'ref', name: owner, get: (placed) => placed.owner },
      { kind: 'text', name: 'desc', get: ({ disk }) => disk.desc },
      { kind: 'time', name: 'created', get: ({ disk }) => disk.createdAt },
      { kind: 'text', name: 'format', get: ({ disk }) => disk.format },
      { kind: 'text', name: 'type', help: 'always empty', get: () => undefined },
      { kind: 'number', name: 'storlink', get: ({ disk }) => disk.storlink },
    ],
  }
}

export const diskShape = shapeFor('vm')
export const templateDiskShape = shapeFor('template')
export const snapshotDiskShape = shapeFor('snapshot')
export const backupDiskShape = shapeFor('backup')

/** A disk that was just made: the document gives it no order. */
export const newDiskShape: Shape<PlacedDisk> = {
  ...diskShape,
  fields: diskShape.fields.filter((field) => field.name !== 'order'),
}
