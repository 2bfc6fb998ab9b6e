import type { Disk, DiskFormat } from '../../../model/disk.ts'
import type { Drive } from '../../../model/drive.ts'
import type { Layer } from '../../../model/layer.ts'
import type { Nic } from '../../../model/nic.ts'
import type { Boot, Vm, VmOrigin, VmSeen, VmType, Vnc } from '../../../model/vm.ts'
import type { DiskRow, NicRow, VmRow } from '../sqlite/schema.ts'

/** The row of a VM; its VNC password stands in a column of its own, so that no JSON has it. */
export function toVmRow(vm: Vm, rev: number): VmRow {
  const { password, ...vnc } = vm.vnc ?? {}
  return {
    uuid: vm.uuid,
    pm: vm.pm,
    name: vm.name,
    domainName: vm.domainName,
    origin: vm.origin,
    type: vm.type,
    vcpuCount: vm.vcpuCount,
    maxVcpuCount: vm.maxVcpuCount,
    memoryMib: Math.round(vm.memoryMib),
    maxmemMib: Math.round(vm.maxmemMib),
    bootJson: JSON.stringify(vm.boot),
    vncJson: vm.vnc ? JSON.stringify(vnc) : null,
    vncPassword: password ?? null,
    drivesJson: JSON.stringify(vm.drives),
    extraConfig: vm.extraConfig,
    desc: vm.desc,
    os: vm.os,
    osArch: vm.osArch,
    template: vm.template ?? null,
    layer: vm.layer ?? null,
    createdAt: vm.createdAt,
    bootedAt: vm.bootedAt === undefined ? null : Math.round(vm.bootedAt),
    configPath: vm.configPath ?? null,
    configForeign: vm.configForeign ? 1 : 0,
    otherConfigsJson: JSON.stringify(vm.otherConfigs ?? []),
    seenJson: JSON.stringify(vm.seen),
    rev,
  }
}

/** A row a disk, in their order; sizes in whole MiB. */
export function toDiskRows(vm: Vm): DiskRow[] {
  return vm.disks.map((disk, position) => ({
    uuid: disk.uuid,
    vm: vm.uuid,
    managed: isManaged(vm) ? 1 : 0,
    position,
    vdev: disk.vdev,
    format: disk.format,
    sizeMib: disk.sizeMib === undefined ? null : Math.round(disk.sizeMib),
    path: disk.path,
    storlink: disk.storlink ?? null,
    readOnly: disk.readOnly ? 1 : 0,
    base: disk.base ?? null,
    owned: disk.owned ? 1 : 0,
    backend: disk.backend ?? null,
    extra: disk.extra ?? null,
    desc: disk.desc,
    createdAt: disk.createdAt,
  }))
}

/** A row a network interface, in their order. */
export function toNicRows(vm: Vm): NicRow[] {
  return vm.nics.map((nic, position) => ({
    id: nic.id,
    vm: vm.uuid,
    managed: isManaged(vm) ? 1 : 0,
    position,
    name: nic.name,
    mac: nic.mac,
    bridge: nic.bridge,
    ip: nic.ip,
    model: nic.model ?? null,
    extra: nic.extra ?? null,
  }))
}

export interface VmParts {
  readonly disks: readonly DiskRow[]
  readonly nics: readonly NicRow[]
  readonly layers: readonly Layer[]
}

/** A VM from its row and those that belong to it. */
export function fromVmRow(row: VmRow, { disks, nics, layers }: VmParts): Vm {
  return {
    uuid: row.uuid,
    pm: row.pm,
    name: row.name,
    domainName: row.domainName,
    origin: row.origin as VmOrigin,
    type: row.type as VmType,
    vcpuCount: row.vcpuCount,
    maxVcpuCount: row.maxVcpuCount,
    memoryMib: row.memoryMib,
    maxmemMib: row.maxmemMib,
    boot: JSON.parse(row.bootJson) as Boot,
    vnc: row.vncJson === null ? undefined : vncOf(row.vncJson, row.vncPassword),
    disks: disks.map(fromDiskRow),
    drives: JSON.parse(row.drivesJson) as Drive[],
    nics: nics.map(fromNicRow),
    extraConfig: row.extraConfig,
    desc: row.desc,
    os: row.os,
    osArch: row.osArch,
    template: row.template ?? undefined,
    layer: row.layer ?? undefined,
    layers: layers.length === 0 ? undefined : layers,
    createdAt: row.createdAt,
    bootedAt: row.bootedAt ?? undefined,
    configPath: row.configPath ?? undefined,
    configForeign: row.configForeign === 1,
    otherConfigs: row.otherConfigsJson === '[]' ? undefined : (JSON.parse(row.otherConfigsJson) as string[]),
    seen: JSON.parse(row.seenJson) as VmSeen,
  }
}

/** It was made by pengx or taken under its care; what was only found is another's. */
export function isManaged(vm: Pick<Vm, 'origin'>): boolean {
  return vm.origin !== 'found'
}

function vncOf(json: string, password: string | null): Vnc {
  const vnc = JSON.parse(json) as Vnc
  return password === null ? vnc : { ...vnc, password }
}

function fromDiskRow(row: DiskRow): Disk {
  return {
    uuid: row.uuid,
    vdev: row.vdev,
    format: row.format as DiskFormat,
    sizeMib: row.sizeMib ?? undefined,
    path: row.path,
    storlink: row.storlink ?? undefined,
    readOnly: row.readOnly === 1,
    base: row.base ?? undefined,
    owned: row.owned === 1,
    backend: row.backend ?? undefined,
    extra: row.extra ?? undefined,
    desc: row.desc,
    createdAt: row.createdAt,
  }
}

function fromNicRow(row: NicRow): Nic {
  return {
    id: row.id,
    name: row.name,
    mac: row.mac,
    bridge: row.bridge,
    ip: row.ip,
    model: row.model ?? undefined,
    extra: row.extra ?? undefined,
  }
}
