import type { DiskFormat } from '../../../model/disk.ts'
import type { Template } from '../../../model/template.ts'
import type { Boot, VmType } from '../../../model/vm.ts'
import type { TemplateDiskRow, TemplateRow } from '../sqlite/schema.ts'

export function toTemplateRow(template: Template, rev: number): TemplateRow {
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

export function toTemplateDiskRows(template: Template): TemplateDiskRow[] {
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

export function fromTemplateRow(row: TemplateRow, disks: readonly TemplateDiskRow[]): Template {
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
