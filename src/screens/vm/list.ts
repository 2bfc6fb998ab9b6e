import { formatAge } from '../../lib/age.ts'
import { formatGib, formatMbit, formatMbyte } from '../../lib/bytes.ts'
import { naturalKey } from '../../lib/text.ts'
import { VM_FILTERS, vmWords } from '../../model/schedule/vmFilter.ts'
import { hasDomain, type Vm } from '../../model/vm.ts'
import { listenAddress } from '../../model/vnc.ts'
import { line, span } from '../../ui/line.ts'
import type { Cell, Column } from '../../ui/table.ts'
import { nameColumn, pmColumn, pmName, uuidColumn } from '../app/columns.ts'
import type { AppContext } from '../app/context.ts'
import type { ListDef } from '../app/list.ts'
import { backupAge, backupFacts } from '../backup/facts.ts'
import { vmSign, vmStatus } from '../words.ts'

/** The columns of VMs, and what a filter finds in them. */

type VmColumn = Column<Vm, AppContext>

const rates = (vm: Vm, app: AppContext) => (hasDomain(vm.seen.state) ? app.view().rates(vm.uuid) : undefined)
const jobOf = (vm: Vm, app: AppContext) => app.view().jobOn('vm', vm.uuid)
const statusOf = (vm: Vm, app: AppContext) => vmStatus(vm, jobOf(vm, app), app.engine)

/** The state, whether it writes where it must not, and whether nobody has taken it under care yet. */
function statusCell(vm: Vm, app: AppContext): Cell {
  const status = statusOf(vm, app)
  if (vm.seen.wrongVolumes) return line({ ...status, tone: 'bad' }, span(' ! disk', 'bad'))
  return vm.origin === 'found' && jobOf(vm, app) === undefined ? line(status, span(' found', 'warn')) : status
}

/** Whether it starts with its PM, and at which place; amber where nothing starts it after all. */
function autostartCell({ seen: { autostart } }: Vm): Cell {
  if (autostart === undefined) return '–'
  const text = autostart.order === undefined ? 'yes' : String(autostart.order)
  return autostart.disabled ? span(text, 'warn') : text
}

function diskMib(vm: Vm): number | undefined {
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
  read: (vm: Vm, app: AppContext) => number | undefined,
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
    cell: (vm, app) => {
      const value = read(vm, app)
      return value === undefined ? '–' : show(value)
    },
    sort: read,
  }
}

export const vmColumns = {
  name: nameColumn,
  status: {
    name: 'status',
    title: 'STATUS',
    width: 17,
    grow: 18,
    kind: 'text',
    cell: statusCell,
    sort: (vm, app) => statusOf(vm, app).text.slice(2),
    live: true,
  },
  pm: { ...pmColumn, drop: 4 },
  cpu: {
    name: 'cpu',
    title: 'CPU%',
    width: 5,
    kind: 'number',
    drop: 2,
    cell: (vm, app) => {
      const percent = rates(vm, app)?.cpuPercent
      return percent === undefined ? '–' : String(Math.round(percent))
    },
    sort: (vm, app) => rates(vm, app)?.cpuPercent,
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
  backup: {
    name: 'backup',
    title: 'BACKUP',
    width: 9,
    kind: 'age',
    drop: 7,
    cell: backupAge,
    // The worst first: never, then the oldest.
    sort: ({ uuid }, app) => -(backupFacts(app).newestGood.get(uuid)?.createdAt ?? 0),
    live: true,
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
    cell: (vm, app) => formatAge(app.now() - vm.seen.since),
    sort: (vm) => -vm.seen.since,
  },
  rx: rate('rx', 'RX Mb/s', 8, (vm, app) => rates(vm, app)?.rxBytes, formatMbit),
  tx: rate('tx', 'TX Mb/s', 8, (vm, app) => rates(vm, app)?.txBytes, formatMbit),
  read: rate('read', 'READ MB/s', 10, (vm, app) => rates(vm, app)?.readBytes, formatMbyte),
  write: rate('write', 'WRITE MB/s', 11, (vm, app) => rates(vm, app)?.writeBytes, formatMbyte),
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
  autostart: {
    name: 'autostart',
    title: 'AUTO',
    width: 5,
    kind: 'text',
    wide: true,
    drop: 25,
    cell: autostartCell,
    sort: ({ seen }) => (seen.autostart ? (seen.autostart.order ?? 100) : 101),
  },
  uuid: { ...uuidColumn, drop: 24, sort: (vm) => vm.uuid },
} satisfies Record<string, VmColumn>

const columns: readonly VmColumn[] = Object.values(vmColumns)

/** The keys of a filter that is written down, which mean the same here. */
const byKey = Object.fromEntries(
  Object.entries(VM_FILTERS).map(([key, read]) => [key, (vm: Vm, app: AppContext) => read(vm, app.view())]),
)

export const vmList: ListDef<Vm> = {
  name: 'vms',
  sort: { column: 'name', down: false },
  empty: 'no VM yet: N makes one',
  columns,
  rows: (app) => app.view().vms(),
  id: (vm) => vm.uuid,
  subject: (vm) => ({ kind: 'vm', id: vm.uuid, name: vm.name }),
  words: (vm, app) => `${vmWords(vm, app.view())} ${vmSign(vm).word}`,
  filters: {
    ...byKey,
    status: (vm, app) => `${vmSign(vm).word} ${vm.seen.state} ${statusOf(vm, app).text}`,
    backup: (vm, app) => backupAge(vm, app).text,
  },
  liveFilters: ['status', 'backup'],
  copies: (vm, app) => [
    ['uuid', vm.uuid],
    ['name', vm.name],
    ['address', addressOf(vm)],
    ['VNC', vncText(vm, app)],
    ...(vm.configPath ? ([['configuration file', vm.configPath]] as const) : []),
  ],
}

/** Where a VNC viewer connects, as far as it is known. */
export function vncText(vm: Vm, app: AppContext): string {
  if (vm.seen.vncPort === undefined) return '–'
  const listen = vm.vnc ? listenAddress(vm.vnc) : '127.0.0.1'
  const host = listen === '127.0.0.1' ? `127.0.0.1 of ${pmName(vm, app)}` : listen
  return `${host}:${vm.seen.vncPort}`
}
