import { formatAge } from '../../lib/age.ts'
import { formatGib, formatMbit, formatMbyte } from '../../lib/bytes.ts'
import { naturalKey } from '../../lib/text.ts'
import { hasDomain, type Vm } from '../../model/vm.ts'
import { line, span } from '../../ui/line.ts'
import type { Cell, Column } from '../../ui/table.ts'
import type { Desk } from '../app/context.ts'
import type { ListDef } from '../app/list.ts'
import { vmSign, vmStatus } from '../words.ts'

/** The columns of VMs, and what a filter finds in them. */

type VmColumn = Column<Vm, Desk>

const pmName = (vm: Vm, desk: Desk) => desk.view().getPm(vm.pm)?.name ?? '?'
const rates = (vm: Vm, desk: Desk) => (hasDomain(vm.seen.state) ? desk.view().rates(vm.uuid) : undefined)
const jobOf = (vm: Vm, desk: Desk) => desk.view().jobOn('vm', vm.uuid)
const statusOf = (vm: Vm, desk: Desk) => vmStatus(vm, jobOf(vm, desk), desk.engine)

/** The state, and whether nobody has taken it under care yet. */
function statusCell(vm: Vm, desk: Desk): Cell {
  const status = statusOf(vm, desk)
  return vm.origin === 'found' && jobOf(vm, desk) === undefined ? line(status, span(' found', 'warn')) : status
}

export function diskMib(vm: Vm): number | undefined {
  let sum = 0
  for (const { sizeMib } of vm.disks) {
    if (sizeMib === undefined) return undefined
    sum += sizeMib
  }
  return sum
}

const addressOf = (vm: Vm) => vm.nics.find((nic) => nic.ip !== '')?.ip ?? '–'

function rate(
  name: string,
  title: string,
  width: number,
  read: (vm: Vm, desk: Desk) => number | undefined,
  show: (value: number) => string,
): VmColumn {
  return {
    name,
    title,
    width,
    kind: 'number',
    wide: true,
    drop: 20,
    live: true,
    cell: (vm, desk) => {
      const value = read(vm, desk)
      return value === undefined ? '–' : show(value)
    },
    sort: read,
  }
}

export const vmColumns = {
  name: {
    name: 'name',
    title: 'NAME',
    width: 12,
    grow: 34,
    kind: 'text',
    cell: (vm) => vm.name,
    sort: (vm) => naturalKey(vm.name),
  },
  status: {
    name: 'status',
    title: 'STATUS',
    width: 17,
    grow: 18,
    kind: 'text',
    cell: statusCell,
    sort: (vm, desk) => statusOf(vm, desk).text.slice(2),
    live: true,
  },
  pm: {
    name: 'pm',
    title: 'PM',
    width: 5,
    grow: 12,
    kind: 'text',
    drop: 4,
    cell: pmName,
    sort: (vm, desk) => naturalKey(pmName(vm, desk)),
  },
  cpu: {
    name: 'cpu',
    title: 'CPU%',
    width: 5,
    kind: 'number',
    drop: 2,
    cell: (vm, desk) => {
      const percent = rates(vm, desk)?.cpuPercent
      return percent === undefined ? '–' : String(Math.round(percent))
    },
    sort: (vm, desk) => rates(vm, desk)?.cpuPercent,
    live: true,
  },
  memory: {
    name: 'memory',
    title: 'MEM GiB',
    width: 7,
    kind: 'size',
    drop: 3,
    cell: (vm) => `${formatGib(vm.seen.memoryMib ?? vm.memoryMib)}/${formatGib(vm.maxmemMib)}`,
    sort: (vm) => vm.memoryMib,
  },
  disk: {
    name: 'disk',
    title: 'DISK GiB',
    width: 8,
    kind: 'size',
    drop: 5,
    cell: (vm) => {
      const mib = diskMib(vm)
      return mib === undefined ? '–' : formatGib(mib)
    },
    sort: diskMib,
  },
  address: {
    name: 'address',
    title: 'ADDRESS',
    width: 15,
    kind: 'text',
    drop: 6,
    cell: addressOf,
    sort: (vm) => naturalKey(addressOf(vm)),
  },
  origin: {
    name: 'origin',
    title: 'ORIGIN',
    width: 7,
    kind: 'text',
    wide: true,
    drop: 17,
    cell: (vm) => (vm.origin === 'found' ? span('found', 'warn') : span(vm.origin, 'dim')),
    sort: (vm) => vm.origin,
  },
  vcpus: {
    name: 'vcpus',
    title: 'VCPU',
    width: 6,
    kind: 'number',
    wide: true,
    drop: 19,
    cell: (vm) => String(vm.seen.vcpuCount ?? vm.vcpuCount),
    sort: (vm) => vm.vcpuCount,
  },
  type: {
    name: 'type',
    title: 'TYPE',
    width: 4,
    kind: 'text',
    wide: true,
    drop: 21,
    cell: (vm) => vm.type.toUpperCase(),
    sort: (vm) => vm.type,
  },
  since: {
    name: 'since',
    title: 'SINCE',
    width: 5,
    kind: 'age',
    wide: true,
    drop: 18,
    cell: (vm, desk) => formatAge(desk.now() - vm.seen.since),
    sort: (vm) => -vm.seen.since,
  },
  rx: rate('rx', 'RX Mb/s', 8, (vm, desk) => rates(vm, desk)?.rxBytes, formatMbit),
  tx: rate('tx', 'TX Mb/s', 8, (vm, desk) => rates(vm, desk)?.txBytes, formatMbit),
  read: rate('read', 'READ MB/s', 10, (vm, desk) => rates(vm, desk)?.readBytes, formatMbyte),
  write: rate('write', 'WRITE MB/s', 11, (vm, desk) => rates(vm, desk)?.writeBytes, formatMbyte),
  domid: {
    name: 'domid',
    title: 'DOMID',
    width: 6,
    kind: 'number',
    wide: true,
    drop: 22,
    cell: (vm) => (vm.seen.domid === undefined ? '–' : String(vm.seen.domid)),
    sort: (vm) => vm.seen.domid,
  },
  os: {
    name: 'os',
    title: 'OS',
    width: 12,
    kind: 'text',
    wide: true,
    drop: 23,
    cell: (vm) => vm.os || '–',
    sort: (vm) => vm.os,
  },
  uuid: {
    name: 'uuid',
    title: 'UUID',
    width: 36,
    kind: 'text',
    wide: true,
    drop: 24,
    cell: (vm) => vm.uuid,
    sort: (vm) => vm.uuid,
  },
} satisfies Record<string, VmColumn>

