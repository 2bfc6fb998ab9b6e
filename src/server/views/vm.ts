import type { Nic } from '../../model/nic.ts'
import type { Vm, VmState } from '../../model/vm.ts'
import { list, type Shape, type ShapeField } from './shape.ts'

/**
 * The document knows three words; `CRASHED` and `UNKNOWN` are added. A domain that is being built or torn down still
 * has its disks: `SHUTDOWN` would be taken for leave to touch them. One that is broken is `CRASHED`: a client powers off
 * what that is.
 */
export const STATUS: Record<VmState, string> = {
  running: 'RUNNING',
  starting: 'RUNNING',
  dying: 'RUNNING',
  paused: 'PAUSED',
  shutdown: 'SHUTDOWN',
  crashed: 'CRASHED',
  broken: 'CRASHED',
  unknown: 'UNKNOWN',
}

const nicShape: Shape<Nic> = {
  name: 'nic',
  fields: [
    { kind: 'text', name: 'name', get: (nic) => nic.name },
    { kind: 'text', name: 'mac', get: (nic) => nic.mac },
    { kind: 'text', name: 'network', get: (nic) => nic.bridge },
  ],
}

const fields: readonly ShapeField<Vm>[] = [
  { kind: 'text', name: 'name', get: (vm) => vm.name },
  {
    kind: 'text',
    name: 'status',
    help: 'RUNNING, SHUTDOWN, PAUSED, CRASHED or UNKNOWN',
    get: (vm) => STATUS[vm.seen.state],
  },
  { kind: 'number', name: 'cpu_core', get: (vm) => vm.vcpuCount },
  { kind: 'number', name: 'memory', help: 'MiB', get: (vm) => vm.memoryMib },
  { kind: 'number', name: 'maxmem', help: 'MiB', get: (vm) => vm.maxmemMib },
  {
    kind: 'number',
    name: 'disk_size',
    help: 'MiB, of all its disks',
    get: (vm) => vm.disks.reduce((sum, disk) => sum + (disk.sizeMib ?? 0), 0),
  },
  { kind: 'ref', name: 'pm', get: (vm) => vm.pm },
  list('nics', nicShape, (vm: Vm) => vm.nics),
  { kind: 'text', name: 'os', get: (vm) => vm.os },
  { kind: 'text', name: 'os_arch', get: (vm) => vm.osArch },
  { kind: 'text', name: 'os_type', help: 'the same as os_arch', get: (vm) => vm.osArch },
  { kind: 'time', name: 'create_date', get: (vm) => vm.createdAt },
  { kind: 'time', name: 'last_boot_time', get: (vm) => vm.bootedAt },
  {
    kind: 'flag',
    name: 'autostart',
    help: 'it starts with its PM; added',
    get: (vm) => vm.seen.autostart !== undefined,
  },
  { kind: 'number', name: 'autostart_order', help: '0 to 99, or none; added', get: (vm) => vm.seen.autostart?.order },
]

/** A VM among others. */
export const vmShape: Shape<Vm> = { name: 'vm', id: (vm) => vm.uuid, fields }

/** A VM asked for by itself. */
export const vmDetailShape: Shape<Vm> = {
  name: 'vm',
  id: (vm) => vm.uuid,
  fields: [
    ...fields,
    { kind: 'number', name: 'vnc_port', get: (vm) => vm.seen.vncPort },
    { kind: 'text', name: 'vnc_password', get: (vm) => vm.vnc?.password },
  ],
}
