import { z } from 'zod'
import { isUuid, newUuid } from '../../lib/ids.ts'
import { type Backup, backedUpDisks } from '../../model/backup.ts'
import type { Json } from '../../model/json.ts'
import type { Context, Step } from '../jobs/operation.ts'
import { field } from '../jobs/params.ts'
import type { View } from '../store/view.ts'
import { type BackupFacts, gatherBackup } from './backupFacts.ts'
import { manifestStep } from './backupManifest.ts'
import { digestIn, packStep, readBackStep, recordBackupStep } from './backupSteps.ts'
import { backupsLock, refuseBackupName, refuseReach } from './backupSubject.ts'
import { locksOfLayers } from './snapshotSubject.ts'
import { refuseState, vmField, vmOperation } from './vmSubject.ts'

/**
 * A backup is made in the order that lets it be counted on: its volumes are written, read again from their disk and
 * compared with what the VM's disks hold, and only then is there a backup.
 */
const params = z.object({
  vm: vmField,
  name: field(z.string().trim().optional(), { title: 'Name', help: 'none given: the date and time' }),
  storlink: field(z.number().int(), { title: 'Storlink', from: 'storlink' }),
  desc: field(z.string().default(''), { title: 'Note' }),
  backup: field(z.string().refine(isUuid, 'is not a UUID').optional(), {
    title: 'UUID',
    help: 'of the backup; none given: a new one',
    advanced: true,
  }),
})
type Params = z.infer<typeof params>

/** As this machine's people write it. */
function dateName(at: Date): string {
  const two = (number: number) => String(number).padStart(2, '0')
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-')
  return `${day} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')}`
}

function refuse(p: Params, view: View): string | undefined {
  const vm = view.needVm(p.vm)
  const state = refuseState(vm, view, ['shutdown'], { crashed: 'power it off first' })
  if (state) return state
  if (backedUpDisks(vm).length === 0) return 'it has no disk that is written to'
  const storlink = view.needStorlink(p.storlink)
  const name = p.name === undefined ? undefined : refuseBackupName(p.vm, p.name, view)
  return name ?? refuseReach(storlink, vm.pm, view)
}

function rowOf(p: Params, facts: BackupFacts, cx: Context): Backup {
  return {
    uuid: p.backup!,
    vm: facts.vm,
    vmName: facts.vmName,
    name: p.name!,
    desc: p.desc,
    storlink: facts.storlink,
    kind: 'full',
    depth: 0,
    live: false,
    state: 'verified',
    checkedAt: cx.clock.now(),
    spec: facts.spec,
    volumes: facts.disks.map(({ disk, vdev, source, sizeMib, volume }) => ({
      ...{ ...volume, disk, vdev, format: source.format, sizeMib },
      ...digestIn(cx, vdev),
    })),
    createdAt: facts.at,
  }
}

function plan(p: Params, facts: BackupFacts): Step[] {
  const { pm, level } = facts
  const packs = facts.disks.map(({ vdev, sizeMib, source, level: sourceLevel, volume }) => {
    return { vdev, sizeMib, source, sourceLevel, target: { path: volume.path }, pm, level }
  })
  const row = (cx: Context) => rowOf(p, facts, cx)
  return [
    ...packs.map(packStep),
    ...packs.map(readBackStep),
    manifestStep(facts.manifest, facts, row, facts.tools),
    recordBackupStep(p.backup!, row),
  ]
}

export const backupCreate = vmOperation<Params, BackupFacts & Json>({
  name: 'backup.create',
  title: 'back up',
  help: 'Copies what the disks of a VM hold to a storlink, compressed, and reads it back before it counts.',
  danger: 'safe',
  params,
  complete: (p) => ({ ...p, name: p.name ?? dateName(new Date()), backup: p.backup ?? newUuid() }),
  locks: ({ vm, storlink }, view) => [...locksOfLayers(vm, storlink, view), backupsLock(vm, 'exclusive')],
  refuse,
  gather: (p, cx) => gatherBackup({ vm: p.vm, storlink: p.storlink, backup: p.backup! }, cx),
  plan,
  result: ({ backup, name }) => ({ uuid: backup ?? '', name: name ?? '' }),
})
