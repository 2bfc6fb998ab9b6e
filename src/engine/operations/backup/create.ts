import { z } from 'zod'
import { dateName } from '../../../lib/age.ts'
import { isUuid, newUuid } from '../../../lib/ids.ts'
import { type Backup, backedUpDisks } from '../../../model/backup.ts'
import type { Json } from '../../../model/json.ts'
import type { Context, Lock, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { locksOfLayers } from '../disk/layers.ts'
import { checkMomentSteps, momentIn, momentStep, releaseMomentStep, scratchSteps, sourceIn } from '../disk/moment.ts'
import { refuseReach } from '../storlink/access.ts'
import { refuseState, refuseVolumes } from '../vm/domain.ts'
import { vmField, vmOperation } from '../vm/target.ts'
import { type BackupFacts, gatherBackup } from './facts.ts'
import { manifestStep } from './manifest.ts'
import { forgetBitmapsStep, momentOf } from './moment.ts'
import { clearSentStep, type Sent, sendStep, sentImage } from './sent.ts'
import { digestIn, type Pack, packSteps, readBackStep, recordBackupStep } from './steps.ts'
import { backupsLock, imageOf, refuseBackupName, refuseBackupPlace, storlinkLocks } from './target.ts'

/**
 * A backup is made in the order that lets it be counted on: its volumes are written, read again from their disk and
 * compared with what the VM's disks hold (or held, at the moment of one that runs), and only then is there a backup.
 */
const params = z.object({
  vm: vmField,
  name: field(z.string().trim().optional(), { title: 'Name', help: 'none given: the date and time' }),
  storlink: field(z.number().int(), { title: 'Storlink', from: 'storlink' }),
  desc: field(z.string().default(''), { title: 'Note' }),
  incremental: field(z.enum(['auto', 'no']).default('auto'), {
    title: 'Incremental',
    help: 'auto: only what was written since the last good one, where that was noted; no: a full one',
  }),
  rate: field(z.number().int().min(0).max(100_000).default(50), {
    title: 'Rate',
    help: 'at most so many MiB a second are read of a VM that runs, so that its guest keeps its speed; 0: no limit',
    advanced: true,
  }),
  scratch: field(z.number().int().optional(), {
    title: 'Scratch',
    from: 'storlink',
    help: 'where what a running guest overwrites meanwhile is kept; else beside each disk',
    advanced: true,
  }),
  backup: field(z.string().refine(isUuid, 'is not a UUID').optional(), {
    title: 'UUID',
    help: 'of the backup; none given: a new one',
    advanced: true,
  }),
})
type Params = z.infer<typeof params>

function refuse(p: Params, view: View): string | undefined {
  const vm = view.needVm(p.vm)
  const state = refuseState(vm, view, ['shutdown', 'running', 'paused'], { crashed: 'power it off first' })
  if (state) return state
  const volumes = refuseVolumes(vm)
  if (volumes) return volumes
  if (backedUpDisks(vm).length === 0) return 'it has no disk that is written to'
  const storlink = view.needStorlink(p.storlink)
  const name = p.name === undefined ? undefined : refuseBackupName(p.vm, p.name, view)
  const scratch = p.scratch === undefined ? undefined : refuseReach(view.needStorlink(p.scratch), vm.pm, view)
  return name ?? refuseBackupPlace(storlink, vm.pm, view) ?? scratch
}

function locks(p: Params, view: View): Lock[] {
  const all = [
    ...locksOfLayers(p.vm, p.storlink, view),
    ...storlinkLocks(p.storlink, view),
    ...(p.scratch === undefined ? [] : [{ key: `storlink:${p.scratch}`, mode: 'shared' as const }]),
    backupsLock(p.vm, 'exclusive'),
  ]
  return all.filter(({ key }, index) => all.findIndex((lock) => lock.key === key) === index)
}

function rowOf(p: Params, facts: BackupFacts, cx: Context): Backup {
  const { parent, fullBecause } = facts
  return {
    uuid: p.backup!,
    vm: facts.vm,
    vmName: facts.vmName,
    name: p.name!,
    desc: p.desc,
    storlink: facts.storlink,
    kind: parent ? 'incremental' : 'full',
    ...(fullBecause === null ? {} : { fullBecause }),
    ...(parent ? { parent: parent.uuid } : {}),
    depth: parent ? parent.depth + 1 : 0,
    live: facts.live !== null,
    state: 'verified',
    checkedAt: cx.clock.now(),
    spec: facts.spec,
    volumes: facts.disks.map(({ disk, vdev, source, sizeMib, volume }) => ({
      ...{ ...volume, disk, vdev, format: source.format, sizeMib },
      ...digestIn(cx, vdev),
    })),
    createdAt: facts.live ? momentIn(cx) : facts.at,
  }
}

/** The disks that have to be sent to where the backup lies; none: its PM reads them itself. */
function sentOf(p: Params, facts: BackupFacts): Sent[] {
  const { pm, level, vmPm, live } = facts
  if (pm === vmPm) return []
  const moment = live && momentOf(p.backup!, p.rate, { ...facts, live })
  return facts.disks.map(({ vdev, sizeMib, source, level: sourceLevel, volume }, index) => {
    const read = moment ? { source: sourceIn(moment, index) } : { source, sourceLevel }
    return { ...read, vdev, sizeMib, from: vmPm, path: volume.path, pm, level }
  })
}

function packsOf(p: Params, facts: BackupFacts): Pack[] {
  const { pm, level, vmPm, live, parent } = facts
  const moment = live && momentOf(p.backup!, p.rate, { ...facts, live })
  return facts.disks.map(({ disk, vdev, sizeMib, source, level: sourceLevel, volume }, index): Pack => {
    const below = parent?.volumes.find((one) => one.disk === disk)
    const target = { path: volume.path, ...(below ? { backing: imageOf(below) } : {}) }
    const rest = { vdev, sizeMib, target, from: source.path, pm, level }
    if (pm !== vmPm) return { ...rest, source: (cx) => sentImage(cx, vdev) }
    return moment ? { ...rest, source: () => sourceIn(moment, index) } : { ...rest, source: () => source, sourceLevel }
  })
}

function plan(p: Params, facts: BackupFacts): Step[] {
  const packs = packsOf(p, facts)
  const row = (cx: Context) => rowOf(p, facts, cx)
  const sent = sentOf(p, facts)
  const write = [...sent.map(sendStep), ...packSteps(packs), ...packs.map(readBackStep), ...sent.map(clearSentStep)]
  const record = [manifestStep(facts.manifest, facts, row, facts.tools), recordBackupStep(p.backup!, row)]
  const { live } = facts
  if (!live) return [...write, ...record]
  const running = { ...facts, live }
  const moment = momentOf(p.backup!, p.rate, running)
  return [
    ...scratchSteps(moment),
    momentStep(moment),
    ...write,
    ...checkMomentSteps(moment),
    releaseMomentStep(moment),
    ...record,
    forgetBitmapsStep(running),
  ]
}

export const backupCreate = vmOperation<Params, BackupFacts & Json>({
  name: 'backup.create',
  title: 'back up',
  help: 'Copies what the disks of a VM hold at one moment to a storlink, and reads it back; a running guest goes on.',
  danger: 'safe',
  params,
  complete: (p) => ({ ...p, name: p.name ?? dateName(Date.now()), backup: p.backup ?? newUuid() }),
  locks,
  refuse,
  gather: (p, cx) => gatherBackup({ ...p, backup: p.backup! }, cx),
  plan,
  result: ({ backup, name }) => ({ uuid: backup ?? '', name: name ?? '' }),
})
