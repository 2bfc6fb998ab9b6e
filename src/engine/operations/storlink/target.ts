import { z } from 'zod'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import { layersOf } from '../../../model/layer.ts'
import type { Pm } from '../../../model/pm.ts'
import { isProvisional } from '../../../model/provisional.ts'
import { refuseName, type Vm } from '../../../model/vm.ts'
import type { Lock, Operation } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'

/** What the operations on storlinks have in common: what they ask for, who is acted on, what lies there. */

export const TYPES = ['LO', 'FC', 'ISC', 'NFS', 'CEP'] as const
export const LEVELS = ['FL', 'BL', 'OB'] as const
export const FIELDS = {
  link: { title: 'Link', help: 'a directory on the PM (/data), or a volume group (/dev/vg)' },
  type: { title: 'Type', help: 'what carries it: local, FC, iSCSI, NFS, Ceph' },
  level: { title: 'Level', help: 'how disks lie there: file, block, object' },
  shared: { title: 'Shared', help: 'other PMs see it under the same link' },
} as const
export const storlinkField = field(z.number().int(), { title: 'Storlink', from: 'storlink' })

/** Two that are made at once must not come to lie in each other. */
export const PLACES_LOCK: Lock = { key: 'site:storlinks', mode: 'exclusive' }

type OneStorlink = 'subjectKind' | 'target' | 'subject' | 'touches'

/** An operation on a storlink that is there. */
export function storlinkOperation<P extends { readonly storlink: number }, F extends Json>(
  operation: Omit<Operation<P, F>, OneStorlink>,
): Operation<P, F> {
  return {
    subjectKind: 'storlink',
    target: { param: 'storlink', kind: 'storlink' },
    subject: ({ storlink }, view) => ({
      kind: 'storlink',
      id: String(storlink),
      name: view.needStorlink(storlink).name,
    }),
    touches: () => [],
    ...operation,
  }
}

/** The PM that is meant: the one named, this machine, the one that is configured, or the only one there is. */
export function choosePm(pm: string | undefined, view: View): string {
  const chosen = pm === undefined ? defaultPm(view) : view.needPm(pm)
  if (isProvisional(chosen)) {
    throw new PengxError(
      'unreachable',
      `PM ${chosen.name} has not answered yet${chosen.seen.problem ? `: ${chosen.seen.problem}` : ''}`,
    )
  }
  return chosen.uuid
}

function defaultPm(view: View): Pm {
  const pms = view.pms()
  const self = view.setting('self')
  const meant = pms.find((pm) => pm.destination === 'local') ?? pms.find((pm) => pm.uuid === self || pm.name === self)
  if (meant) return meant
  if (pms.length === 1) return pms[0]!
  throw new PengxError(
    'invalid',
    pms.length > 1 ? 'pm is missing: there is more than one' : 'there is no PM yet: add one first',
  )
}

/** Why a storlink cannot have that name, or undefined; `own` has it already. */
export function refuseStorlinkName(name: string, view: View, own?: number): string | undefined {
  const wrong = refuseName(name)
  if (wrong) return wrong
  const other = view.storlinks().find((one) => one.name === name && one.id !== own)
  return other && `storlink ${other.id} already has the name "${name}"`
}

/** What lies on it, as the end of a sentence; undefined where nothing does. */
export function saysWhatLiesOn(storlink: number, view: View): string | undefined {
  const vms = view.vms().filter((vm) => liesOn(vm, storlink))
  const templates = view.templates().filter((template) => template.disks.some((disk) => disk.storlink === storlink))
  const groups = [counted('VM', vms), counted('template', templates)].filter((group) => group !== undefined)
  if (groups.length > 0) return `disks of ${groups.join(' and of ')} lie on it`
  const backups = view.backups().filter((backup) => backup.storlink === storlink)
  const kept = counted(
    'backup',
    backups.map(({ vmName, name }) => ({ name: `${name} of ${vmName}` })),
  )
  if (kept) return `${kept} ${backups.length === 1 ? 'lies' : 'lie'} on it`
  const schedule = view.schedules().find((one) => one.storlink === storlink)
  return schedule && `${schedule.vmName} is backed up to it by a schedule`
}

/** Its disks as they are now, or what snapshots keep of them. */
export function liesOn(vm: Vm, storlink: number): boolean {
  const volumes = [...vm.disks, ...layersOf(vm).flatMap((layer) => layer.volumes)]
  return volumes.some((volume) => volume.storlink === storlink)
}

function counted(kind: string, rows: readonly { readonly name: string }[]): string | undefined {
  if (rows.length === 0) return undefined
  const names = rows.slice(0, 3).map((row) => row.name)
  return `${rows.length === 1 ? kind : `${rows.length} ${kind}s`} ${names.join(', ')}${rows.length > 3 ? ', …' : ''}`
}
