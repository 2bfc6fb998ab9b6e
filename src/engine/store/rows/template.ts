import type { DiskFormat } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import { nounId } from '../../../model/noun.ts'
import type { Template } from '../../../model/template.ts'
import type { Boot, VmType } from '../../../model/vm.ts'
import type { Sql } from '../sqlite/database.ts'
import type { TemplateDiskRow, TemplateRow } from '../sqlite/schema.ts'
import type { WritableKind } from './kind.ts'
import { byName } from './order.ts'

export const templateKind: WritableKind<Template> = {
  table: 'templates',
  key: 'uuid',
  idOf: nounId,
  compare: byName((template) => template.uuid),

  async load(sql, since) {
    const rows = await sql.selectFrom('templates').selectAll().where('rev', '>', since).execute()
    if (rows.length === 0) return []
    const changed = sql.selectFrom('templates').select('uuid').where('rev', '>', since)
    const disks = Map.groupBy(
      await sql.selectFrom('templateDisks').selectAll().where('template', 'in', changed).orderBy('position').execute(),
      (row) => row.template,
    )
    return rows.map((row) => ({ value: fromTemplateRow(row, disks.get(row.uuid) ?? []), rev: row.rev }))
  },

  toRow: toTemplateRow,

  async checkPut(sql, templates) {
    for (const template of templates) await checkTemplate(sql, template)
  },

  async putParts(sql, templates) {
    for (const template of templates) await writeDisks(sql, template)
  },

  async checkDrop(sql, uuid) {
    const user = await sql.selectFrom('vms').select('name').where('template', '=', uuid).executeTakeFirst()
    const dependent = await sql
      .selectFrom('disks')
      .innerJoin('vms', 'vms.uuid', 'disks.vm')
      .innerJoin('templateDisks', 'templateDisks.uuid', 'disks.base')
      .select('vms.name')
      .where('templateDisks.template', '=', uuid)
      .executeTakeFirst()
    const name = dependent?.name ?? user?.name
    if (name !== undefined)
      throw new PengxError('conflict', `cannot drop template ${uuid}: VM ${name} was made from it`)
  },
}

function toTemplateRow(template: Template, rev: number): TemplateRow {
  return {
    uuid: template.uuid,
    pm: template.pm,
    name: template.name,
    os: template.os,
    osArch: template.osArch,
    desc: template.desc,
    type: template.type,
    bootJson: JSON.stringify(template.boot),
    createdAt: template.createdAt,
    bootedAt: template.bootedAt === undefined ? null : Math.round(template.bootedAt),
    rev,
  }
}

function toTemplateDiskRows(template: Template): TemplateDiskRow[] {
  return template.disks.map((disk, position) => ({
    uuid: disk.uuid,
    template: template.uuid,
    position,
    format: disk.format,
    sizeMib: Math.round(disk.sizeMib),
    path: disk.path,
    storlink: disk.storlink,
    desc: disk.desc,
    createdAt: disk.createdAt,
  }))
}

function fromTemplateRow(row: TemplateRow, disks: readonly TemplateDiskRow[]): Template {
  return {
    uuid: row.uuid,
    name: row.name,
    pm: row.pm,
    os: row.os,
    osArch: row.osArch,
    desc: row.desc,
    type: row.type as VmType,
    boot: JSON.parse(row.bootJson) as Boot,
    disks: disks.map(({ template: _template, position: _position, ...disk }) => ({
      ...disk,
      format: disk.format as DiskFormat,
    })),
    createdAt: row.createdAt,
    bootedAt: row.bootedAt ?? undefined,
  }
}

/** A disk that VMs lie on is referred to by theirs, so rows stay where they are and only change. */
async function writeDisks(sql: Sql, template: Template): Promise<void> {
  const rows = toTemplateDiskRows(template)
  const kept = rows.map((row) => row.uuid)
  let old = sql.deleteFrom('templateDisks').where('template', '=', template.uuid)
  if (kept.length > 0) old = old.where('uuid', 'not in', kept)
  await old.execute()
  for (const { uuid, ...row } of rows) {
    await sql
      .insertInto('templateDisks')
      .values({ uuid, ...row })
      .onConflict((conflict) => conflict.column('uuid').doUpdateSet(row))
      .execute()
  }
}

async function checkTemplate(sql: Sql, template: Template): Promise<void> {
  const refuse = (why: string): never => {
    throw new PengxError('conflict', `cannot keep template ${template.name}: ${why}`)
  }
  const named = await sql
    .selectFrom('templates')
    .select('uuid')
    .where('name', '=', template.name)
    .where('uuid', '<>', template.uuid)
    .executeTakeFirst()
  if (named) refuse(`template ${named.uuid} has that name`)
  const pm = await sql.selectFrom('pms').select('uuid').where('uuid', '=', template.pm).executeTakeFirst()
  if (!pm) throw new PengxError('notFound', `cannot keep template ${template.name}: no PM ${template.pm} is known`)
  for (const disk of template.disks) {
    const storlink = await sql.selectFrom('storlinks').select('id').where('id', '=', disk.storlink).executeTakeFirst()
    if (!storlink)
      throw new PengxError(
        'notFound',
        `cannot keep template ${template.name}: a disk of it lies on storlink ${disk.storlink}, which is not known`,
      )
    const other = await sql
      .selectFrom('templateDisks')
      .innerJoin('templates', 'templates.uuid', 'templateDisks.template')
      .select('templates.name')
      .where('templateDisks.uuid', '=', disk.uuid)
      .where('templateDisks.template', '<>', template.uuid)
      .executeTakeFirst()
    if (other) refuse(`disk ${disk.uuid} is a disk of template ${other.name} already`)
  }
}
