import { PengxError } from '../../../model/error.ts'
import { nounId } from '../../../model/noun.ts'
import type { Pm, PmSeen } from '../../../model/pm.ts'
import type { PmRow } from '../sqlite/schema.ts'
import type { WritableKind } from './kind.ts'
import { byName } from './order.ts'
import { dropSamples } from './samples.ts'

export const pmKind: WritableKind<Pm> = {
  table: 'pms',
  key: 'uuid',
  idOf: nounId,
  compare: byName((pm) => pm.uuid),

  async load(sql, since) {
    const rows = await sql.selectFrom('pms').selectAll().where('rev', '>', since).execute()
    return rows.map((row) => ({ value: fromPmRow(row), rev: row.rev }))
  },

  toRow: (pm, rev): PmRow => ({
    uuid: pm.uuid,
    name: pm.name,
    destination: pm.destination,
    cpuCount: pm.cpuCount,
    memoryMib: Math.round(pm.memoryMib),
    readOnly: pm.readOnly ? 1 : 0,
    createdAt: pm.createdAt,
    seenJson: JSON.stringify(pm.seen),
    rev,
  }),

  async checkPut(sql, pms) {
    for (const pm of pms) {
      const other = await sql
        .selectFrom('pms')
        .select(['uuid', 'destination'])
        .where('name', '=', pm.name)
        .where('uuid', '<>', pm.uuid)
        .executeTakeFirst()
      if (other)
        throw new PengxError(
          'conflict',
          `cannot keep PM ${pm.name} (${pm.destination}): the PM at ${other.destination} has that name`,
        )
    }
  },

  async checkDrop(sql, uuid) {
    const kept = await sql
      .selectFrom('vms')
      .select('name')
      .where('pm', '=', uuid)
      .where('origin', '<>', 'found')
      .executeTakeFirst()
    if (kept) throw new PengxError('conflict', `cannot drop PM ${uuid}: VM ${kept.name} lives there`)
    const storlink = await sql.selectFrom('storlinks').select('name').where('pm', '=', uuid).executeTakeFirst()
    if (storlink) throw new PengxError('conflict', `cannot drop PM ${uuid}: storlink ${storlink.name} was made there`)
  },

  dropParts: dropSamples,
}

function fromPmRow(row: PmRow): Pm {
  return {
    uuid: row.uuid,
    name: row.name,
    destination: row.destination,
    cpuCount: row.cpuCount,
    memoryMib: row.memoryMib,
    readOnly: row.readOnly === 1,
    createdAt: row.createdAt,
    seen: JSON.parse(row.seenJson) as PmSeen,
  }
}
