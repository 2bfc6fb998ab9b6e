import { z } from 'zod'
import { isUuid, newUuid } from '../../../lib/ids.ts'
import { backedUpDisks, isGood } from '../../../model/backup.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import { refuseName } from '../../../model/vm.ts'
import type { Context, Effects, Lock, Operation, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { refuseLayers } from '../disk/layers.ts'
import { isReached } from '../storlink/access.ts'
import { refuseState } from '../vm/domain.ts'
import { forceField } from '../volume/force.ts'
import { gatherInPlace, type InPlaceFacts, planInPlace } from './restoreInPlace.ts'
import { gatherNew, type NewFacts, planNew, pmForNew } from './restoreNew.ts'
import { backupField, backupsLock, nameOf, refuseBackupAccess, storlinkLocks, vmOfBackup } from './target.ts'

/**
 * Restores a backup: onto its VM, which has to be shut down and keeps what it holds until the restored disks have been
 * read back; as a new VM beside it; or, where the VM is no more, as that very VM, under its UUID.
 */
const params = z.object({
  backup: backupField,
  as: field(z.enum(['itself', 'new']).default('itself'), {
    title: 'As',
    help: 'itself: onto its VM, or as that VM again where it is gone; new: as a VM of its own beside it',
  }),
  name: field(z.string().trim().optional(), { title: 'Name', help: 'of the new VM' }),
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
  const storlink = p.storlink === undefined ? undefined : view.needStorlink(p.storlink)
  if (!isInPlace(p, view)) return refuseNewVm(p, view)
  const vm = view.needVm(backup.vm)
  const hint = { running: 'shut it down first', paused: 'power it off first', crashed: 'power it off first' }
  const state = refuseState(vm, view, ['shutdown'], hint) ?? refuseLayers(vm, view)
  if (state) return state
  if (storlink && !isReached(storlink, vm.pm))
    return `storlink ${storlink.name} is on ${view.getPm(storlink.pm)?.name}, and ${vm.name} is not`
  const added = backedUpDisks(vm).filter((disk) => !backup.volumes.some((volume) => volume.disk === disk.uuid))
  if (added.length === 0 || (!p.keep && vm.layer === undefined)) return undefined
  const names = added.map((disk) => disk.vdev).join(', ')
  return `${names} of ${vm.name} ${added.length === 1 ? 'is' : 'are'} not in it, and a VM's layers hold all of its disks: restore it as a new VM`
}

function refuseNewVm(p: RestoreParams, view: View): string | undefined {
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
  help: 'Gives a VM that is shut down the disks of a backup, makes a new VM of it, or brings a deleted VM back.',
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
    const facts = isInPlace(p, cx.view)
      ? await gatherInPlace(p, backup, cx)
      : await gatherNew({ uuid: vmOf(p, cx.view), name: nameFor(p, cx.view), storlink: p.storlink }, backup, cx)
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
