import type { Clock } from '../../../lib/clock.ts'
import { PengxError } from '../../../model/error.ts'
import type { Template } from '../../../model/template.ts'
import type { Memory } from '../memory/liveView.ts'
import { buryRows } from '../sqlite/counters.ts'
import type { Sql } from '../sqlite/database.ts'
import type { Write } from '../sqlite/revisions.ts'
import { toTemplateDiskRows, toTemplateRow } from './template.ts'

/** How templates are written and forgotten. */
export interface TemplateWriter {
  putTemplate(template: Template): Promise<void>
  dropTemplate(uuid: string): Promise<void>
}

export function createTemplateWriter(parts: { memory: Memory; clock: Clock; write: Write }): TemplateWriter {
  const { memory, clock, write } = parts
  return {
    async putTemplate(template) {
      await write('durable', async ({ sql, revision: rev, afterCommit }) => {
        await checkTemplate(sql, template)
        const { uuid, ...row } = toTemplateRow(template, rev)
        await sql
          .insertInto('templates')
          .values({ uuid, ...row })
          .onConflict((conflict) => conflict.column('uuid').doUpdateSet(row))
          .execute()
        await writeDisks(sql, template)
        afterCommit(() => memory.putTemplate(template, rev))
      })
    },

    async dropTemplate(uuid) {
      await write('durable', async ({ sql, revision: rev, afterCommit }) => {
        const user = await sql.selectFrom('vms').select('name').where('template', '=', uuid).executeTakeFirst()
        const lying = await sql
          .selectFrom('disks')
          .innerJoin('vms', 'vms.uuid', 'disks.vm')
          .innerJoin('templateDisks', 'templateDisks.uuid', 'disks.base')
          .select('vms.name')
          .where('templateDisks.template', '=', uuid)
          .executeTakeFirst()
        const name = lying?.name ?? user?.name
        if (name !== undefined)
          throw new PengxError('conflict', `cannot drop template ${uuid}: VM ${name} was made from it`)
        await sql.deleteFrom('templates').where('uuid', '=', uuid).execute()
        await buryRows(sql, [{ kind: 'template', id: uuid, at: clock.now(), rev }])
        afterCommit(() => memory.drop('template', uuid, rev))
      })
    },
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
