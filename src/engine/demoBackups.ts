import { dateName } from '../lib/age.ts'
import { lastCron } from '../lib/cron.ts'
import { newUuid } from '../lib/ids.ts'
import { type Backup, type BackupVolume, backedUpDisks, type Schedule, specOf } from '../model/backup.ts'
import type { Pm } from '../model/pm.ts'
import type { Storlink } from '../model/storlink.ts'
import type { Vm } from '../model/vm.ts'
import { batch } from './host/batch.ts'
import type { Host } from './host/host.ts'
import { runAll } from './host/run.ts'
import { manifestOf, manifestPath } from './operations/backup/manifest.ts'
import { imageOf } from './operations/backup/target.ts'
import type { Store } from './store/store.ts'
import { writeFileAtomically } from './tools/files.ts'
import { needDriver } from './volumes/drivers.ts'

/**
 * Backups and schedules of a simulated site, as they would be there after some weeks: volumes that can be read again, with
 * what is written down of them.
 */
export interface DemoBackupDeps {
  readonly store: Store
  machine(pm: Pm): Host
}

interface Made extends DemoBackupDeps {
  readonly storlink: Storlink
}

const DAY_MS = 86_400_000
const HOUR_MS = DAY_MS / 24
const NIGHTLY = '30 2 * * *'
const WEEKLY = '0 4 * * 0'
/** No job does this, so nothing is found again by it. */
const TAG = 'demo'

/** One VM is backed up every night, one has a backup that nobody has read for long, and one is no more. */
export async function makeDemoBackups(parts: DemoBackupDeps): Promise<void> {
  const { view } = parts.store
  const storlink = view.storlinks().find(({ shared, level }) => shared && level === 'FL')
  if (storlink === undefined) return
  const [nightly, weekly] = view
    .vms()
    .filter((vm) => vm.origin !== 'found' && vm.seen.state === 'running' && liesOn(vm, storlink))
  if (nightly === undefined || weekly === undefined) return
  const made = { ...parts, storlink }
  const now = Date.now()
  const due = lastCron(NIGHTLY, now) ?? now
  let parent: Backup | undefined
  for (const days of [3, 2, 1, 0]) parent = await makeBackup(made, nightly, { createdAt: due - days * DAY_MS, parent })
  await parts.store.inventory.putBackup({ ...parent!, drilledAt: due + HOUR_MS })
  await makeBackup(made, weekly, { createdAt: now - 40 * DAY_MS })
  await makeBackup(made, anotherLike(nightly, 'old01'), { createdAt: now - 12 * DAY_MS })
  await schedule(made, nightly, { cron: NIGHTLY, takenAt: due })
  await schedule(made, weekly, { cron: WEEKLY, enabled: false })
}

/** With disks of its own; interfaces have addresses that exist once. */
function anotherLike(vm: Vm, name: string): Vm {
  return { ...vm, uuid: newUuid(), name, nics: [], disks: vm.disks.map((disk) => ({ ...disk, uuid: newUuid() })) }
}

function liesOn({ disks }: Vm, { id }: Storlink): boolean {
  return disks.length > 0 && disks.every(({ storlink, sizeMib }) => storlink === id && sizeMib !== undefined)
}

async function makeBackup(
  { store, machine, storlink }: Made,
  vm: Vm,
  { createdAt, parent }: { readonly createdAt: number; readonly parent?: Backup | undefined },
): Promise<Backup> {
  const pm = store.view.needPm(vm.pm)
  const host = machine(pm)
  const driver = needDriver(storlink.level)
  const volumes: BackupVolume[] = []
  for (const { uuid: disk, vdev, format, sizeMib = 0 } of backedUpDisks(vm)) {
    const uuid = newUuid()
    const path = driver.locate({ storlink, uuid, format: 'qcow2' })
    const below = parent?.volumes.find((one) => one.disk === disk)
    if (below) await driver.overlay(host, path, imageOf(below), undefined, TAG)
    else await driver.create(host, path, 'qcow2', sizeMib, TAG)
    volumes.push({ uuid, disk, vdev, format, sizeMib, path, ...(await driver.digest(host, path)) })
  }
  const backup: Backup = {
    uuid: newUuid(),
    vm: vm.uuid,
    vmName: vm.name,
    name: dateName(createdAt),
    desc: '',
    storlink: storlink.id,
    kind: parent ? 'incremental' : 'full',
    ...(parent ? { parent: parent.uuid } : { fullBecause: 'there is no good backup on that storlink yet' }),
    depth: parent ? parent.depth + 1 : 0,
    live: true,
    state: 'verified',
    checkedAt: createdAt,
    spec: specOf(vm),
    volumes,
    createdAt,
  }
  const text = manifestOf(backup, { qemuImg: '', xen: pm.seen.xenVersion ?? '' })
  const manifest = manifestPath(backup.uuid, storlink, { volumes: needDriver })
  await runAll(host, batch(writeFileAtomically(manifest, text), { stopOnFailure: true }))
  await store.inventory.putBackup(backup)
  return backup
}

async function schedule(
  { store, storlink }: Made,
  { uuid: vm, name: vmName }: Vm,
  more: Pick<Schedule, 'cron'> & Partial<Schedule>,
): Promise<void> {
  const retention = { keepLast: 7, keepHourly: 0, keepDaily: 7, keepWeekly: 4, keepMonthly: 12 }
  const of = { uuid: newUuid(), vm, vmName, storlink: storlink.id, createdAt: Date.now() - 40 * DAY_MS }
  await store.inventory.putSchedule({ ...of, incremental: true, rateMib: 50, retention, enabled: true, ...more })
}
