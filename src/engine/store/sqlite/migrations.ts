import type { Database } from 'bun:sqlite'
import { PengxError } from '../../../model/error.ts'

/**
 * How a file gets the tables of `schema.ts`: SQLite's own part of the store, as another database would have its own. A
 * migration is never changed once it has been released; the next one is added at the end. All that a file lacks runs
 * in one transaction, so that it is of one version or the other whatever happens, and of two processes that open it at
 * once one does the work and the other finds it done.
 */
export const MIGRATIONS: readonly string[] = [
  `
  create table counters (name text primary key, value integer not null) strict;
  insert into counters values ('revision', 0), ('job', 0), ('nic', 0), ('storlink', 0), ('forgotten', 0);

  create table tombstones (kind text not null, id text not null, at integer not null, rev integer not null,
    primary key (kind, id)) strict;
  create index tombstonesByRev on tombstones (rev);

  create table settings (key text primary key, value text not null, rev integer not null) strict;

  create table pms (uuid text primary key, name text not null, destination text not null,
    cpuCount integer not null check (cpuCount >= 0), memoryMib integer not null check (memoryMib >= 0),
    readOnly integer not null check (readOnly in (0, 1)), createdAt integer not null,
    seenJson text not null check (json_valid(seenJson)), rev integer not null) strict;
  create unique index pmsByName on pms (name);
  create index pmsByRev on pms (rev);

  create table storlinks (id integer primary key check (id > 0), pm text not null references pms,
    name text not null, link text not null,
    type text not null check (type in ('LO', 'FC', 'ISC', 'NFS', 'CEP')),
    level text not null check (level in ('FL', 'BL', 'OB')),
    shared integer not null check (shared in (0, 1)), "desc" text not null,
    sizeMib integer not null, freeMib integer not null, createdAt integer not null, rev integer not null,
    check (case type when 'NFS' then level = 'FL' when 'CEP' then level = 'OB' else level <> 'OB' end)) strict;
  create index storlinksByPm on storlinks (pm);
  create index storlinksByRev on storlinks (rev);

  create table vms (uuid text primary key, pm text not null references pms, name text not null,
    domainName text not null, origin text not null check (origin in ('found', 'adopted', 'created')),
    type text not null check (type in ('pv', 'pvh', 'hvm')),
    vcpuCount integer not null, maxVcpuCount integer not null, memoryMib integer not null, maxmemMib integer not null,
    bootJson text not null check (json_valid(bootJson)),
    vncJson text check (json_valid(vncJson)), vncPassword text, iso text, extraConfig text not null,
    "desc" text not null, os text not null, osArch text not null, createdAt integer not null, bootedAt integer,
    configPath text, configForeign integer not null check (configForeign in (0, 1)),
    seenJson text not null check (json_valid(seenJson)), rev integer not null,
    check (vncPassword is null or vncJson is not null)) strict;
  create unique index vmsByName on vms (name) where origin <> 'found';
  create index vmsByPm on vms (pm);
  create index vmsByRev on vms (rev);

  create table disks (uuid text primary key, vm text not null references vms on delete cascade,
    managed integer not null check (managed in (0, 1)), position integer not null, vdev text not null,
    format text not null check (format in ('qcow2', 'raw', 'vhd')), sizeMib integer, path text not null,
    storlink integer references storlinks, readOnly integer not null check (readOnly in (0, 1)),
    owned integer not null check (owned in (0, 1)), backend text, "desc" text not null,
    createdAt integer not null) strict;
  create index disksByVm on disks (vm);
  create unique index disksByVdev on disks (vm, vdev) where managed = 1;
  create index disksByStorlink on disks (storlink);

  create table nics (id integer primary key check (id > 0), vm text not null references vms on delete cascade,
    managed integer not null check (managed in (0, 1)), position integer not null, name text not null,
    mac text not null, bridge text not null, ip text not null, model text, extra text) strict;
  create index nicsByVm on nics (vm);
  create unique index nicsByMac on nics (lower(mac)) where managed = 1 and mac <> '';

  create table controllers (id text primary key, machineBootId text not null, pid integer not null,
    startTicks integer not null, pidNamespace text not null, startedAt integer not null) strict;

  create table jobs (id text primary key, number integer not null unique check (number > 0), operation text not null,
    subjectKind text not null check (subjectKind in ('vm', 'pm', 'storlink', 'template', 'site')),
    subjectId text not null, subjectName text not null,
    state text not null check (state in
      ('queued', 'running', 'undoing', 'done', 'undone', 'cancelled', 'stuck', 'kept')),
    "by" text not null, progress real not null, step text not null, stepIndex integer not null,
    stepCount integer not null, pivotIndex integer, createdAt integer not null, startedAt integer, finishedAt integer,
    code text, message text not null, queuePosition integer,
    acknowledged integer not null check (acknowledged in (0, 1)),
    cancelRequested integer not null check (cancelRequested in (0, 1)),
    owner text references controllers on delete set null,
    paramsJson text not null check (json_valid(paramsJson)), locksJson text not null check (json_valid(locksJson)),
    factsJson text check (json_valid(factsJson)), planJson text check (json_valid(planJson)),
    resultJson text check (json_valid(resultJson)), rev integer not null) strict;
  create index jobsUnfinished on jobs (number) where state in ('queued', 'running', 'undoing', 'stuck');
  create index jobsByOwner on jobs (owner) where owner is not null;
  create index jobsByRev on jobs (rev);

  create table jobEvents (job text not null references jobs on delete cascade, seq integer not null,
    step integer not null, name text not null,
    kind text not null check (kind in ('started', 'succeeded', 'failed', 'undoStarted', 'undone', 'undoFailed')),
    at integer not null, outputJson text check (json_valid(outputJson)), message text,
    primary key (job, seq)) strict;

  create table jobCommands (job text not null references jobs on delete cascade, seq integer not null,
    host text not null, line text not null, at integer not null, tookMs real, "exit" integer, output text not null,
    primary key (job, seq)) strict;

  create table secrets (job text not null references jobs on delete cascade, key text not null, value text not null,
    primary key (job, key)) strict;

  create table locks (key text not null, job text not null references jobs on delete cascade, number integer not null,
    mode text not null check (mode in ('exclusive', 'shared')),
    state text not null check (state in ('held', 'waiting')), primary key (key, job)) strict;
  create index locksByJob on locks (job);
  create unique index locksHeldAlone on locks (key) where state = 'held' and mode = 'exclusive';

  create table perf (subject text not null, page integer not null, samples blob not null,
    primary key (subject, page)) strict, without rowid;
  `,
  // The rest of a disk's specification: `script=…`, `discard`.
  'alter table disks add column extra text',
  `
  create table templates (uuid text primary key, pm text not null references pms, name text not null,
    os text not null, osArch text not null, "desc" text not null,
    type text not null check (type in ('pv', 'pvh', 'hvm')), bootJson text not null check (json_valid(bootJson)),
    createdAt integer not null, bootedAt integer, rev integer not null) strict;
  create unique index templatesByName on templates (name);
  create index templatesByRev on templates (rev);

  create table templateDisks (uuid text primary key, template text not null references templates on delete cascade,
    position integer not null, format text not null check (format in ('qcow2', 'raw', 'vhd')),
    sizeMib integer not null, path text not null, storlink integer not null references storlinks,
    "desc" text not null, createdAt integer not null) strict;
  create index templateDisksByTemplate on templateDisks (template);
  create index templateDisksByStorlink on templateDisks (storlink);

  alter table vms add column template text references templates;
  create index vmsByTemplate on vms (template) where template is not null;
  alter table disks add column base text references templateDisks;
  create index disksByBase on disks (base) where base is not null;
  `,
  // A parent's number is the smaller one, so no layer can lie on itself, however many are between.
  `
  create table layers (uuid text primary key, vm text not null references vms on delete cascade,
    number integer not null check (number > 0), parent text, parentNumber integer, name text, note text not null,
    type text not null check (type in ('LIVE', 'OFFLINE')), createdAt integer not null,
    unique (vm, number), unique (uuid, vm, number), check ((parent is null) = (parentNumber is null)),
    check (parentNumber < number),
    foreign key (parent, vm, parentNumber) references layers (uuid, vm, number) deferrable initially deferred) strict;

  create table layerVolumes (uuid text primary key, layer text not null references layers on delete cascade,
    position integer not null, disk text not null, vdev text not null,
    format text not null check (format in ('qcow2', 'raw', 'vhd')), sizeMib integer, path text not null,
    storlink integer references storlinks, base text references templateDisks,
    owned integer not null check (owned in (0, 1)), unique (layer, disk), unique (layer, vdev)) strict;
  create index layerVolumesByStorlink on layerVolumes (storlink);
  create index layerVolumesByBase on layerVolumes (base) where base is not null;

  create index layersByParent on layers (parent, vm, parentNumber) where parent is not null;

  alter table vms add column layer text references layers deferrable initially deferred;
  create index vmsByLayer on vms (layer) where layer is not null;
  `,
  // No reference to VMs: backups outlive them. A parent's depth is one less, so no backup can lie on itself.
  `
  create table backups (uuid text primary key, vm text not null, vmName text not null, name text not null,
    "desc" text not null, storlink integer not null references storlinks,
    kind text not null check (kind in ('full', 'incremental')), fullBecause text,
    parent text, parentDepth integer, depth integer not null check (depth >= 0),
    live integer not null check (live in (0, 1)),
    state text not null check (state in ('verified', 'unverified', 'failed')), checkedAt integer, problem text,
    drilledAt integer, drillProblem text, specJson text not null check (json_valid(specJson)),
    createdAt integer not null, rev integer not null,
    unique (uuid, vm, storlink, depth), check ((parent is null) = (parentDepth is null)),
    check (depth = coalesce(parentDepth + 1, 0)), check ((kind = 'full') = (parent is null)),
    check (state = 'unverified' or checkedAt is not null),
    foreign key (parent, vm, storlink, parentDepth) references backups (uuid, vm, storlink, depth)) strict;
  create unique index backupsByName on backups (vm, name);
  create index backupsByParent on backups (parent, vm, storlink, parentDepth) where parent is not null;
  create index backupsByStorlink on backups (storlink);
  create index backupsByRev on backups (rev);

  create table backupVolumes (uuid text primary key, backup text not null references backups on delete cascade,
    position integer not null, disk text not null, vdev text not null,
    format text not null check (format in ('qcow2', 'raw', 'vhd')), sizeMib integer not null, path text not null,
    bytes integer not null check (bytes >= 0), sha256 text not null, unique (backup, disk), unique (backup, vdev)) strict;

  create table schedules (uuid text primary key, vm text not null, vmName text not null,
    storlink integer not null references storlinks, cron text not null,
    incremental integer not null check (incremental in (0, 1)), rateMib integer not null check (rateMib >= 0),
    keepLast integer not null check (keepLast >= 0), keepDaily integer not null check (keepDaily >= 0),
    keepWeekly integer not null check (keepWeekly >= 0), enabled integer not null check (enabled in (0, 1)),
    createdAt integer not null, takenAt integer, problem text, rev integer not null) strict;
  create index schedulesByStorlink on schedules (storlink);
  create index schedulesByRev on schedules (rev);
  `,
  // Which nouns there are is no affair of the table. Jobs on later ones were the site's, with the noun in the id.
  `
  alter table jobs rename column subjectKind to firstKind;
  alter table jobs add column subjectKind text not null default 'site' check (subjectKind <> '');
  update jobs set subjectKind = firstKind;
  update jobs set subjectKind = 'backup', subjectId = substr(subjectId, length('backup:') + 1)
    where firstKind = 'site' and subjectId like 'backup:%';
  update jobs set subjectKind = 'schedule', subjectId = substr(subjectId, length('schedule:') + 1)
    where firstKind = 'site' and subjectId like 'schedule:%';
  alter table jobs drop column firstKind;
  `,
  // Which PM did not answer a job that is stuck, and how often it was tried again since that came up.
  `
  alter table jobs add column away text;
  alter table jobs add column retries integer not null default 0 check (retries >= 0);
  `,
  // Drives have names and places of their own; the one of an image was hdc. Of several files one is a VM's.
  `
  alter table vms add column drivesJson text not null default '[]' check (json_valid(drivesJson));
  update vms set drivesJson = json_array(json_object('vdev', 'hdc', 'cdrom', json('true'), 'path', iso,
    'after', (select count(*) from disks where disks.vm = vms.uuid))) where iso is not null;
  alter table vms drop column iso;
  alter table vms add column otherConfigsJson text not null default '[]' check (json_valid(otherConfigsJson));
  `,
  // What the marker of a storage says, and who does not see it. Two rows may be of one storage, on two PMs.
  `
  alter table storlinks add column uuid text;
  alter table storlinks add column problemsJson text check (problemsJson is null or json_valid(problemsJson));
  `,
  // Of hours and months none was kept.
  `
  alter table schedules add column keepHourly integer not null default 0 check (keepHourly >= 0);
  alter table schedules add column keepMonthly integer not null default 0 check (keepMonthly >= 0);
  `,
  // A schedule may be for all VMs that match a filter, and has no VM of its own then.
  `
  alter table schedules add column filter text check (filter is null or vm = '');
  `,
  // All made backups; now some read them back.
  `
  alter table schedules add column what text not null default 'backup' check (what in ('backup', 'verify'));
  `,
]

