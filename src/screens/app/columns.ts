import { naturalKey } from '../../lib/text.ts'
import { bar } from '../../ui/graph.ts'
import { span } from '../../ui/line.ts'
import type { Cell, Column } from '../../ui/table.ts'
import { shareTone } from '../words.ts'
import type { AppContext } from './context.ts'

/** Columns that lists of several things have; each list adds what gives way first where it is narrow. */

export const nameColumn: Column<{ readonly name: string }, AppContext> = {
  name: 'name',
  title: 'NAME',
  width: 12,
  grow: 34,
  kind: 'text',
  cell: ({ name }) => name,
  sort: ({ name }) => naturalKey(name),
}

/** The name of the PM on which it is. */
export function pmName({ pm }: { readonly pm: string }, app: AppContext): string {
  return app.view().getPm(pm)?.name ?? '?'
}

export const pmColumn: Column<{ readonly pm: string }, AppContext> = {
  name: 'pm',
  title: 'PM',
  width: 5,
  grow: 12,
  kind: 'text',
  cell: pmName,
  sort: (row, app) => naturalKey(pmName(row, app)),
}

/** A storlink by its number and, as long as it is there, its name. */
export function storlinkText(id: number, app: AppContext): string {
  return `${id} ${app.view().getStorlink(id)?.name ?? '?'}`
}

export const noteColumn: Column<{ readonly desc: string }, AppContext> = {
  name: 'desc',
  title: 'NOTE',
  width: 14,
  grow: 40,
  kind: 'text',
  wide: true,
  cell: ({ desc }) => desc,
  sort: ({ desc }) => desc,
}

export const uuidColumn: Column<{ readonly uuid: string }, AppContext> = {
  name: 'uuid',
  title: 'UUID',
  width: 36,
  kind: 'text',
  wide: true,
  cell: ({ uuid }) => uuid,
}

/** How full something is, ten cells wide. */
export function shareBar(share: number | undefined): Cell {
  return share === undefined ? '··········' : span(bar(share, 10), shareTone(share))
}
