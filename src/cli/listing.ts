import type { Engine } from '../engine/engine.ts'
import { shortUuid } from '../lib/ids.ts'
import { naturalKey } from '../lib/text.ts'
import { type Column, formatTable } from './table.ts'

/**
 * What `pengx vms` and its siblings print: a table for people, or plain objects for scripts. The names of the
 * objects' fields are a contract; no secret is among them. `of` is the VM that is meant, where one has to be.
 */
export interface Listing {
  table(engine: Engine, of?: string): string
  objects(engine: Engine, of?: string): readonly object[]
}

export function listing<Row>(
  rows: (engine: Engine, of: string) => readonly Row[],
  columns: (engine: Engine) => readonly Column<Row>[],
  object: (row: Row, engine: Engine) => object,
): Listing {
  return {
    table: (engine, of = '') => formatTable(columns(engine), rows(engine, of)),
    objects: (engine, of = '') => rows(engine, of).map((row) => object(row, engine)),
  }
}

export const iso = (at: number | undefined) => (at ? new Date(at).toISOString() : undefined)

export function byName<Row extends { readonly name: string }>(rows: readonly Row[]): Row[] {
  const keyed = rows.map((row) => ({ row, key: naturalKey(row.name) }))
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  return keyed.map(({ row }) => row)
}

export const pmName = (engine: Engine, uuid: string) => engine.view.getPm(uuid)?.name ?? shortUuid(uuid)
