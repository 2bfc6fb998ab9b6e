import { formatSpan } from '../../lib/age.ts'
import { formatMib } from '../../lib/bytes.ts'
import { getOrMake } from '../../lib/getOrMake.ts'
import { naturalKey } from '../../lib/text.ts'
import type { Disk } from '../../model/disk.ts'
import type { Job } from '../../model/job.ts'
import type { Nic } from '../../model/nic.ts'
import type { Vm } from '../../model/vm.ts'
import { span } from '../../ui/line.ts'
import { uuidColumn } from '../app/columns.ts'
import type { AppContext } from '../app/context.ts'
import type { ListDef } from '../app/list.ts'
import { jobColumns } from '../job/columns.ts'

/** The lists on the screen of one VM: its disks, its interfaces, its jobs. */

/** The VM that the path names. */
export const vmOf = (app: AppContext): Vm | undefined => app.view().getVm(app.route().id ?? '')

export const diskList: ListDef<Disk> = {
  name: 'vm.disks',
  sort: { column: 'vdev', down: false },
  empty: 'no disk',
  columns: [
    { name: 'vdev', title: 'DISK', width: 6, kind: 'text', cell: (disk) => disk.vdev, sort: (disk) => disk.vdev },
    {
      name: 'size',
      title: 'SIZE',
      width: 10,
      kind: 'size',
      cell: (disk) => (disk.sizeMib === undefined ? '?' : formatMib(disk.sizeMib)),
      sort: (disk) => disk.sizeMib,
    },
    {
      name: 'format',
      title: 'FORMAT',
      width: 6,
      kind: 'text',
      cell: (disk) => disk.format,
      sort: (disk) => disk.format,
    },
    {
      name: 'storlink',
      title: 'STORLINK',
      width: 14,
      kind: 'text',
      cell: (disk, app) =>
        disk.storlink === undefined
          ? span('where it lay', 'dim')
          : `${disk.storlink} ${app.view().getStorlink(disk.storlink)?.name ?? ''}`,
      sort: (disk) => disk.storlink,
    },
    {
      name: 'owned',
      title: 'ON DELETE',
      width: 9,
      kind: 'text',
      drop: 2,
      cell: (disk) => (disk.owned ? 'removed' : span('kept', 'dim')),
      sort: (disk) => String(disk.owned),
    },
    {
      name: 'mode',
      title: 'MODE',
      width: 10,
      kind: 'text',
      drop: 3,
      cell: (disk) => (disk.readOnly ? 'read-only' : 'read-write'),
      sort: (disk) => String(disk.readOnly),
    },
    {
      name: 'path',
      title: 'PATH',
      width: 20,
      grow: 90,
      kind: 'text',
      drop: 4,
      cell: (disk) => disk.path,
      sort: (disk) => disk.path,
    },
    { ...uuidColumn, drop: 5 },
  ],
  rows: (app) => vmOf(app)?.disks ?? [],
  id: (disk) => disk.uuid,
  words: (disk) => `${disk.vdev} ${disk.format} ${disk.path} ${disk.uuid}`,
  filters: {},
  copies: (disk) => [
    ['path', disk.path],
    ['uuid', disk.uuid],
  ],
}

export const nicList: ListDef<Nic> = {
  name: 'vm.nics',
  sort: { column: 'name', down: false },
  empty: 'no interface',
  columns: [
    {
      name: 'name',
      title: 'INTERFACE',
      width: 11,
      kind: 'text',
      cell: (nic) => nic.name,
      sort: (nic) => naturalKey(nic.name),
    },
    { name: 'mac', title: 'MAC', width: 17, kind: 'text', cell: (nic) => nic.mac, sort: (nic) => nic.mac },
    { name: 'bridge', title: 'BRIDGE', width: 12, kind: 'text', cell: (nic) => nic.bridge, sort: (nic) => nic.bridge },
    {
      name: 'ip',
      title: 'ADDRESS',
      width: 15,
      grow: 39,
      kind: 'text',
      cell: (nic) => nic.ip || '–',
      sort: (nic) => naturalKey(nic.ip),
    },
    {
      name: 'model',
      title: 'MODEL',
      width: 10,
      kind: 'text',
      drop: 1,
      cell: (nic) => nic.model ?? '–',
      sort: (nic) => nic.model,
    },
  ],
  rows: (app) => vmOf(app)?.nics ?? [],
  id: (nic) => nic.mac,
  words: (nic) => `${nic.name} ${nic.mac} ${nic.bridge} ${nic.ip}`,
  filters: {},
  copies: (nic) => [
    ['MAC', nic.mac],
    ['address', nic.ip],
  ],
}

const jobsOf = new WeakMap<object, Map<string, readonly Job[]>>()

/** The VM's jobs, the same array until the list of jobs changes. */
function jobsFor(app: AppContext): readonly Job[] {
  const all = app.view().jobs()
  const id = app.route().id ?? ''
  const byId = getOrMake(jobsOf, all, () => new Map())
  return getOrMake(byId, id, () => all.filter((job) => job.subject.id === id))
}

export const vmJobList: ListDef<Job> = {
  name: 'vm.jobs',
  sort: { column: 'number', down: true },
  empty: 'no job yet',
  columns: [
    jobColumns.number,
    { ...jobColumns.what, width: 16, grow: 24 },
    { ...jobColumns.state, width: 13 },
    jobColumns.started,
    {
      name: 'took',
      title: 'TOOK',
      width: 7,
      kind: 'age',
      cell: (job) => (job.startedAt && job.finishedAt ? formatSpan(job.finishedAt - job.startedAt) : '–'),
    },
    { name: 'message', title: 'MESSAGE', width: 10, grow: 90, kind: 'text', drop: 1, cell: (job) => job.message },
  ],
  rows: jobsFor,
  id: (job) => job.id,
  words: (job) => `${job.number} ${job.operation} ${job.state} ${job.message}`,
  filters: {},
  copies: (job) => [['job', String(job.number)]],
}
