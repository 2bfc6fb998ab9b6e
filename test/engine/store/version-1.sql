CREATE TABLE counters (name text primary key, value integer not null) strict;
CREATE TABLE tombstones (kind text not null, id text not null, at integer not null, rev integer not null,
    primary key (kind, id)) strict;
CREATE INDEX tombstonesByRev on tombstones (rev);
CREATE TABLE settings (key text primary key, value text not null, rev integer not null) strict;
CREATE TABLE pms (uuid text primary key, name text not null, destination text not null,
    cpuCount integer not null check (cpuCount >= 0), memoryMib integer not null check (memoryMib >= 0),
    readOnly integer not null check (readOnly in (0, 1)), createdAt integer not null,
    seenJson text not null check (json_valid(seenJson)), rev integer not null) strict;
CREATE UNIQUE INDEX pmsByName on pms (name);
CREATE INDEX pmsByRev on pms (rev);
CREATE TABLE storlinks (id integer primary key check (id > 0), pm text not null references pms,
    name text not null, link text not null,
    type text not null check (type in ('LO', 'FC', 'ISC', 'NFS', 'CEP')),
    level text not null check (level in ('FL', 'BL', 'OB')),
    shared integer not null check (shared in (0, 1)), "desc" text not null,
    sizeMib integer not null, freeMib integer not null, createdAt integer not null, rev integer not null,
    check (case type when 'NFS' then level = 'FL' when 'CEP' then level = 'OB' else level <> 'OB' end)) strict;
CREATE INDEX storlinksByPm on storlinks (pm);
CREATE INDEX storlinksByRev on storlinks (rev);
CREATE TABLE vms (uuid text primary key, pm text not null references pms, name text not null,
    domainName text not null, origin text not null check (origin in ('found', 'adopted', 'created')),
    type text not null check (type in ('pv', 'pvh', 'hvm')),
    vcpuCount integer not null, maxVcpuCount integer not null, memoryMib integer not null, maxmemMib integer not null,
    bootJson text not null check (json_valid(bootJson)),
    vncJson text check (json_valid(vncJson)), vncPassword text, iso text, extraConfig text not null,
    "desc" text not null, os text not null, osArch text not null, createdAt integer not null, bootedAt integer,
    configPath text, configForeign integer not null check (configForeign in (0, 1)),
    seenJson text not null check (json_valid(seenJson)), rev integer not null,
    check (vncPassword is null or vncJson is not null)) strict;
CREATE UNIQUE INDEX vmsByName on vms (name) where origin <> 'found';
CREATE INDEX vmsByPm on vms (pm);
CREATE INDEX vmsByRev on vms (rev);
CREATE TABLE disks (uuid text primary key, vm text not null references vms on delete cascade,
    managed integer not null check (managed in (0, 1)), position integer not null, vdev text not null,
    format text not null check (format in ('qcow2', 'raw', 'vhd')), sizeMib integer, path text not null,
    storlink integer references storlinks, readOnly integer not null check (readOnly in (0, 1)),
    owned integer not null check (owned in (0, 1)), backend text, "desc" text not null,
    createdAt integer not null) strict;
CREATE INDEX disksByVm on disks (vm);
CREATE UNIQUE INDEX disksByVdev on disks (vm, vdev) where managed = 1;
CREATE INDEX disksByStorlink on disks (storlink);
CREATE TABLE nics (id integer primary key check (id > 0), vm text not null references vms on delete cascade,
    managed integer not null check (managed in (0, 1)), position integer not null, name text not null,
    mac text not null, bridge text not null, ip text not null, model text, extra text) strict;
CREATE INDEX nicsByVm on nics (vm);
CREATE UNIQUE INDEX nicsByMac on nics (lower(mac)) where managed = 1 and mac <> '';
CREATE TABLE controllers (id text primary key, machineBootId text not null, pid integer not null,
    startTicks integer not null, pidNamespace text not null, startedAt integer not null) strict;
