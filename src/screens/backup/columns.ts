import { formatAge, formatDate } from '../../lib/age.ts'
import { formatMib } from '../../lib/bytes.ts'
import { naturalKey } from '../../lib/text.ts'
import { type Backup, storedMib } from '../../model/backup.ts'
import type { Subject } from '../../model/job.ts'
import { line, span } from '../../ui/line.ts'
import type { Column } from '../../ui/table.ts'
import { storlinkText, uuidColumn } from '../app/columns.ts'
import type { AppContext } from '../app/context.ts'
import type { ListDef } from '../app/list.ts'
import { signSpan } from '../words.ts'
import { backupFacts, signOf } from './facts.ts'

/** Columns of backups, and what a filter finds in them: the same for those of one VM and of the whole site. */

type BackupColumn = Column<Backup, AppContext>

/** What it lies on; of a full one, why it is none that lies on another. */
function originText({ parent, fullBecause }: Backup, app: AppContext): string {
  if (parent === undefined) return fullBecause ?? ''
  return `on ${backupFacts(app).byUuid.get(parent)?.name ?? 'one that is gone'}`
}

/** A schedule for a filter has no VM that could be. */
export const isVmGone = ({ vm }: { readonly vm?: string }, app: AppContext) =>
  vm !== undefined && app.view().getVm(vm) === undefined

export const backupColumns = {
  vm: {
    name: 'vm',
    title: 'VM',
    width: 10,
    grow: 20,
    kind: 'text',
    cell: (backup, app) => (isVmGone(backup, app) ? line(backup.vmName, span(' gone', 'warn')) : backup.vmName),
    sort: ({ vmName }) => naturalKey(vmName),
    tail: true,
  },
  name: {
    name: 'name',
    title: 'NAME',
    // A date and a time, which is what one is called that nobody has named.
    width: 19,
    grow: 24,
    kind: 'text',
    cell: ({ name }) => name,
    sort: ({ name }) => naturalKey(name),
  },
  date: {
    name: 'date',
    title: 'DATE',
    width: 16,
    kind: 'age',
    drop: 6,
    cell: ({ createdAt }) => formatDate(createdAt),
    sort: ({ createdAt }) => createdAt,
  },
  age: {
    name: 'age',
    title: 'AGE',
    width: 4,
    kind: 'age',
    cell: ({ createdAt }, app) => formatAge(app.now() - createdAt),
    sort: ({ createdAt }) => createdAt,
  },
  kind: {
    name: 'kind',
    title: 'KIND',
    width: 11,
    kind: 'text',
    drop: 3,
    cell: ({ kind }) => kind,
    sort: ({ kind }) => kind,
  },
  state: {
    name: 'state',
    title: 'STATE',
    width: 13,
    kind: 'text',
    cell: (backup, app) => signSpan(signOf(app, backup)),
    sort: (backup, app) => signOf(app, backup).word,
  },
  checked: {
    name: 'checked',
    title: 'CHECKED',
    width: 7,
    kind: 'age',
    drop: 4,
    cell: ({ checkedAt }, app) => (checkedAt === undefined ? 'never' : formatAge(app.now() - checkedAt)),
    sort: ({ checkedAt }) => checkedAt,
  },
  size: {
    name: 'size',
    title: 'SIZE',
    width: 8,
    kind: 'size',
    drop: 2,
    cell: (backup) => formatMib(storedMib(backup)),
    sort: storedMib,
  },
  storlink: {
    name: 'storlink',
    title: 'STORLINK',
    width: 9,
    grow: 16,
    kind: 'text',
    drop: 1,
    cell: ({ storlink }, app) => storlinkText(storlink, app),
    sort: ({ storlink }) => storlink,
  },
  origin: {
    name: 'origin',
    title: 'LIES ON, OR WHY FULL',
    width: 20,
    grow: 60,
    kind: 'text',
    drop: 8,
    cell: originText,
    sort: originText,
  },
  uuid: { ...uuidColumn, drop: 9 },
} satisfies Record<string, BackupColumn>

/** What lists of backups have in common. */
export const backupRows: Pick<
  ListDef<Backup>,
  'id' | 'subject' | 'words' | 'filters' | 'liveFilters' | 'copies' | 'sort'
> = {
  sort: { column: 'age', down: true },
  id: ({ uuid }) => uuid,
  subject: backupSubject,
  words: ({ vmName, name, desc, kind, uuid, vm }) => `${vmName} ${name} ${desc} ${kind} ${uuid} ${vm}`,
  filters: {
    vm: (backup, app) => `${backup.vmName}${isVmGone(backup, app) ? ' gone' : ''}`,
    storlink: ({ storlink }, app) => storlinkText(storlink, app),
    state: (backup, app) => signOf(app, backup).word,
    kind: ({ kind }) => kind,
    name: ({ name }) => name,
  },
  liveFilters: ['vm', 'state', 'storlink'],
  copies: ({ uuid, name, vm }) => [
    ['backup', uuid],
    ['its name', name],
    ['its VM', vm],
  ],
}

export function backupSubject({ uuid, name }: Backup): Subject {
  return { kind: 'backup', id: uuid, name }
}
