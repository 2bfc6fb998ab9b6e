import { z } from 'zod'
import { newUuid } from '../../../lib/ids.ts'
import type { Disk } from '../../../model/disk.ts'
import type { Json } from '../../../model/json.ts'
import { getLayer, type Layer, layersOf } from '../../../model/layer.ts'
import type { Level } from '../../../model/storlink.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Context, Effects, Operation, Step } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import {
  diskOnOverlay,
  frozenVolumes,
  gatherOverlays,
  locksOfLayers,
  nextLayerNumber,
  type Overlay,
  overlayStep,
  refuseLayers,
  removeVolumeStep,
  volumeLevel,
} from '../disk/layers.ts'
import { type Change, type ChangeFacts, configStep, gatherChange, recordStep } from '../vm/change.ts'
import { needOneConfig } from '../vm/configNow.ts'
import { needNoDomain, refuseState } from '../vm/domain.ts'
import { createStep, factsOf, whileOff } from '../vm/domainSteps.ts'
import { vmField, vmOperation } from '../vm/target.ts'
import { changing, usedBy } from '../volume/asked.ts'
import { forceField } from '../volume/force.ts'
import { needSoleUse } from '../volume/users.ts'
import { needSnapshot, snapshotField } from './target.ts'

/**
 * Going back is going on from there: the disks get new volumes on the snapshot's, which stay as they are. What the VM
 * held is kept as a snapshot of its own, unless it is said that it may go; then it goes last.
 */
const params = z.object({
  vm: vmField,
  snapshot: snapshotField,
  keep: field(z.boolean().default(true), {
    title: 'Keep',
    help: 'what the VM holds now, as a snapshot of its own',
  }),
  force: forceField,
})
type Params = z.infer<typeof params>

type Removal = { readonly vdev: string; readonly path: string; readonly level: Level }
type Facts = ChangeFacts & {
  readonly name: string
  readonly target: string
  readonly kept: string
  readonly at: number
  readonly overlays: readonly Overlay[]
  readonly ids: Readonly<Record<string, string>>
  /** Disks that the VM had then and has no more, as they come back. */
  readonly returning: readonly (Disk & Json)[]
  readonly doomed: readonly Removal[]
}

function refuse({ vm, snapshot }: Params, view: View): string | undefined {
  const row = view.needVm(vm)
  needSnapshot(row, snapshot)
  const hint = { running: 'shut it down first', paused: 'power it off first' }
  return refuseState(row, view, ['shutdown'], hint) ?? refuseLayers(row, view)
}

async function gather({ vm, snapshot: named, keep, force }: Params, cx: Context): Promise<Facts> {
  await needNoDomain(cx, cx.view.needVm(vm))
  const change = await gatherChange(vm, cx)
  const base = change.base as Vm
  await needOneConfig(cx, base)
  const target = needSnapshot(base, named)
  const written = base.disks.filter((disk) => !disk.readOnly)
  await needSoleUse(cx, base, usedBy(base, cx.view), { use: 'write', force })
  if (!keep) await needSoleUse(cx, base, changing(written.filter((disk) => disk.owned)), { use: 'remove', force })
  const requests = target.volumes.map(({ disk, vdev, path, format, sizeMib, storlink }) => {
    const own = written.find((one) => one.uuid === disk)
    return { disk, vdev, sizeMib, storlink: own?.storlink ?? storlink, backing: { path, format } }
  })
  const overlays = await gatherOverlays(base, requests, undefined, cx)
  const missing = target.volumes.filter(({ disk }) => !written.some((one) => one.uuid === disk))
  const at = cx.clock.now()
  return {
    ...change,
    name: target.name,
    target: target.uuid,
    kept: newUuid(),
    at,
    overlays,
    ids: Object.fromEntries(written.map((disk) => [disk.uuid, newUuid()])),
    returning: missing.map(({ disk, vdev, format, sizeMib, path, storlink, owned }) => ({
      ...{ uuid: disk, vdev, format, sizeMib, path, storlink, owned },
      readOnly: false,
      desc: '',
      createdAt: at,
    })) as Facts['returning'],
    doomed: keep
      ? []
      : written
          .filter((disk) => disk.owned)
          .map((disk) => ({ vdev: disk.vdev, path: disk.path, level: volumeLevel(disk, cx.view) })),
  }
}

function changeOf({ keep }: Params, facts: Facts): Change {
  const { name, target, kept, at, overlays, ids, returning } = facts
  return (vm) => {
    if (vm.disks.some((disk) => overlays.some((one) => one.path === disk.path))) return vm
    const frozen: Layer = {
      uuid: kept,
      number: nextLayerNumber(vm),
      ...(vm.layer === undefined ? {} : { parent: vm.layer }),
      name: `before restore of ${name}`.slice(0, 100),
      note: '',
      type: 'OFFLINE',
      createdAt: at,
      volumes: frozenVolumes(vm.disks, ids),
    }
    const overlayOf = (disk: Disk) => overlays.find((one) => one.disk === disk.uuid)
    // each stays in its place: the order of disks is what a guest boots by
    const had = vm.disks.filter((disk) => ids[disk.uuid] === undefined || overlayOf(disk))
    const disks = [...had, ...returning].map((disk) => {
      const overlay = overlayOf(disk)
      return overlay ? diskOnOverlay(disk, overlay) : disk
    })
    return {
      ...vm,
      disks,
      layer: target,
      layers: keep ? [...layersOf(vm), frozen] : layersOf(vm),
    }
  }
}

function stepsOf(p: Params, facts: Facts): Step[] {
  const change = changeOf(p, facts)
  return [
    ...facts.overlays.map((overlay) => overlayStep(overlay, facts.before)),
    whileOff(configStep(facts, change), facts.before),
    whileOff(recordStep(facts, change, { name: 'go back', pivot: true }), facts.before),
    ...facts.doomed.map((volume) => removeVolumeStep(volume, facts.before, 'what it held')),
  ]
}

function effectsOf({ keep }: Params, { before, doomed, target }: Facts): Effects {
  const held = before.disks.filter((disk) => !disk.readOnly).map((disk) => `${disk.vdev} ${disk.path}`)
  const frees = doomed.map(({ vdev, path }) => `${vdev} ${path}`)
  return { frees, keeps: [...(keep ? held : []), `snapshot ${getLayer(before as Vm, target)?.name}`] }
}

const both = {
  params,
  locks: ({ vm }: Params, view: View) => locksOfLayers(vm, undefined, view),
  refuse,
  gather,
  effects: effectsOf,
} satisfies Partial<Operation<Params, Facts>>

export const snapshotRestore = vmOperation<Params, Facts>({
  name: 'snapshot.restore',
  title: 'restore a snapshot of',
  help: 'Lets a VM that is shut down go on from a snapshot; what it held is kept unless you say otherwise.',
  danger: 'disrupts',
  plan: stepsOf,
  ...both,
})

const startParams = params.extend({ force: forceField })
type StartParams = z.infer<typeof startParams>

export const snapshotStart = vmOperation<StartParams, Facts>({
  name: 'snapshot.start',
  title: 'start from a snapshot of',
  help: 'Restores a snapshot and starts the VM, as one job.',
  danger: 'disrupts',
  plan: (p, facts) => [...stepsOf(p, facts), createStep(factsOf(facts.before as Vm, 0), { force: p.force })],
  ...both,
  params: startParams,
})
