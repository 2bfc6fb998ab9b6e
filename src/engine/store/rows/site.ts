import type { Pm, PmSeen } from '../../../model/pm.ts'
import type { Level, Storlink, StorlinkType } from '../../../model/storlink.ts'
import type { PmRow, StorlinkRow } from '../sqlite/schema.ts'

export function toPmRow(pm: Pm, rev: number): PmRow {
  return {
    uuid: pm.uuid,
    name: pm.name,
    destination: pm.destination,
    cpuCount: pm.cpuCount,
    memoryMib: Math.round(pm.memoryMib),
    readOnly: pm.readOnly ? 1 : 0,
    createdAt: pm.createdAt,
    seenJson: JSON.stringify(pm.seen),
    rev,
  }
}

export function fromPmRow(row: PmRow): Pm {
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

export function toStorlinkRow(storlink: Storlink, rev: number): StorlinkRow {
  return {
    id: storlink.id,
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
  }
}

export function fromStorlinkRow({ rev: _, ...row }: StorlinkRow): Storlink {
  return { ...row, type: row.type as StorlinkType, level: row.level as Level, shared: row.shared === 1 }
}