/** `peng` in ASCII, in the file's header: tells a store from any other SQLite file. */
const APPLICATION_ID = 0x70656e67

/** Brings a file up to date; to be called inside an immediate transaction. */
export function migrate(db: Database, where: string, migrations = MIGRATIONS): void {
  const version = pragma(db, 'user_version')
  if (version === 0 && countTables(db) > 0) throw foreign(where)
  if (version > 0 && pragma(db, 'application_id') !== APPLICATION_ID) throw foreign(where)
  if (version > migrations.length) {
    throw new PengxError(
      'unsupported',
      `cannot open store ${where}: a newer pengx wrote it (schema ${version}, this one knows ${migrations.length}); ` +
        'use that version, or another store',
    )
  }
  if (version === migrations.length) return
  for (const migration of migrations.slice(version)) db.run(migration)
  db.run(`pragma application_id = ${APPLICATION_ID}`)
  db.run(`pragma user_version = ${migrations.length}`)
}

function foreign(where: string): PengxError {
  return new PengxError('invalid', `cannot open store ${where}: it is a database of something else`)
}

function pragma(db: Database, name: 'user_version' | 'application_id'): number {
  return readNumber(db, `pragma ${name}`)
}

function countTables(db: Database): number {
  return readNumber(db, 'select count(*) from sqlite_schema')
}

/** A statement that is not finalized keeps the file open after it is closed. */
function readNumber(db: Database, query: string): number {
  const statement = db.prepare(query)
  try {
    return statement.values()[0]?.[0] as number
  } finally {
    statement.finalize()
  }
}
