import { z } from 'zod'
import { newUuid } from '../../../lib/ids.ts'
import { type Disk, nextVdev } from '../../../model/disk.ts'
import { takenVdevs, withoutDisk as without } from '../../../model/drive.ts'
import { PengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import { canonicalPath } from '../../../model/storage/volumePath.ts'
import type { Level } from '../../../model/storlink.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { VOLUME_BACKEND } from '../../volumes/volumeDriver.ts'
import { needRoom, refuseGroupChange, refuseReach } from '../storlink/access.ts'
import { removeAside, setAside } from '../storlink/asideVolume.ts'
import { madeVolume } from '../storlink/madeVolume.ts'
import { type Change, type ChangeFacts, configStep, gatherChange, recordStep } from '../vm/change.ts'
import { vmField, vmOperation } from '../vm/target.ts'
import { changing } from '../volume/asked.ts'
import { forceField } from '../volume/force.ts'
import { needSoleUse } from '../volume/users.ts'
import { attachStep, detachStep } from './steps.ts'
import { diskField, levelOf, locksWith, needDisk, refuseDisks, sizeField } from './target.ts'

/** A VM's disks, while it runs and while it does not: made and deleted. */

const createDiskParams = z.object({
  vm: vmField,
  storlink: field(z.number().int().optional(), {
    title: 'Storlink',
    from: 'storlink',
    help: 'none given: that of the first disk',
  }),
  size: field(sizeField, { title: 'Size', unit: 'MiB' }),
  format: field(z.enum(['qcow2', 'raw']).default('qcow2'), { title: 'Format' }),
  desc: field(z.string().default(''), { title: 'Description' }),
})
type CreateParams = z.infer<typeof createDiskParams>

type CreateFacts = ChangeFacts & { readonly disk: Disk & Json; readonly level: Level }

/** The storlink that is meant: the one named, or the first disk's. */
function storlinkFor({ vm, storlink }: CreateParams, view: View): number | undefined {
  return storlink ?? view.needVm(vm).disks[0]?.storlink
}

function refuseMeant(vm: Vm, id: number | undefined, view: View): string | undefined {
  if (id === undefined) return 'storlink is missing: its first disk lies on none'
  const storlink = view.getStorlink(id)
  if (!storlink) return `storlink ${id} does not exist`
  return refuseReach(storlink, vm.pm, view)
}

/** A name that is free in what is configured and in what runs. */
function freeVdev(facts: ChangeFacts, running: readonly string[]): string {
  const taken = [...takenVdevs(facts.base), ...running]
  const vdev = nextVdev(taken)
  if (/^xvd[a-z]$/.test(vdev)) return vdev
  throw new PengxError('refused', `${facts.before.name} has a disk under every letter from xvda to xvdz`)
}

async function gatherCreate(p: CreateParams, cx: Context): Promise<CreateFacts> {
  const vm = cx.view.needVm(p.vm)
  const storlink = cx.view.needStorlink(storlinkFor(p, cx.view)!)
  const driver = cx.volumes(storlink.level)
  const facts = await gatherChange(p.vm, cx)
  await needRoom(cx, vm.pm, storlink, p.size, driver.traits.sparse)
  const running = facts.domid === null ? [] : await cx.hypervisor.vdevs(cx.host(vm.pm), facts.domid, cx.signal)
  const uuid = newUuid()
  const disk: Disk = {
    uuid,
    vdev: freeVdev(facts, running),
    format: p.format,
    sizeMib: p.size,
    path: driver.locate({ storlink, uuid, format: p.format }),
    storlink: storlink.id,
    readOnly: false,
    owned: true,
    backend: VOLUME_BACKEND,
    desc: p.desc,
    createdAt: cx.clock.now(),
  }
  return { ...facts, disk: disk as Disk & Json, level: storlink.level }
}

function makeStep(disk: Disk, level: Level, { pm, uuid, name }: Pick<Vm, 'pm' | 'uuid' | 'name'>): Step {
  return {
    name: `make disk ${disk.vdev}`,
    weight: 2,
    shows: [`make ${disk.path} (${disk.format}, ${disk.sizeMib} MiB)`],
    async do(cx) {
      await cx.volumes(level).create(cx.host(pm), disk.path, disk.format, disk.sizeMib!, cx.tag)
      return null
    },
    ...madeVolume(pm, { ...disk, level }, { uuid, name }),
  }
}

function withDisk(disk: Disk): Change {
  return (vm) => ({ ...vm, disks: [...vm.disks.filter((one) => one.uuid !== disk.uuid), disk] })
}

export const diskCreate = vmOperation<CreateParams, CreateFacts>({
  name: 'disk.create',
  title: 'add a disk to',
  help: 'Makes an empty disk for a VM; a running guest sees it at once.',
  danger: 'safe',
  params: createDiskParams,
  locks: (p, view) => locksWith(p.vm, storlinkFor(p, view), view),
  refuse(p, view) {
    const row = view.needVm(p.vm)
    return refuseDisks(row, view) ?? refuseMeant(row, storlinkFor(p, view), view)
  },
  gather: gatherCreate,
  plan: (_params, facts) => [
    makeStep(facts.disk, facts.level, facts.before),
    recordStep(facts, withDisk(facts.disk)),
    configStep(facts, withDisk(facts.disk)),
    ...(facts.domid === null ? [] : [attachStep(facts.before, facts.disk, facts.domid)]),
  ],
  result: (_params, { disk }) => ({ uuid: disk.uuid, vdev: disk.vdev }),
})

const deleteDiskParams = z.object({ vm: vmField, disk: diskField, force: forceField })
type DeleteParams = z.infer<typeof deleteDiskParams>
type DeleteFacts = ChangeFacts & { readonly disk: Disk & Json; readonly level: Level }

function refuseDelete({ vm, disk: named }: DeleteParams, view: View): string | undefined {
  const row = view.needVm(vm)
  const disk = needDisk(row, named)
  const reason = refuseDisks(row, view)
  if (reason) return reason
  if (row.seen.state !== 'shutdown' && (row.disks[0]?.uuid === disk.uuid || /^(xv|h|s)da$/.test(disk.vdev)))
    return `${disk.vdev} is what it runs from: shut it down first`
  if (row.seen.state === 'paused')
    return `a paused guest cannot let go of ${disk.vdev}: resume it, or power it off first`
  if (!disk.owned) return undefined
  const storlink = disk.storlink === undefined ? undefined : view.getStorlink(disk.storlink)
  return refuseShared(row, disk, view) ?? (storlink && refuseGroupChange(storlink, row.pm, view))
}

/** The volume of one disk is never removed under another. */
function refuseShared(vm: Vm, disk: Disk, view: View): string | undefined {
  const isSame = (one: { readonly path: string }) => canonicalPath(one.path) === canonicalPath(disk.path)
  for (const other of view.vms()) {
    const same = other.disks.some((one) => isSame(one) && one.uuid !== disk.uuid)
    if (same && (other.pm === vm.pm || disk.storlink !== undefined))
      return `its volume ${disk.path} is also a disk of ${other.name}`
  }
  const template = view.templates().find((one) => one.pm === vm.pm && one.disks.some(isSame))
  return template && `its volume ${disk.path} is a disk of template ${template.name}`
}

function withoutDisk(disk: Disk): Change {
  return (vm) => without(vm, (one) => one.uuid === disk.uuid)
}

function planDelete(facts: DeleteFacts): Step[] {
  const { disk, level, before, domid } = facts
  const { vdev, path } = disk
  const forget = recordStep(facts, withoutDisk(disk), { name: `forget disk ${vdev}`, pivot: true })
  const steps = [...(domid === null ? [] : [detachStep(before, disk, domid)]), configStep(facts, withoutDisk(disk))]
  if (!disk.owned) return [...steps, forget]
  return [
    ...steps,
    {
      name: `set disk ${vdev} aside`,
      shows: [`set aside ${path}`],
      ...setAside(before.pm, { path, level }, before.uuid),
    },
    forget,
    {
      name: `remove disk ${vdev}`,
      shows: [`remove ${path}`],
      ...removeAside(before.pm, { path, level }),
    },
  ]
}

export const diskDelete = vmOperation<DeleteParams, DeleteFacts>({
  name: 'disk.delete',
  title: 'delete a disk of',
  help: 'Takes a disk from a VM, from a running guest too, and removes it if pengx made it.',
  danger: 'destroys',
  params: deleteDiskParams,
  locks: ({ vm, disk }, view) => locksWith(vm, needDisk(view.needVm(vm), disk).storlink, view),
  refuse: refuseDelete,
  async gather({ vm, disk: named, force }, cx) {
    const disk = needDisk(cx.view.needVm(vm), named)
    const facts = await gatherChange(vm, cx)
    if (disk.owned) await needSoleUse(cx, facts.before, changing([disk]), { use: 'remove', force })
    return { ...facts, disk: disk as Disk & Json, level: levelOf(disk, cx.view) }
  },
  plan: (_params, facts) => planDelete(facts),
  effects: (_params, { disk }) => {
    const line = `${disk.vdev} ${disk.path} (${disk.sizeMib ?? '?'} MiB)`
    return disk.owned ? { frees: [line] } : { keeps: [line] }
  },
})
