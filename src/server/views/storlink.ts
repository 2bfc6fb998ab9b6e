import type { Storlink } from '../../model/storlink.ts'
import type { Shape, ShapeField } from './shape.ts'

const pm: ShapeField<Storlink> = { kind: 'text', name: 'pm', help: 'UUID of a PM', get: (storlink) => storlink.pm }

const pmName: ShapeField<Storlink> = {
  kind: 'text',
  name: 'pm_name',
  get: (storlink, view) => view.getPm(storlink.pm)?.name,
}

const rest: readonly ShapeField<Storlink>[] = [
  { kind: 'text', name: 'name', get: (storlink) => storlink.name },
  { kind: 'text', name: 'link', get: (storlink) => storlink.link },
  { kind: 'text', name: 'type', help: 'LO, FC, ISC, NFS or CEP', get: (storlink) => storlink.type },
  { kind: 'text', name: 'level', help: 'FL, BL or OB', get: (storlink) => storlink.level },
  { kind: 'number', name: 'size', help: 'MiB', get: (storlink) => storlink.sizeMib },
  { kind: 'number', name: 'free', help: 'MiB', get: (storlink) => storlink.freeMib },
  { kind: 'text', name: 'desc', get: (storlink) => storlink.desc },
  { kind: 'flag', name: 'shared', get: (storlink) => storlink.shared },
]

export const storlinkShape: Shape<Storlink> = {
  name: 'storlink',
  id: ({ id }) => id,
  numbered: true,
  fields: [pm, ...rest],
}

/** The shape of `/storlinks/all/`. */
export const storlinkShapeV2: Shape<Storlink> = {
  name: 'storlink',
  id: ({ id }) => id,
  numbered: true,
  fields: [pm, pmName, ...rest],
}
