import { z } from 'zod'
import type { Disk } from '../../../model/disk.ts'
import { PengxError } from '../../../model/error.ts'
import { layersOf } from '../../../model/layer.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Context, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { isReached, refuseReach } from '../storlink/access.ts'
import { type ChangeFacts, configStep, gatherChange, recordStep } from '../vm/change.ts'
import { needOneConfig } from '../vm/configNow.ts'
import { findDomain, needNoDomain } from '../vm/domain.ts'
import { vmField, vmOperation } from '../vm/target.ts'
import { changing, usedBy } from '../volume/asked.ts'
import { forceField } from '../volume/force.ts'
import { needSoleUse } from '../volume/users.ts'
import { locksOfLayers, refuseLayers, removeVolumeStep } from './layers.ts'
import { gatherMoves, type Move, movedTo } from './moved.ts'
import { handOverStep, letGoStep, makeTargetStep, mirrorStep } from './moveLive.ts'
import { copyStep, readBackStep } from './moveOff.ts'
import { needDisk, refuseDiskNamed } from './target.ts'

/** The disks of a VM go over to another storlink that its PM sees, while its guest goes on or while it is shut down. */

const params = z.object({
  vm: vmField,
  storlink: field(z.coerce.number().int(), { title: 'Storlink', from: 'storlink', help: 'where its disks shall lie' }),
  disk: field(z.string().min(1).optional(), {
    title: 'Disk',
    from: 'disk',
    help: 'its UUID, or its name: xvdb; none given: all of them',
  }),
  speed: field(z.number().int().min(0).default(200), {
    title: 'Speed',
    help: 'at most so many MiB a second are copied of each disk of a VM that runs, and more than its guest writes; 0: as fast as it goes',
    advanced: true,
  }),
  force: forceField,
})
type Params = z.infer<typeof params>

type Facts = ChangeFacts & {
  readonly moves: readonly Move[]
  readonly paused: boolean
  readonly at: number
}

/** What is meant and not there yet. What a guest that runs only reads stays: QEMU has nothing by which it changes under it. */
function disksMeant(vm: Vm, { storlink, disk }: Params, isRunning: boolean): Disk[] {
  const meant = disk === undefined ? vm.disks : [needDisk(vm, disk)]
  return meant.filter(
    (one) => one.storlink !== storlink && (!one.readOnly || (one.owned && (!isRunning || disk !== undefined))),
  )
}

function refuse(p: Params, view: View): string | undefined {
  const vm = view.needVm(p.vm)
  const storlink = view.needStorlink(p.storlink)
  if (!isReached(storlink, vm.pm))
    return `${refuseReach(storlink, vm.pm, view)}: a VM goes to another PM by vm.migrate, with disks on storlinks that both see`
  const unknown = refuseDiskNamed(vm, p.disk)
  if (unknown) return unknown
  const isRunning = vm.seen.state !== 'shutdown'
  const named = p.disk === undefined ? undefined : needDisk(vm, p.disk)
  if (named?.readOnly && (isRunning || !named.owned))
    return named.owned
      ? `${named.vdev} is read-only and cannot change under a guest that runs: shut it down first`
      : `${named.vdev} is read-only, and not pengx’s: it stays where it is`
  if (disksMeant(vm, p, isRunning).length === 0)
    return named
      ? `${named.vdev} lies on ${storlink.name} already`
      : `it has no disk to move: all lie on ${storlink.name} already`
  if (layersOf(vm).length > 0)
    return 'its disks lie on the layers of snapshots, which do not move: delete its snapshots first'
  return refuseReach(storlink, vm.pm, view) ?? refuseLayers(vm, view)
}

async function gather(p: Params, cx: Context): Promise<Facts> {
  const change = await gatherChange(p.vm, cx)
  const vm = change.base as Vm
  await needOneConfig(cx, vm)
  const isRunning = change.domid !== null
  if (!isRunning) await needNoDomain(cx, vm)
  const disks = disksMeant(vm, p, isRunning)
  if (disks.length === 0) throw new PengxError('refused', `${vm.name} has no disk to move there`)
  await needSoleUse(cx, vm, usedBy(vm, cx.view), { use: 'write', force: p.force })
  const gone = disks.filter((disk) => disk.owned)
  if (gone.length > 0) await needSoleUse(cx, vm, changing(gone), { use: 'remove', force: p.force })
  if (change.domid !== null) {
    const why = await cx.hypervisor.refuseMirror(cx.host(vm.pm), change.domid, disks)
    if (why) throw new PengxError('refused', `cannot move the disks of ${vm.name} while it runs: ${why}`)
  }
  const staying = p.disk === undefined ? vm.disks.filter((disk) => disk.readOnly && !disks.includes(disk)) : []
  for (const { vdev, path, owned } of staying.filter((disk) => disk.storlink !== p.storlink))
    cx.notice(
      owned && isRunning
        ? `${vdev} (${path}) is only read, and stays: it moves with the VM shut down`
        : `${vdev} (${path}) is only read, and stays where it is`,
    )
  const moves = await gatherMoves(vm, disks, cx.view.needStorlink(p.storlink), cx)
  const domain = isRunning ? await findDomain(cx, vm) : undefined
  return { ...change, moves, paused: domain?.state === 'paused', at: cx.clock.now() }
}

function plan({ storlink, speed }: Params, facts: Facts): Step[] {
  const { before: vm, moves, paused, at } = facts
  const change = movedTo(moves, storlink, at)
  const removals = moves
    .filter(({ from }) => from.owned)
    .map(({ vdev, from }) => removeVolumeStep({ vdev, path: from.path, level: from.level }, vm, 'its old place'))
  if (facts.domid === null)
    return [
      ...moves.flatMap((move) => [copyStep(move, vm), readBackStep(move, vm)]),
      configStep(facts, change),
      recordStep(facts, change, { pivot: true }),
      ...removals,
    ]
  const live = { facts, moves, paused, speed }
  return [
    ...moves.map((move) => makeTargetStep(move, vm)),
    mirrorStep(live),
    handOverStep(live, change),
    recordStep(facts, change),
    letGoStep(live),
    ...removals,
  ]
}

export const vmSmigrate = vmOperation<Params, Facts>({
  name: 'vm.smigrate',
  title: 'move the disks of',
  help: 'Moves its disks to another storlink that its PM sees; a running guest goes on, and stands still for a moment at the end.',
  danger: 'disrupts',
  params,
  locks: ({ vm, storlink }, view) => locksOfLayers(vm, storlink, view),
  refuse,
  gather,
  plan,
  effects: (_params, { moves }) => {
    const line = ({ vdev, from }: Move) => `${vdev} ${from.path}`
    return {
      frees: moves.filter(({ from }) => from.owned).map(line),
      keeps: moves.filter(({ from }) => !from.owned).map(line),
    }
  },
  result: ({ vm, storlink }, { moves }) => ({ uuid: vm, storlink, disks: moves.map(({ disk }) => disk) }),
})