CREATE TABLE jobs (id text primary key, number integer not null unique check (number > 0), operation text not null,
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
CREATE INDEX jobsUnfinished on jobs (number) where state in ('queued', 'running', 'undoing', 'stuck');
CREATE INDEX jobsByOwner on jobs (owner) where owner is not null;
CREATE INDEX jobsByRev on jobs (rev);
CREATE TABLE jobEvents (job text not null references jobs on delete cascade, seq integer not null,
    step integer not null, name text not null,
    kind text not null check (kind in ('started', 'succeeded', 'failed', 'undoStarted', 'undone', 'undoFailed')),
    at integer not null, outputJson text check (json_valid(outputJson)), message text,
    primary key (job, seq)) strict;
CREATE TABLE jobCommands (job text not null references jobs on delete cascade, seq integer not null,
    host text not null, line text not null, at integer not null, tookMs real, "exit" integer, output text not null,
    primary key (job, seq)) strict;
CREATE TABLE secrets (job text not null references jobs on delete cascade, key text not null, value text not null,
    primary key (job, key)) strict;
CREATE TABLE locks (key text not null, job text not null references jobs on delete cascade, number integer not null,
    mode text not null check (mode in ('exclusive', 'shared')),
    state text not null check (state in ('held', 'waiting')), primary key (key, job)) strict;
CREATE INDEX locksByJob on locks (job);
CREATE UNIQUE INDEX locksHeldAlone on locks (key) where state = 'held' and mode = 'exclusive';
CREATE TABLE perf (subject text not null, page integer not null, samples blob not null,
    primary key (subject, page)) strict, without rowid;
insert into counters values ('revision', 6);
insert into counters values ('job', 1);
insert into counters values ('nic', 1);
insert into counters values ('storlink', 1);
insert into counters values ('forgotten', 0);
insert into pms values ('73b71321-8eba-4480-a96e-89481a5392fb', 'xen1', 'ssh:73b71321.example', 8, 65536, 0, 1000, '{"reach":"up","since":1,"at":2,"bridges":["xenbr0"]}', 1);
insert into storlinks values (1, '73b71321-8eba-4480-a96e-89481a5392fb', 'images', '/srv/images', 'LO', 'FL', 0, '', 100000, 50000, 1000, 2);
insert into vms values ('7703e5ac-62a5-4b51-aa9a-b38df8f0ca73', '73b71321-8eba-4480-a96e-89481a5392fb', 'web01', 'web01', 'created', 'pvh', 1, 2, 512, 1024, '{"kernel":"/boot/vmlinuz","cmdline":"root=/dev/xvda"}', '{"listen":"127.0.0.1"}', 'abcdefgh', null, '', '', 'linux', 'x86_64', 1000, null, null, 0, '{"state":"shutdown","since":1000,"drift":[]}', 3);
insert into disks values ('bb0c8487-1a8a-4b14-a139-348161df8e2a', '7703e5ac-62a5-4b51-aa9a-b38df8f0ca73', 1, 0, 'xvda', 'qcow2', 1024, '/srv/bb0c8487-1a8a-4b14-a139-348161df8e2a', 1, 0, 1, null, '', 1000);
insert into nics values (1, '7703e5ac-62a5-4b51-aa9a-b38df8f0ca73', 1, 0, 'eth0', '00:16:3e:00:00:01', 'xenbr0', '', null, null);
insert into jobs values ('b486ea43-51dc-483c-a2bd-e7ea68b95d90', 1, 'vm.start', 'vm', '7703e5ac-62a5-4b51-aa9a-b38df8f0ca73', 'web01', 'running', 'cli', 0, '', 0, 1, 0, 1795463247691, 5, null, null, '', null, 0, 0, null, '{"vm":"7703e5ac-62a5-4b51-aa9a-b38df8f0ca73"}', '[{"key":"vm:7703e5ac-62a5-4b51-aa9a-b38df8f0ca73","mode":"exclusive"}]', '{"a":1}', '[{"name":"start","pivot":true,"undoable":false}]', null, 6);
insert into jobEvents values ('b486ea43-51dc-483c-a2bd-e7ea68b95d90', 1, 0, 'start', 'started', 1795463247772, null, null);
insert into jobCommands values ('b486ea43-51dc-483c-a2bd-e7ea68b95d90', 1, 'xen1', 'xl create', 1, null, null, '');
insert into secrets values ('b486ea43-51dc-483c-a2bd-e7ea68b95d90', 'token', 't');
insert into locks values ('vm:7703e5ac-62a5-4b51-aa9a-b38df8f0ca73', 'b486ea43-51dc-483c-a2bd-e7ea68b95d90', 1, 'exclusive', 'held');
pragma application_id = 1885695591;
pragma user_version = 1;
