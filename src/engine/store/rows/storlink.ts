import { PengxError } from '../../../model/error.ts'
import { nounId } from '../../../model/noun.ts'
import type { Level, Storlink, StorlinkType } from '../../../model/storlink.ts'
import { countUp } from '../sqlite/counters.ts'
import type { Sql } from '../sqlite/database.ts'
import type { StorlinkRow } from '../sqlite/schema.ts'
import type { WritableKind } from './kind.ts'
import { byName } from './order.ts'

export const storlinkKind: WritableKind<Storlink> = {
  table: 'storlinks',
  key: 'id',
  numbered: true,
  idOf: nounId,
  compare: byName((storlink) => storlink.id),

  async load(sql, since) {
    const rows = await sql.selectFrom('storlinks').selectAll().where('rev', '>', since).execute()
    return rows.map((row) => ({ value: fromStorlinkRow(row), rev: row.rev }))
  },

  toRow: (storlink, rev): StorlinkRow => ({
    id: storlink.id,
    uuid: storlink.uuid ?? null,
    problemsJson: problemsJson(storlink),
    pm: storlink.pm,
    name: storlink.name,
    link: storlink.link,
    type: storlink.type,
    level: storlink.level,
    shared: storlink.shared ? 1 : 0,
    desc: storlink.desc,
    sizeMib: Math.round(storlink.sizeMib),
    freeMib: Math.round(storlink.freeMib),
    createdAt: storlink.createdAt,
    rev,
  }),

  async checkPut(sql, storlinks) {
    for (const { name, pm } of storlinks) {
      const known = await sql.selectFrom('pms').select('uuid').where('uuid', '=', pm).executeTakeFirst()
      if (!known) throw new PengxError('notFound', `cannot keep storlink ${name}: no PM ${pm} is known`)
    }
  },

  async complete(sql, storlinks) {
    const numbered: Storlink[] = []
    for (const storlink of storlinks.map(withoutNone))
      numbered.push(storlink.id === 0 ? { ...storlink, id: await countUp(sql, 'storlink') } : storlink)
    return numbered
  },

  async checkDrop(sql, id) {
    const what = await whatLiesOn(sql, Number(id))
    if (what !== undefined) throw new PengxError('conflict', `cannot drop storlink ${id}: ${what}`)
  },
}

function fromStorlinkRow({ rev: _, uuid, problemsJson: problems, ...row }: StorlinkRow): Storlink {
  return {
    ...row,
    ...(uuid === null ? {} : { uuid }),
    ...(problems === null ? {} : { problems: JSON.parse(problems) }),
    type: row.type as StorlinkType,
    level: row.level as Level,
    shared: row.shared === 1,
  }
}

/** As it comes back from the store: no problems are no list of them. */
export function withoutNone({ problems = {}, ...storlink }: Storlink): Storlink {
  return Object.keys(problems).length === 0 ? storlink : { ...storlink, problems }
}

/** For the column of that name: none are null. */
export function problemsJson({ problems = {} }: Pick<Storlink, 'problems'>): string | null {
  return Object.keys(problems).length === 0 ? null : JSON.stringify(problems)
}

async function whatLiesOn(sql: Sql, id: number): Promise<string | undefined> {
  const disk = await sql
    .selectFrom('disks')
    .innerJoin('vms', 'vms.uuid', 'disks.vm')
    .select(['disks.vdev', 'vms.name'])
    .where('disks.storlink', '=', id)
    .executeTakeFirst()
  if (disk) return `disk ${disk.vdev} of VM ${disk.name} lies on it`
  const template = await sql
    .selectFrom('templateDisks')
    .innerJoin('templates', 'templates.uuid', 'templateDisks.template')
    .select('templates.name')
    .where('templateDisks.storlink', '=', id)
    .executeTakeFirst()
  if (template) return `a disk of template ${template.name} lies on it`
  const backup = await sql
    .selectFrom('backups')
    .select(['name', 'vmName'])
    .where('storlink', '=', id)
    .executeTakeFirst()
  if (backup) return `backup ${backup.name} of ${backup.vmName} lies on it`
  const schedule = await sql.selectFrom('schedules').select('vmName').where('storlink', '=', id).executeTakeFirst()
  return schedule && `${schedule.vmName} is backed up to it by a schedule`
}
