import { z } from 'zod'
import { isUuid } from '../../../lib/ids.ts'
import type { Disk } from '../../../model/disk.ts'
import { refuseName, type Vm } from '../../../model/vm.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { parseSeedAddress } from '../../tools/cloudInit.ts'
import { accessPm, isReached, refuseGroupChange, refusePm, refuseReach } from '../storlink/access.ts'
import { refuseState, refuseVolumes } from '../vm/domain.ts'
import { isSeed } from '../vm/seed.ts'
import { vmField } from '../vm/target.ts'

/** What copies of a VM can be asked to be, and what of it cannot be, before anybody looks at a PM. */
export const copyParams = z.object({
  vm: vmField,
  name: field(z.string().trim(), { title: 'Name', help: 'of several: what their names begin with, NAME-1, NAME-2 …' }),
  storlink: field(z.number().int().optional(), {
    title: 'Storlink',
    from: 'storlink',
    help: 'where the disks shall lie, on this PM or another; none given: each where its disk lies',
  }),
  count: field(z.number().int().min(1).max(100).default(1), {
    title: 'Copies',
    help: 'so many, all of one moment',
  }),
  pm: field(z.string().optional(), {
    title: 'PM',
    from: 'pm',
    help: 'where they shall be; none given: beside the VM, or where the storlink is',
    advanced: true,
  }),
  rate: field(z.number().int().min(0).max(100_000).default(200), {
    title: 'Rate',
    help: 'at most so many MiB a second are read of each disk of a VM that runs; 0: no limit',
    advanced: true,
  }),
  scratch: field(z.number().int().optional(), {
    title: 'Scratch',
    from: 'storlink',
    help: 'where the moment of a VM that runs is kept for that long; else beside each disk',
    advanced: true,
  }),
  seedAddress: field(
    z
      .string()
      .refine((text) => parseSeedAddress(text) !== undefined, 'is not ADDRESS/PREFIX[,GATEWAY[,DNS…]]')
      .optional(),
    {
      title: 'IP address',
      help: 'ADDRESS/PREFIX[,GATEWAY[,DNS…]] of the first interface, where the VM has a cloud-init seed',
      advanced: true,
    },
  ),
  uuids: field(z.array(z.string().refine(isUuid, 'is not a UUID')).default([]), {
    title: 'UUIDs',
    help: 'of the copies; none given: new ones',
    advanced: true,
  }),
})
export type CopyParams = z.infer<typeof copyParams>

/** Disks whose bytes are copied: what it writes to, and what pengx has made for it to read, but for a seed. */
export function copiedDisks(vm: Pick<Vm, 'disks'>): readonly Disk[] {
  return vm.disks.filter((disk) => !disk.readOnly || (disk.owned && !isSeed(disk)))
}

/** What the copies are called. */
export function namesOf({ name, count }: Pick<CopyParams, 'name' | 'count'>): readonly string[] {
  return count === 1 ? [name] : Array.from({ length: count }, (_, index) => `${name}-${index + 1}`)
}

/** The storlinks that disks of the copies come to lie on; undefined: the disk lies on none, and none is named. */
export function storlinksFor(p: CopyParams, vm: Vm): readonly (number | undefined)[] {
  return [...new Set(copiedDisks(vm).map((disk) => p.storlink ?? disk.storlink))]
}

/** The PM that the copies come to: the one named, the VM's where it sees where they shall lie, else one that does. Asks nobody. */
export function pmForCopy(p: CopyParams, view: View): string {
  const vm = view.needVm(p.vm)
  if (p.pm !== undefined) return view.needPm(p.pm).uuid
  const storlinks = storlinksFor(p, vm).flatMap((id) => (id === undefined ? [] : view.needStorlink(id)))
  const far = storlinks.find((one) => !isReached(one, vm.pm))
  return far ? (accessPm(far, view)?.uuid ?? far.pm) : vm.pm
}

export function refuseCopy(p: CopyParams, view: View): string | undefined {
  const vm = view.needVm(p.vm)
  const state = refuseState(vm, view, ['shutdown', 'running', 'paused'], { crashed: 'power it off first' })
  return state ?? refuseVolumes(vm) ?? refuseNames(p, view) ?? refusePlace(p, vm, view)
}

function refuseNames(p: CopyParams, view: View): string | undefined {
  for (const name of namesOf(p)) {
    const wrong = refuseName(name)
    if (wrong) return `name: ${wrong}`
    const taken = view.vmsNamed(name)[0]
    if (taken)
      return `the name ${name} is taken by VM ${taken.uuid} on ${view.getPm(taken.pm)?.name ?? 'an unknown PM'}: give another`
  }
  if (p.uuids.length > 0 && p.uuids.length !== p.count)
    return `uuids: ${p.uuids.length} are given, and ${p.count} ${p.count === 1 ? 'copy is' : 'copies are'} to be made`
  if (p.seedAddress !== undefined && p.count > 1)
    return `seedAddress is the address of one machine, and ${p.count} copies are to be made`
  if (new Set(p.uuids).size !== p.uuids.length) return 'uuids: one is given twice'
  const own = p.uuids.find((uuid) => view.getVm(uuid))
  return own && `uuids: there is a VM with UUID ${own}`
}

function refusePlace(p: CopyParams, vm: Vm, view: View): string | undefined {
  const disks = copiedDisks(vm)
  if (disks.length === 0) return 'it has no disk that could be copied'
  const homeless = disks.find((disk) => p.storlink === undefined && disk.storlink === undefined)
  if (homeless) return `storlink is missing: ${homeless.vdev} (${homeless.path}) lies on none`
  const target = pmForCopy(p, view)
  const refusal = refusePm(view.getPm(target), view.getPm(target))
  if (refusal) return refusal
  for (const id of storlinksFor(p, vm)) {
    const storlink = view.needStorlink(id!)
    const pm = view.needPm(target)
    if (!isReached(storlink, target))
      return `storlink ${storlink.id} (${storlink.name}) is on ${view.getPm(storlink.pm)?.name ?? storlink.pm} alone; ${pm.name} does not see it`
    const group = refuseGroupChange(storlink, target, view)
    if (group) return group
  }
  return p.scratch === undefined ? undefined : refuseReach(view.needStorlink(p.scratch), vm.pm, view)
}