const columns: readonly VmColumn[] = Object.values(vmColumns)

export const vmList: ListDef<Vm> = {
  name: 'vms',
  sort: { column: 'name', down: false },
  empty: 'no VM yet: N makes one',
  columns,
  rows: (desk) => desk.view().vms(),
  id: (vm) => vm.uuid,
  subject: (vm) => ({ kind: 'vm', id: vm.uuid, name: vm.name }),
  words: (vm, desk) =>
    `${vm.name} ${pmName(vm, desk)} ${vmSign(vm).word} ${addressOf(vm)} ${vm.origin} ${vm.os} ${vm.desc} ${vm.uuid} ${vm.nics.map(({ mac }) => mac).join(' ')}`,
  filters: {
    name: (vm) => vm.name,
    status: (vm, desk) => `${vmSign(vm).word} ${vm.seen.state} ${statusOf(vm, desk).text}`,
    pm: (vm, desk) => pmName(vm, desk),
    os: (vm) => `${vm.os} ${vm.osArch}`,
    type: (vm) => vm.type,
    origin: (vm) => vm.origin,
    ip: (vm) => vm.nics.map(({ ip }) => ip).join(' '),
    mac: (vm) => vm.nics.map(({ mac }) => mac).join(' '),
    bridge: (vm) => vm.nics.map(({ bridge }) => bridge).join(' '),
    desc: (vm) => vm.desc,
    template: (vm, desk) => (vm.template === undefined ? '' : (desk.view().getTemplate(vm.template)?.name ?? '')),
  },
  liveFilters: ['status'],
  copies: (vm, desk) => [
    ['uuid', vm.uuid],
    ['name', vm.name],
    ['address', addressOf(vm)],
    ['VNC', vncText(vm, desk)],
    ...(vm.configPath ? ([['configuration file', vm.configPath]] as const) : []),
  ],
}

/** Where a VNC viewer connects, as far as it is known. */
export function vncText(vm: Vm, desk: Desk): string {
  if (vm.seen.vncPort === undefined) return '–'
  const listen = vm.vnc?.listen ?? '127.0.0.1'
  const host = listen === '127.0.0.1' ? `127.0.0.1 of ${pmName(vm, desk)}` : listen
  return `${host}:${vm.seen.vncPort}`
}
