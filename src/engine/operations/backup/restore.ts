import { z } from 'zod'
import { isUuid, newUuid } from '../../../lib/ids.ts'
import { type Backup, type BackupVolume, backedUpDisks, isGood } from '../../../model/backup.ts'
import type { Disk } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import { refuseName, type Vm } from '../../../model/vm.ts'
import type { Context, Effects, Lock, Operation, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { refuseLayers } from '../disk/layers.ts'
import { isReached } from '../storlink/access.ts'
import { refuseState } from '../vm/domain.ts'
import { forceField } from '../volume/force.ts'
import { gatherInPlace, type InPlaceFacts, planInPlace } from './restoreInPlace.ts'
import { gatherNew, type NewFacts, planNew, pmForNew } from './restoreNew.ts'
import {
  backupField,
  backupsLock,
  nameOf,
  needVolumes,
  refuseBackupAccess,
  storlinkLocks,
  vmOfBackup,
} from './target.ts'

/**
 * Restores a backup, or some of its disks: onto its VM, which has to be shut down and keeps what it holds until the
 * restored disks have been read back; as a new VM beside it; or, where the VM is no more, as that very VM, under its UUID.
 */
const params = z.object({
  backup: backupField,
  as: field(z.enum(['itself', 'new']).default('itself'), {
    title: 'As',
    help: 'itself: onto its VM, or as that VM again where it is gone; new: as a VM of its own beside it',
  }),
  name: field(z.string().trim().optional(), { title: 'Name', help: 'of the new VM' }),
  disk: field(z.array(z.string()).default([]), {
    title: 'Disk',
    help: 'its name (xvda) or UUID, or several: it alone comes back, and the others stay as they are; none given: all',
  }),
  keep: field(z.boolean().default(false), {
    title: 'Keep',
    help: 'what the VM holds now, as a snapshot of its own; else it goes when the restored disks have been read back',
  }),
  storlink: field(z.number().int().optional(), {
    title: 'Storlink',
    from: 'storlink',
    help: 'where the disks shall lie; else where they lay',
  }),
  uuid: field(z.string().refine(isUuid, 'is not a UUID').optional(), {
    title: 'UUID',
    help: 'of the new VM; none given: a new one',
    advanced: true,
  }),
  force: forceField,
})
type RestoreParams = z.infer<typeof params>
type Facts = InPlaceFacts | NewFacts

/** Onto the VM that it was made of. */
function isInPlace(p: RestoreParams, view: View): boolean {
  return p.as === 'itself' && vmOfBackup(view.needBackup(p.backup), view) !== undefined
}

/** The UUID of the VM that is restored. */
function vmOf(p: RestoreParams, view: View): string {
  return p.as === 'itself' ? view.needBackup(p.backup).vm : p.uuid!
}

/** Its name: the one given, its old one, or that with something to tell it apart. */
function nameFor(p: RestoreParams, view: View): string {
  const backup = view.needBackup(p.backup)
  return p.name ?? (p.as === 'itself' ? backup.spec.name : `${backup.spec.name} restored`.slice(0, 100))
}

function refuse(p: RestoreParams, view: View): string | undefined {
  const backup = view.needBackup(p.backup)
  if (!isGood(backup, view.backupsOf(backup.vm)))
    return `it is ${backup.state}, or what it lies on is: verify it first (backup.verify)`
  const access = refuseBackupAccess(backup, view)
  if (access) return access
  needVolumes(backup, p.disk)
  if (p.storlink !== undefined) view.needStorlink(p.storlink)
  if (!isInPlace(p, view)) return refuseNewVm(p, view)
  return refuseInPlace(p, backup, view)
}

function refuseInPlace(p: RestoreParams, backup: Backup, view: View): string | undefined {
  const vm = view.needVm(backup.vm)
  const volumes = needVolumes(backup, p.disk)
  const storlink = p.storlink === undefined ? undefined : view.needStorlink(p.storlink)
  const hint = { running: 'shut it down first', paused: 'power it off first', crashed: 'power it off first' }
  const state = refuseState(vm, view, ['shutdown'], hint) ?? refuseLayers(vm, view)
  if (state) return state
  if (storlink && !isReached(storlink, vm.pm))
    return `storlink ${storlink.name} is on ${view.getPm(storlink.pm)?.name}, and ${vm.name} is not`
  return refuseTaken(volumes, vm) ?? refuseParts(p, backup, vm)
}

/** A disk that the VM has no more comes back under its name, which another may have by now. */
function refuseTaken(volumes: readonly BackupVolume[], vm: Vm): string | undefined {
  const back = volumes.filter((volume) => !vm.disks.some((disk) => disk.uuid === volume.disk))
  const taken = back.find(({ vdev }) => [...vm.disks, ...vm.drives].some((other) => other.vdev === vdev))
  return taken && `${taken.vdev} of ${vm.name} is another disk by now: restore it as a new VM`
}

/** A layer is of all disks at one moment, so some of them cannot leave theirs, or be kept as one, without the others. */
function refuseParts(p: RestoreParams, backup: Backup, vm: Vm): string | undefined {
  if (!p.keep && vm.layer === undefined) return undefined
  const isIn = (volumes: readonly BackupVolume[]) => (disk: Disk) => volumes.some((one) => one.disk === disk.uuid)
  const stay = backedUpDisks(vm).filter((disk) => !isIn(needVolumes(backup, p.disk))(disk))
  if (stay.length === 0) return undefined
  const added = stay.filter((disk) => !isIn(backup.volumes)(disk))
  const names = (added.length > 0 ? added : stay).map((disk) => disk.vdev).join(', ')
  if (added.length > 0)
    return `${names} of ${vm.name} ${added.length === 1 ? 'is' : 'are'} not in it, and a VM's layers hold all of its disks: restore it as a new VM`
  return vm.layer === undefined
    ? `keep: a snapshot holds all disks of a VM, and ${names} shall stay: make a backup of what it holds now, and keep nothing`
    : `${vm.name} goes on from a snapshot, which holds all of its disks, and ${names} shall stay: restore all of them, or this as a new VM`
}

function refuseNewVm(p: RestoreParams, view: View): string | undefined {
  if (p.as === 'itself' && p.disk.length > 0)
    return 'disk: its VM is gone, and comes back with all of its disks; some of them are restored as a new VM'
  const name = nameFor(p, view)
  const uuid = vmOf(p, view)
  const wrong = refuseName(name)
  if (wrong) return `name: ${wrong}`
  const taken = view.vmsNamed(name).find((vm) => vm.origin !== 'found' && vm.uuid !== uuid)
  if (taken) return `the name ${name} is taken by VM ${taken.uuid}: give another`
  const own = view.getVm(uuid)
  if (own) return `VM ${own.name} has its UUID: adopt it, or restore the backup as a new VM`
  return undefined
}

function locks(p: RestoreParams, view: View): Lock[] {
  const backup = view.needBackup(p.backup)
  const vm = vmOfBackup(backup, view)
  const storlinks = new Set([
    backup.storlink,
    ...(p.storlink === undefined ? [] : [p.storlink]),
    ...backup.spec.disks.flatMap((disk) => disk.storlink ?? []),
    ...(vm?.disks.flatMap((disk) => disk.storlink ?? []) ?? []),
  ])
  const known = [...storlinks].filter((id) => view.getStorlink(id))
  const own = storlinkLocks(backup.storlink, view)
  const pm = `pm:${isInPlace(p, view) ? vm!.pm : pmForNew(p, backup, view)}`
  return [
    { key: `vm:${vmOf(p, view)}`, mode: 'exclusive' },
    ...(isInPlace(p, view) ? [] : [{ key: `name:vm:${nameFor(p, view)}`, mode: 'exclusive' as const }]),
    backupsLock(backup.vm, 'shared'),
    ...known.filter((id) => id !== backup.storlink).map((id): Lock => ({ key: `storlink:${id}`, mode: 'shared' })),
    ...own,
    ...(own.some(({ key }) => key === pm) ? [] : [{ key: pm, mode: 'shared' as const }]),
  ]
}

function effects(p: RestoreParams, facts: Facts): Effects {
  if (facts.kind === 'new') return {}
  const { before, restored } = facts
  const replaced = before.disks.filter((disk) => restored.some((one) => one.disk === disk.uuid))
  const lines = replaced.map((disk) => `${disk.vdev} ${disk.path}`)
  return p.keep ? { keeps: lines } : { frees: lines }
}

export const backupRestore: Operation<RestoreParams, Facts & Json> = {
  name: 'backup.restore',
  title: 'restore a backup of',
  help: 'Gives a VM that is shut down the disks of a backup, or one of them, makes a new VM of it, or brings a deleted VM back. No single files: restore as a new VM, and take them from that.',
  danger: 'disrupts',
  subjectKind: 'vm',
  target: { param: 'backup', kind: 'backup' },
  params,
  complete: (p) => ({ ...p, uuid: p.uuid ?? newUuid() }),
  subject(p, view) {
    const backup = view.needBackup(p.backup)
    const inPlace = isInPlace(p, view)
    return { kind: 'vm', id: vmOf(p, view), name: inPlace ? view.needVm(backup.vm).name : nameFor(p, view) }
  },
  locks,
  refuse,
  async gather(p, cx: Context) {
    const backup = cx.view.needBackup(p.backup)
    if (p.as === 'itself' && p.name !== undefined && isInPlace(p, cx.view))
      throw new PengxError('invalid', `name: ${nameOf(backup)} is restored onto its VM, which keeps its name`)
    const { keep, storlink, force } = p
    const volumes = needVolumes(backup, p.disk)
    const facts = isInPlace(p, cx.view)
      ? await gatherInPlace({ keep, volumes, storlink, force }, backup, cx)
      : await gatherNew({ uuid: vmOf(p, cx.view), name: nameFor(p, cx.view), storlink, volumes }, backup, cx)
    return facts as Facts & Json
  },
  plan: (p, facts): Step[] => (facts.kind === 'new' ? planNew(facts) : planInPlace(p, facts)),
  effects,
  result: (_p, facts) => ({ vm: facts.kind === 'new' ? facts.vm.uuid : facts.before.uuid }),
  touches(p, view) {
    const pm = view.getVm(vmOf(p, view))?.pm
    return pm === undefined ? [] : [pm]
  },
}
